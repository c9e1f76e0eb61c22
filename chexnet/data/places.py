"""Where an image lies in its repo: `/data/<group>/<unit>/[<upload id>.]<image id>.<suffix>`.

The unit is a folder, so that one glob finds all of a patient; see chexnet/steps/archive.py for
uploads. Repo `nih` is for bulk imports, whose group is the import's name.
"""

from __future__ import annotations

from pathlib import PurePath, PurePosixPath

from msgspec import Struct

DATA = "/data"
RAW, BULK, IMAGES, LABELS = "raw", "nih", "images", "labels"


class Place(Struct, frozen=True):
    """One image's place."""

    group: str  # A day, or an import's name.
    unit: str
    stem: str  # The file's name without its suffix.

    @property
    def image_id(self) -> str:
        """The image's id: the last part of the stem."""
        return self.stem.rpartition(".")[2]

    @property
    def upload_id(self) -> str:
        """The upload's id; empty for a bulk import."""
        return self.stem.rpartition(".")[0]

    def path(self, suffix: str) -> str:
        """Return the path of a file of this image."""
        return f"{DATA}/{self.group}/{self.unit}/{self.stem}{suffix}"


def parse(path: str | PurePath) -> Place:
    """Return the place that a path means; raise ValueError if it is none."""
    parts = PurePosixPath(path).parts[-4:]
    if len(parts) != 4 or parts[0] != DATA[1:]:
        raise ValueError(f"an image lies at {DATA}/<group>/<unit>/<name>, and not at {path}")
    return Place(parts[1], parts[2], PurePosixPath(parts[3]).stem)
