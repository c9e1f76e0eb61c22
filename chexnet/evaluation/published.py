"""AUROCs that papers on ChestX-ray14 published, to be read beside one's own.

None is of the same test images as another: Wang, Yao and CheXNet each drew their own, and the test
set that NIH published later is harder.
"""

from __future__ import annotations

from msgspec import Struct

from chexnet.inputs.labels import FINDINGS


class Published(Struct, frozen=True, kw_only=True):
    """A published table. The mean is as published."""

    name: str
    source: str
    auroc: dict[str, float]
    mean: float


def _table(name: str, source: str, mean: float, *areas: float) -> Published:
    return Published(
        name=name, source=source, auroc=dict(zip(FINDINGS, areas, strict=True)), mean=mean
    )


WANG = _table(
    "Wang 2017",
    "Wang et al. 2017, ChestX-ray8, arXiv:1705.02315",
    0.7381,
    *(0.716, 0.807, 0.784, 0.609, 0.706, 0.671, 0.633),
    *(0.806, 0.708, 0.835, 0.815, 0.769, 0.708, 0.767),
)
YAO = _table(
    "Yao 2017",
    "Yao et al. 2017, arXiv:1710.10501",
    0.8027,
    *(0.772, 0.904, 0.859, 0.695, 0.792, 0.717, 0.713),
    *(0.841, 0.788, 0.882, 0.829, 0.767, 0.765, 0.914),
)
CHEXNET = _table(
    "CheXNet",
    "Rajpurkar et al. 2017, CheXNet, arXiv:1711.05225, table 2",
    0.8414,
    *(0.8094, 0.9248, 0.8638, 0.7345, 0.8676, 0.7802, 0.7680),
    *(0.8887, 0.7901, 0.8878, 0.9371, 0.8047, 0.8062, 0.9164),
)
REPRODUCTION = _table(
    "reproduction",
    "github.com/jrzech/reproduce-chexnet, 2022, a random split of its own",
    0.8383,
    *(0.8180, 0.9090, 0.8827, 0.7156, 0.8377, 0.7756, 0.7617),
    *(0.8776, 0.8002, 0.8945, 0.9316, 0.8251, 0.7889, 0.9175),
)
TABLES = (WANG, YAO, CHEXNET, REPRODUCTION)

PNEUMONIA_F1 = (
    "CheXNet's own F1 for pneumonia is 0.435 (0.387 to 0.481), that of its radiologists 0.387 "
    "(0.330 to 0.442): by 10,000 bootstraps on 420 images that four radiologists labelled "
    "(arXiv:1711.05225). Against labels mined from reports an F1 is another quantity."
)
