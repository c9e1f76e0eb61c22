"""From archives and lists to a folder that an import takes."""

from __future__ import annotations

import errno
import gzip
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from chexnet.data.labels import LABELS_FILE, read_labels
from chexnet.data.nih import splits
from chexnet.data.nih.png import damage
from chexnet.data.nih.prepare import Prepared, entries, prepare, unpack
from chexnet.errors import ConfigError, Unavailable
from chexnet.evaluation.tables import names, reference
from chexnet.inputs.labels import FINDINGS
from chexnet.inputs.nih import Entry

HEAD = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]\n"
)
LINE = "{}_{:03d}.png,{},{},{},{},F,PA,2682,2749,0.143,0.143\n"


def table(folder: Path, patients: int = 4, films: int = 2) -> None:
    lines = [
        LINE.format(f"{p:08d}", n, "Mass|Hernia" if p % 2 else "No Finding", n, p, 30 + p)
        for p in range(1, patients + 1)
        for n in range(films)
    ]
    (folder / "Data_Entry_2017_v2020.csv").write_text(HEAD + "".join(lines))


def archive(folder: Path, number: int, members: dict[str, bytes]) -> Path:
    path = folder / f"images_{number:03d}.tar.gz"
    with tarfile.open(path, "w:gz") as out:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            out.addfile(info, io.BytesIO(data))
    return path


def png(value: int, side: int = 4) -> bytes:
    """Return a film of noise, so that it can't be packed any smaller."""
    noise = np.random.default_rng(value).integers(0, 255, (side, side), np.uint8)
    out = io.BytesIO()
    Image.fromarray(noise).save(out, "PNG")
    return out.getvalue()


ONE, TWO, THREE = (png(value) for value in (1, 2, 3))


def done(folder: Path) -> Prepared:
    failed = unpack(folder, lambda _: None)
    said = entries(folder)
    return prepare(folder, said, splits.paper(said, 0), FINDINGS, failed)


def test_films_come_out_of_the_archives_with_what_the_table_says(tmp_path: Path) -> None:
    table(tmp_path)
    archive(tmp_path, 1, {"images/00000001_000.png": ONE, "images/00000001_001.png": TWO})
    archive(tmp_path, 12, {"images/00000002_000.png": THREE})
    made = done(tmp_path)
    assert (made.films, made.patients, made.absent, made.failed) == (3, 2, 5, ())
    rows = read_labels(tmp_path / LABELS_FILE, FINDINGS)
    assert [row.path.read_bytes() for row in rows] == [ONE, TWO, THREE]
    assert [row.patient for row in rows] == ["nih-1", "nih-1", "nih-2"]
    assert [FINDINGS[i] for i, code in enumerate(rows[0].findings) if code] == ["Mass", "Hernia"]
    assert rows[0].details == {"sex": "F", "age": "31", "view": "PA"}
    assert all(row.split for row in rows)


def test_an_evaluation_knows_the_patients_of_an_import(tmp_path: Path) -> None:
    # By another name, patients that a model learnt from would not be left out.
    table(tmp_path)
    archive(tmp_path, 1, {"images/00000001_000.png": ONE, "images/00000002_001.png": TWO})
    done(tmp_path)
    known = reference(tmp_path / "Data_Entry_2017_v2020.csv", FINDINGS)
    for row in read_labels(tmp_path / LABELS_FILE, FINDINGS):
        assert known[row.path.name].patient == row.patient
        assert known[row.path.name].findings == row.findings


