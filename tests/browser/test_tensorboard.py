"""TensorBoard of two lines in a real Chromium: trained here, served as the role does."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

import pytest
from jinja2 import Template
from playwright.sync_api import Page, expect

from chexnet.cli.open import COMPARED, PINNED
from chexnet.data import phantoms
from chexnet.inputs.base import load
from chexnet.training import recipe as recipes
from chexnet.training.run import run
from tests import datasets
from tests.browser.conftest import ROOT
from tests.browser.page import MINUTE
from tests.browser.server import free_port, served

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(1200)]
START = ROOT / "roles/tensorboard/templates/start.py.j2"
PICTURE = ROOT / "docs/images/tensorboard.png"
# Set to take the README's picture anew: a test that always did would change the tree.
TAKE = os.environ.get("CHEXNET_TEST_PICTURES")
CONFIGS = {"a": "demo_a", "b": "demo_b"}
SHOWN = "Consolidation"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs of both lines on the same phantoms: short ones, unless the picture is taken."""
    folder = tmp_path_factory.mktemp("tensorboard")
    count, size = (1500, 512) if TAKE else (240, 128)
    for _ in phantoms.write(folder / "films", phantoms.plan(count, seed=0), size=size):
        pass
    source = load("chest_xray")
    data = datasets.dataset(folder / "films", source, folder, name="dataset@0123abcd")
    for line, config in CONFIGS.items():
        recipe = recipes.load(config)
        out = folder / f"models-{line}"
        out.mkdir()
        run(
            data,
            source,
            recipe if TAKE else replace(recipe, epochs=2, options={"resolution": 28, "width": 4}),
            line=line,
            config=config,
            out=out,
            runs=folder / "runs",
            checkpoints=folder / "checkpoints",
        )
    return folder / "runs"


@pytest.fixture(scope="module")
def names(runs: Path) -> list[str]:
    """What TensorBoard calls the two runs."""
    return [f"{line}/{next((runs / line).iterdir()).name}" for line in CONFIGS]


@pytest.fixture(scope="module")
def site(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder, port = tmp_path_factory.mktemp("site"), free_port()
    start = folder / "start.py"
    start.write_text(Template(START.read_text()).render(ansible_managed="A test's"))
    options = ["--logdir", str(runs), "--host", "127.0.0.1", "--port", str(port)]
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, str(start), *options, "--reload_interval", "5"]
    with served(command, f"{url}/data/environment", folder / "log"):
        yield url


def shown(page: Page, site: str, tab: str, names: list[str]) -> None:
    """Open a tab and wait until it lists both runs."""
    page.goto(f"{site}/#{tab}", timeout=MINUTE)
    for name in names:
        expect(page.get_by_text(name).first).to_be_visible(timeout=MINUTE)


def test_the_page_that_is_opened_has_the_curves_by_which_lines_compare(
    page: Page, site: str, names: list[str]
) -> None:
    page.goto(f"{site}/?{urlencode(COMPARED)}#timeseries", timeout=MINUTE)
    pinned = page.locator("metrics-pinned-view")
    for tag in PINNED:
        expect(pinned.get_by_text(tag, exact=True)).to_be_visible(timeout=MINUTE)
    rows = pinned.locator("scalar-card-data-table").first
    for name in names:
        expect(rows.get_by_text(name)).to_be_visible(timeout=MINUTE)
    expect(pinned.locator("scalar-card")).to_have_count(len(PINNED))


def test_scalars_has_every_curve(page: Page, site: str, names: list[str]) -> None:
    shown(page, site, "scalars", names)
    for group in ("auroc", "kept", "learning_rate", "loss", "speed"):
        heading = page.get_by_role("button", name=re.compile(rf"^{group}\b"))
        expect(heading).to_be_visible(timeout=MINUTE)
    expect(page.get_by_text("tag: auroc/Atelectasis")).to_be_visible()


def test_images_lays_the_examples_of_both_lines_side_by_side(
    page: Page, site: str, names: list[str]
) -> None:
    shown(page, site, "images", names)
    cards = page.locator("tf-image-loader").filter(has_text=f"examples/{SHOWN}")
    expect(cards).to_have_count(2, timeout=MINUTE)
    first, second = cards.nth(0), cards.nth(1)
    expect(first.get_by_text(names[0])).to_be_visible()
    expect(second.get_by_text(names[1])).to_be_visible()
    for card in (first, second):
        picture = card.locator("img")
        expect(picture).to_have_js_property("naturalWidth", 448, timeout=MINUTE)  # With the map.
        expect(picture).to_have_js_property("naturalHeight", 224)


def test_pr_curves_draws_each_finding_of_both_lines(
    page: Page, site: str, names: list[str]
) -> None:
    shown(page, site, "pr_curves", names)
    card = page.locator("tf-pr-curve-card").first
    for name in names:
        expect(card.get_by_text(f"{name} is at step 2")).to_be_visible(timeout=MINUTE)


def test_hparams_has_a_row_for_each_run(page: Page, site: str, names: list[str]) -> None:
    shown(page, site, "hparams", names)
    for text in ("resolution=28 width=4", "AUROC, test", "demo_a", "demo_b"):
        expect(page.get_by_text(text).first).to_be_visible(timeout=MINUTE)


def test_text_has_the_card_with_its_intervals(page: Page, site: str, names: list[str]) -> None:
    shown(page, site, "text", names)
    card = page.locator("tf-text-loader").first
    expect(card.get_by_text("AUROC (95 % interval)")).to_be_visible(timeout=MINUTE)
    expect(card.get_by_text("not a medical device")).to_be_visible()


@pytest.mark.skipif(not TAKE, reason="takes the README's picture: set CHEXNET_TEST_PICTURES")
def test_the_readmes_picture(page: Page, site: str, names: list[str]) -> None:
    pins = json.loads(COMPARED["pinnedCards"])
    for name in names:
        run_id = f"defaultExperimentId/{name}"
        tag = f"examples/{SHOWN}"
        pins.append({"plugin": "images", "tag": tag, "runId": run_id, "sample": 0})
    page.set_viewport_size({"width": 1280, "height": 945})
    view = urlencode({**COMPARED, "pinnedCards": json.dumps(pins)})
    page.goto(f"{site}/?{view}#timeseries", timeout=MINUTE)
    page.get_by_label("Toggle settings side pane").click()
    expect(page.locator("metrics-pinned-view image-card img")).to_have_count(2, timeout=MINUTE)
    page.mouse.move(0, 0)
    page.screenshot(path=PICTURE, animations="disabled")
