"""An image's place and its path are one another's."""

from __future__ import annotations

from pathlib import Path

import pytest

from chexnet.data.places import Place, parse


@pytest.mark.parametrize(
    ("path", "upload", "image"),
    [
        ("/data/20261123/p1/u1.i1.png", "u1", "i1"),
        ("/data/phantoms/p1/i1.dcm", "", "i1"),
        ("data/20261123/p1/u1.i1.npy", "u1", "i1"),
    ],
)
def test_a_path_names_upload_and_image(path: str, upload: str, image: str) -> None:
    place = parse(Path(path))
    assert (place.unit, place.upload_id, place.image_id) == ("p1", upload, image)
    assert place.path(Path(path).suffix) == "/" + path.lstrip("/")


def test_a_name_without_an_upload_is_its_image() -> None:
    assert Place("phantoms", "p1", "i1").path(".png") == "/data/phantoms/p1/i1.png"


@pytest.mark.parametrize("path", ["/data/p1/i1.png", "/_bus/uploads/0", "i1.png"])
def test_another_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match=path):
        parse(path)
