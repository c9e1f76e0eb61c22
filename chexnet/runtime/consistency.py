"""Whether predictions saw what the pipeline `images` made of the same upload."""

from __future__ import annotations

import io

import numpy as np
from msgspec import Struct

from chexnet.data import places
from chexnet.messages import Prediction, decode_json, sha256
from chexnet.steps.ports import Store

PREDICTIONS = "predictions"


class Consistency(Struct, frozen=True, kw_only=True):
    """What a comparison found."""

    equal: int
    waiting: int  # Predictions whose image the pipeline has not yet, or could not read.
    different: tuple[str, ...]  # Prediction ids.


def compare(store: Store) -> Consistency:
    """Compare the hash in each archived prediction with that of the canonical image in `images`."""
    hashes = {
        place.upload_id: sha256(np.load(io.BytesIO(data)).tobytes())
        for path, data in store.fetch(places.IMAGES, places.DATA)
        if (place := places.parse(path)).upload_id
    }
    equal, waiting, different = 0, 0, []
    for _, data in store.fetch(PREDICTIONS, places.DATA):
        made = decode_json(data, Prediction)
        if made.upload_id not in hashes:
            waiting += 1
        elif hashes[made.upload_id] == made.tensor_sha256:
            equal += 1
        else:
            different.append(made.prediction_id)
    return Consistency(equal=equal, waiting=waiting, different=tuple(different))
