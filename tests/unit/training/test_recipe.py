"""Recipes are found by name, and every one has a quick form of the same shape."""

from __future__ import annotations

import json
import subprocess
import sys
from pkgutil import iter_modules

import pytest

from chexnet.errors import ConfigError
from chexnet.models import base
from chexnet.training import configs
from chexnet.training.recipe import Adam, Plateau, Recipe, load

NAMES = [module.name for module in iter_modules(configs.__path__)]


@pytest.mark.parametrize("name", NAMES)
def test_a_config_names_an_installed_network_and_is_short_when_quick(name: str) -> None:
    full, quick = load(name), load(name, quick=True)
    assert base.load(full.model).name == quick.model == full.model
    assert quick.epochs == 1
    assert quick.steps_per_epoch == 2
    json.dumps(full.params())


def test_chexnet_is_trained_as_published() -> None:
    recipe = load("chexnet")
    assert (recipe.model, recipe.weights) == ("densenet121", "imagenet")
    assert recipe.optimizer == Adam(learning_rate=0.001, beta_1=0.9, beta_2=0.999)
    assert recipe.schedule == Plateau(monitor="val_loss", factor=0.1, patience=1)
    assert (recipe.batch_size, recipe.keep_best, recipe.flip) == (16, "val_loss", True)


def test_a_config_of_another_package_is_named_by_its_path() -> None:
    assert isinstance(load("chexnet.training.configs.demo_a"), Recipe)


@pytest.mark.parametrize("name", ["nope", "nope.nope", "chexnet.nope"])
def test_an_unknown_config_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"Received: '{name}'"):
        load(name)


def test_a_recipe_is_read_without_tensorflow() -> None:
    code = (
        "import sys, chexnet.training.recipe as r; r.load('chexnet'); print('keras' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"