def test_what_is_no_film_is_named_and_written_nowhere(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    table(folder)
    out = {"../../evil.png": ONE, "images/../../00000001_000.png": ONE, "/00000001_000.png": ONE}
    bad = {**out, "images/readme.txt": b"x", "images/00000001_001.png": b"x"}
    archive(folder, 1, {**bad, "images/00000001_000.png": ONE, "images/00000077_000.png": TWO})
    made = done(folder)
    assert made.films == 1
    assert {f.file for f in made.failed} == {
        *(f"images_001.tar.gz: {name}" for name in bad),
        "00000077_000.png",
    }
    inside = {file.name for file in folder.rglob("*") if file.is_file()}
    assert {file.name for file in tmp_path.rglob("*") if file.is_file()} == inside
    assert not (tmp_path / "evil.png").exists()


def test_a_link_in_an_archive_is_no_film(tmp_path: Path) -> None:
    table(tmp_path)
    with tarfile.open(tmp_path / "images_001.tar.gz", "w:gz") as out:
        link = tarfile.TarInfo("images/00000001_000.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        out.addfile(link)
    (failed,) = unpack(tmp_path, lambda _: None)
    assert failed.reason == "It is a link or a device, and not a file."


@pytest.mark.parametrize(
    ("place", "said"),
    [(-20, "the checksum of its part 'IDAT' is wrong"), (0, "not a PNG"), (11, "ends early")],
)
def test_a_damaged_film_is_named_and_comes_when_its_archive_is_well(
    tmp_path: Path, place: int, said: str
) -> None:
    table(tmp_path)
    damaged = bytearray(TWO)
    damaged[place] ^= 255
    archive(tmp_path, 1, {"a/00000001_000.png": bytes(damaged), "a/00000002_000.png": ONE})
    (failed,) = done(tmp_path).failed
    assert failed.file == "images_001.tar.gz: a/00000001_000.png"
    assert said in failed.reason
    archive(tmp_path, 1, {"a/00000001_000.png": TWO, "a/00000002_000.png": ONE})
    assert (done(tmp_path).films, done(tmp_path).failed) == (2, ())
    assert (tmp_path / "images/00000001_000.png").read_bytes() == TWO


def test_a_full_disk_is_no_fault_of_the_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table(tmp_path)
    archive(tmp_path, 1, {"images/00000001_000.png": ONE})

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(Unavailable, match=r"No space left on device.*Make room"):
        unpack(tmp_path, lambda _: None)


def test_real_films_are_whole(shared: Path) -> None:
    films = [*(shared / "nih-sample").glob("*/*.png")]
    assert len(films) == 460
    assert {damage(film.read_bytes()) for film in films} == {""}


@pytest.mark.parametrize("keep", [0.5, 0.9])
def test_an_archive_that_ends_early_gives_what_it_has(tmp_path: Path, keep: float) -> None:
    table(tmp_path)
    films = {f"images/{p:08d}_000.png": png(p, 200) for p in range(1, 5)}
    path = archive(tmp_path, 1, films)
    whole = gzip.compress(gzip.decompress(path.read_bytes()), compresslevel=0)
    path.write_bytes(whole[: int(len(whole) * keep)])
    made = done(tmp_path)
    assert 1 <= made.films < 4
    assert "Download it again" in made.failed[0].reason


def test_what_is_unpacked_is_not_unpacked_again(tmp_path: Path) -> None:
    table(tmp_path)
    archive(tmp_path, 1, {"images/00000001_000.png": ONE})
    done(tmp_path)
    film = tmp_path / "images/00000001_000.png"
    stamp = film.stat().st_mtime_ns
    done(tmp_path)
    assert film.stat().st_mtime_ns == stamp


def test_a_folder_without_table_or_films_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="NIH's table"):
        entries(tmp_path)
    table(tmp_path)
    with pytest.raises(ConfigError, match="none in"):
        done(tmp_path)


def film(patient: int, number: int = 0) -> Entry:
    return Entry(
        image=f"{patient:08d}_{number:03d}.png",
        patient=str(patient),
        findings=frozenset(),
        sex="",
        age=None,
        view="",
    )


@given(st.integers(1, 400), st.integers(0, 2**32 - 1))
def test_the_papers_split_has_its_shares_of_patients(patients: int, seed: int) -> None:
    films = [film(p, n) for p in range(patients) for n in range(p % 3 + 1)]
    found = splits.paper(films, seed)
    counts = [list(found.values()).count(s) for s in ("train", "validation", "test")]
    assert counts == pytest.approx([0.7 * patients, 0.1 * patients, 0.2 * patients], abs=1)
    assert found == splits.paper(reversed(films), seed)


def test_another_seed_is_another_split() -> None:
    films = [film(p) for p in range(100)]
    assert splits.paper(films, 0) != splits.paper(films, 1)


def test_a_film_in_no_list_or_both_and_a_patient_in_two_are_refused() -> None:
    films = [film(1, 0), film(1, 1)]
    first, second = (one.image for one in films)
    with pytest.raises(ConfigError, match="in none"):
        splits.official(films, {first}, set(), 0)
    with pytest.raises(ConfigError, match="in both"):
        splits.official(films, {first, second}, {second}, 0)
    with pytest.raises(ConfigError, match="one split"):
        splits.official(films, {first}, {second}, 0)


def test_nihs_own_lists_are_a_split_by_patient(shared: Path, tmp_path: Path) -> None:
    reference = shared / "reference"
    data = gzip.decompress((reference / "Data_Entry_2017_v2020.csv.gz").read_bytes())
    (tmp_path / "Data_Entry_2017_v2020.csv").write_bytes(data)
    said = entries(tmp_path)
    test = names(reference / "test_list.txt.gz")
    found = splits.official(said, names(reference / "train_val_list.txt.gz"), test, 0)
    films = [found[one.patient] for one in said]
    assert (len(said), len(found), films.count("test")) == (112_120, 30_805, 25_596)
    patients = list(found.values())
    assert patients.count("test") == 2_797  # As Wang et al. and the lists have it.
    assert patients.count("validation") == round((30_805 - 2_797) / 8)
