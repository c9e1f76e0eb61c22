"""Films: what the archive holds of an image and of a patient, for people to look at."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from chexnet.data.places import DATA, RAW, parse
from chexnet.errors import BadInput, NotFound
from chexnet.inputs.base import Limits
from chexnet.runtime import archived
from chexnet.steps.archive import NAME
from chexnet.steps.ports import Store


class Film(Struct, frozen=True, kw_only=True):
    """One upload of a patient; its id says when (UUIDv7)."""

    upload_id: str
    image_id: str


class Films:
    """Reads the archive; nothing of it is kept.

    Args:
        store: of the pipeline.
        view: draws a cleaned file as PNG at its own resolution, or raises BadInput.
        limits: of a file.
    """

    def __init__(
        self, store: Store, view: Callable[[bytes, Limits], bytes], limits: Limits
    ) -> None:
        self._store, self._view, self._limits = store, view, limits

    def picture(self, image_id: str) -> bytes:
        """Return an image as PNG.

        Raises:
            NotFound: the archive has no such image.
            BadInput: the id can't be one, or its file can't be drawn.
        """
        for place in archived.files(self._store, _checked(image_id)):
            version, _, path = place.partition(":")
            repo, _, commit = version.partition("@")
            return self._view(self._store.read(repo, path, commit), self._limits)
        rule = "An image is shown from the archive, which has it seconds after its upload."
        raise NotFound(f"{rule} Received: one that is not there. Try again, or upload it.")

    def of(self, unit: str) -> list[Film]:
        """Return the uploads of a patient, the newest first."""
        pattern = f"{DATA}/*/{_checked(unit)}/*"
        commit = self._store.head(RAW)
        paths = self._store.glob(RAW, pattern, commit) if commit else []
        films = [Film(upload_id=p.upload_id, image_id=p.image_id) for p in map(parse, paths)]
        return sorted(films, key=lambda film: film.upload_id, reverse=True)


def _checked(name: str) -> str:
    """Return a name that can be part of a glob."""
    if not NAME.fullmatch(name):
        rule = "An id must be 1 to 200 letters, digits, - _ = and points."
        raise BadInput("id", f"{rule} Received: another. Take it from the upload's answer.")
    return name
