"""A line's parameters: which recipe it trains by, as its repo `params-<line>` holds them."""

from __future__ import annotations

from dataclasses import replace

from chexnet.messages import Record
from chexnet.training import recipe as recipes
from chexnet.training.recipe import Recipe

PARAMS = "recipe.json"


class Params(Record, frozen=True, kw_only=True):
    """What `chexnet train` asks for.

    Args:
        config: a module of chexnet/training/configs, or a dotted path.
        model: another network than the config's; None for its own.
        quick: the same in seconds, to see that it runs.
        epochs: others than the config's; None for its own.
        weights: whether it begins with imported weights, which lie beside.
    """

    schema: str = "params/1"
    config: str
    model: str | None = None
    quick: bool = False
    epochs: int | None = None
    weights: bool = False

    def recipe(self) -> Recipe:
        """Return the recipe; raise ConfigError if there is no such config."""
        recipe = recipes.load(self.config, quick=self.quick)
        if self.epochs is not None:
            recipe = replace(recipe, epochs=self.epochs)
        if self.model is None:
            return recipe
        # The options and weights were the other network's.
        return replace(recipe, model=self.model, options={}, weights=None)
