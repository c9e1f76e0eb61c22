"""The viewer in a real browser: full resolution, window, zoom, the heat map where it belongs."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from playwright.sync_api import Locator, expect

from tests.bad_inputs import dicom
from tests.browser.accessible import cut_off, serious
from tests.browser.page import File, WorkspacePage

pytestmark = [pytest.mark.browser, pytest.mark.slow]
ROWS, COLUMNS, GREY = 1200, 1000, 90
CELL = (4, 10)  # Of the 14 by 14 of memory_site: the spot lies in its middle.
ROUND = 12  # Pixels of the screen: the page shows around the frame's corners.
WORDLESS = ".cx-notice, .cx-caption { visibility: hidden; }"
SHOTS = os.environ.get("CHEXNET_TEST_PICTURES")  # A folder, to look at.


def planted() -> File:
    """A grey film with one bright spot."""
    film = Image.new("L", (COLUMNS, ROWS), GREY)
    row, column = (CELL[0] + 0.5) / 14 * ROWS, (CELL[1] + 0.5) / 14 * COLUMNS
    ImageDraw.Draw(film).ellipse((column - 20, row - 20, column + 20, row + 20), fill=255)
    file = io.BytesIO()
    film.save(file, "PNG")
    return {"name": "planted.png", "mimeType": "image/png", "buffer": file.getvalue()}


@pytest.fixture
def film(films: WorkspacePage) -> Locator:
    """The frame of the planted film, its output shown."""
    films.choose([planted()])
    films.wait("planted.png", "Ready to read")
    films.peek()
    expect(films.outputs).to_have_count(14)
    canvas = films.page.get_by_role("img", name="The image", exact=True)
    expect(canvas).to_have_attribute("width", str(COLUMNS))  # Not the model's 224.
    return films.page.locator(".cx-frame").first


def shot(frame: Locator, opacity: int) -> NDArray[np.float64]:
    """Return what a person sees of the frame without the words on it, RGB."""
    frame.page.get_by_label("Opacity of the heat map").fill(str(opacity))
    png = frame.screenshot(animations="disabled", style=WORDLESS)
    seen = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), float)
    return seen[ROUND:-ROUND, ROUND:-ROUND]


def centre(weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the centre of mass, row and column in pixels of the screen."""
    places = np.indices(weight.shape).reshape(2, -1)
    return places @ weight.ravel() / weight.sum()


def looked(frame: Locator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return where the spot is seen, and where the heat map lies."""
    bare, hot = shot(frame, 0), shot(frame, 100)
    spot = (bare.min(axis=2) > 200).astype(float)
    heat = np.abs(hot - bare).sum(axis=2) * (1 - spot)  # Over white the colours count otherwise.
    return centre(spot), centre(heat)


def test_the_heat_map_lies_on_the_spot_that_it_is_of(film: Locator) -> None:
    spot, heat = looked(film)
    assert np.abs(spot - heat).max() < 1
    for key in ("+", "+", "ArrowRight", "ArrowUp"):
        film.press(key)
    moved, heat = looked(film)
    assert np.abs(moved - spot).max() > 10  # It did zoom and move.
    assert np.abs(moved - heat).max() < 1


def test_window_and_inversion_change_the_greys_and_nothing_else(film: Locator) -> None:
    def grey() -> float:
        return float(np.median(shot(film, 0)))

    assert grey() == GREY
    film.press("i")
    assert grey() == 255 - GREY
    film.press("i")
    film.page.get_by_label("Width of the window of greys").fill("50")  # From 25 % to 75 %.
    assert grey() == pytest.approx((GREY / 255 - 0.25) / 0.5 * 255, abs=2)


def test_a_heat_map_can_be_grey_and_be_put_out_by_a_key(film: Locator) -> None:
    film.page.get_by_label("Colours of the heat map").select_option("Grey")
    shown = shot(film, 100)
    assert np.ptp(shown, axis=2).max() == 0
    film.press("h")
    expect(film.page.get_by_label("Opacity of the heat map")).to_have_value("0")


def test_the_earlier_image_of_the_patient_opens_beside_it_in_the_same_place(
    films: WorkspacePage,
) -> None:
    page = films.page
    for name, changed in (("before.dcm", 0), ("after.dcm", 1)):
        data = dicom(
            lambda d, value=changed: setattr(d, "PixelData", bytes([value]) + d.PixelData[1:])
        )
        films.choose([{"name": name, "mimeType": "application/dicom", "buffer": data}])
        films.wait(name, "Ready to read")
    films.row("after.dcm").click()
    compare = page.get_by_role("button", name="The same patient's earlier image")
    compare.click()
    beside = page.get_by_role("img", name="The same patient's image of")
    expect(beside).to_be_visible()
    page.locator(".cx-frame").first.focus()
    page.keyboard.press("+")
    stages = [box.bounding_box() for box in page.locator(".cx-stage").all()]
    assert stages[0]["width"] == pytest.approx(stages[1]["width"])  # One look for both.
    films.row("before.dcm").click()
    expect(compare).to_be_hidden()  # It has none before it.


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_it_is_readable_in_light_and_dark(films: WorkspacePage, theme: str) -> None:
    page = films.page
    page.set_viewport_size({"width": 1280, "height": 1600})  # All of it in sight.
    page.emulate_media(color_scheme="light" if theme == "Dark" else "dark")  # JupyterLab's decides.
    page.evaluate(
        "name => window.jupyterapp.commands.execute('apputils:change-theme', {theme: name})",
        f"JupyterLab {theme}",
    )
    expect(page.locator("body")).to_have_attribute(
        "data-jp-theme-light", str(theme == "Light").lower()
    )
    films.choose([planted()])
    films.wait("planted.png", "Ready to read")
    for choice, finding in (("Present", "Mass"), ("Absent", "Nodule"), ("Unsure", "Edema")):
        films.say(finding, choice)
    page.get_by_role("button", name="Record and reveal").click()
    expect(page.get_by_text("Only 3 of 14 findings")).to_be_visible()
    lacking, having = serious(page, ".cx-workspace")
    assert lacking == []
    assert having > 100  # The form's words, at least: the rules did look.
    page.get_by_role("button", name="Record 3 of 14").click()
    expect(films.outputs).to_have_count(14)
    lacking, having = serious(page, ".cx-workspace")
    assert lacking == []
    assert having > 100
    for width, height in ((1280, 800), (3840, 2160)):
        page.set_viewport_size({"width": width, "height": height})
        assert cut_off(page, ".cx-workspace") == []
        if SHOTS:
            page.screenshot(path=Path(SHOTS) / f"viewer-{theme.lower()}-{width}.png")
    if SHOTS:
        path = Path(SHOTS) / f"viewer-{theme.lower()}.png"
        page.locator(".cx-workspace").screenshot(path=path, animations="disabled")
