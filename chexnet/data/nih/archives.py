"""What NIH publishes: twelve archives with 112,120 films, and three lists.

Sizes are of the files; the MD5s are from the FAQ of nihcc.app.box.com/v/ChestXray-NIHCC, the links
from NIH's own batch download script there.
"""

from __future__ import annotations

import re

from msgspec import Struct

IMAGE = re.compile(r"\d{8}_\d{3}\.png")  # Of a film.
IMAGES = "images"  # The folder of films, in an archive and on disk.
ENTRIES = ("Data_Entry_2017_v2020.csv", "Data_Entry_2017.csv")  # The newer edition first.
TRAIN_VAL, TEST = "train_val_list.txt", "test_list.txt"
SITE = "https://nihcc.app.box.com/v/ChestXray-NIHCC"
_LINK = "https://nihcc.box.com/shared/static/{}.gz"


class Archive(Struct, frozen=True):
    """One file to download."""

    name: str
    bytes: int
    md5: str
    url: str


ARCHIVES = tuple(
    Archive(f"images_{number:03d}.tar.gz", size, md5, _LINK.format(place))
    for number, (size, md5, place) in enumerate(
        (
            (2008470987, "fe8ed0a6961412fddcbb3603c11b3698", "vfk49d74nhbxq3nqjg0900w5nvkorp5c"),
            (3952623504, "ab07a2d7cbe6f65ddd97b4ed7bde10bf", "i28rlmbvmfjbl8p2n3ril0pptcmcu9d1"),
            (3929234850, "2301d03bde4c246388bad3876965d574", "f1t00wrtdk94satdfb9olcolqx20z2jp"),
            (3838903983, "9f1b7f5aae01b13f4bc8e2c44a4b8ef6", "0aowwzs5lhjrceb3qp67ahp0rd1l1etg"),
            (3935496531, "1861f3cd0ef7734df8104f2b0309023b", "v5e3goj22zr6h8tzualxfsqlqaygfbsn"),
            (3986301172, "456b53a8b351afd92a35bc41444c58c8", "asi7ikud9jwnkrnkj99jnpfkjdes7l6l"),
            (4016328426, "1075121ea20a137b87f290d6a4a5965e", "jn1b4mw4n6lnh74ovmcjb8y48h8xj07n"),
            (4018347353, "b61f34cec3aa69f295fbb593cbd9d443", "tvpxmn7qyrgl0w8wfh9kqfjskv6nmm1j"),
            (4111327929, "442a3caa61ae9b64e61c561294d1e183", "upyy3ml7qdumlgk2rfcvlb9k6gvqq2pj"),
            (4181556296, "09ec81c4c31e32858ad8cf965c494b74", "l6nilvfa9cg3s28tqv1qc1olm3gnz54p"),
            (4187084020, "499aefc67207a5a97692424cf5dbeed5", "hhq8fkdgvcari67vfhs7ppg2w6ni4jze"),
            (2914187733, "dc9fda1757c2de0032b63347a7d2895c", "ioqwiy20ihqwyr8pf4c24eazhh281pbu"),
        ),
        start=1,
    )
)
# SHA-256 of the lists; they are in the same folder of the site and have no direct link.
LISTS = {
    TRAIN_VAL: "61fbe896321c1c1c8b75f3e4f3a08e4fef6486d95ef8a667c31d4d60dca6cb81",
    TEST: "38ca5ef7f756092946f57c1a59faca882ed589a1ab1f72590b45dc06c6d5e1cc",
    ENTRIES[0]: "dc1d2df67fdc1c5a7601d48699cda2b13dc2c4841488b4183dcf04884dbaca11",
}
# For localisation alone. Its digest is not published; what it holds is: boxes, and their images.
BOXES = "BBox_List_2017.csv"
BOXES_HELD = (984, 880)
BY_HAND = (*LISTS, BOXES)
