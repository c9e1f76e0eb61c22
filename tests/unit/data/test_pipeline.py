"""Batches: each image once an epoch, the same for a seed, mirrored only where asked for."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from chexnet.data.checkout import Dataset
from chexnet.data.dataset import Index
from chexnet.data.pipeline import Share, in_order, shuffled


@pytest.fixture
def data() -> Dataset:
    x = np.zeros((10, 2, 2, 1), np.uint8)
    x[:, :, 0, 0] = np.arange(10)[:, None]  # The left column says which; the right is 100 more.
    x[:, :, 1, 0] = np.arange(10)[:, None] + 100
    index = Index(
        input="t", labels=("Mass",), shape=(2, 2, 1), images={"train": 10}, units={}, shards=()
    )
    names = np.array([str(i) for i in range(10)])
    return Dataset(
        name="dataset@1",
        index=index,
        x=x,
        y=np.arange(10, dtype=np.uint8)[:, None],
        unit=names,
        image_id=names,
        split=np.array(["train"] * 10),
        details=np.full((10, 3), ""),
    )


def seen(data: Dataset, batches: int, **options: int) -> list[list[int]]:
    rows = np.arange(10)
    taken = islice(shuffled(data, rows, 3, flip=False, **options), batches)
    return [y.numpy().ravel().tolist() for _, y in taken]


def test_an_epoch_has_each_image_at_most_once_and_the_next_another_order(data: Dataset) -> None:
    batches = seen(data, 6, seed=1)
    first, second = np.concatenate(batches[:3]).tolist(), np.concatenate(batches[3:]).tolist()
    assert len(set(first)) == len(set(second)) == 9  # Of ten: a smaller batch is left out.
    assert first != second


def test_the_order_is_a_function_of_the_seed(data: Dataset) -> None:
    assert seen(data, 6, seed=1) == seen(data, 6, seed=1) != seen(data, 6, seed=2)


def test_a_mirrored_image_is_one_of_the_two_and_its_label_stays(data: Dataset) -> None:
    mirrored = 0
    for x, y in islice(shuffled(data, np.arange(10), 5, seed=3, flip=True), 20):
        for image, label in zip(x.numpy()[..., 0], y.numpy()[:, 0], strict=True):
            left, right = image[0]
            assert {int(left), int(right)} == {int(label), int(label) + 100}
            mirrored += left > right
    assert 30 < mirrored < 70  # Of 100, with a chance of one half each.


def test_fewer_images_than_a_batch_make_one_batch(data: Dataset) -> None:
    x, _ = next(iter(shuffled(data, np.arange(2), 32, seed=0, flip=False)))
    assert x.shape == (2, 2, 2, 1)


def test_in_order_gives_all_of_them_once(data: Dataset) -> None:
    batches = list(in_order(data, np.array([7, 1, 4]), 2))
    assert [y.numpy().ravel().tolist() for _, y in batches] == [[7, 1], [4]]


def test_it_goes_on_where_it_was(data: Dataset) -> None:
    whole = [
        (x.numpy().tolist(), y.numpy().tolist())
        for x, y in islice(shuffled(data, np.arange(10), 3, seed=1, flip=True), 8)
    ]
    rest = [
        (x.numpy().tolist(), y.numpy().tolist())
        for x, y in islice(shuffled(data, np.arange(10), 3, seed=1, flip=True, start=4), 4)
    ]
    assert rest == whole[4:]


def test_replicas_share_each_batch_without_an_image_twice(data: Dataset) -> None:
    def parts(share: Share) -> list[list[int]]:
        batches = shuffled(data, np.arange(10), 4, seed=1, flip=False, share=share)
        return [y.numpy().ravel().tolist() for _, y in islice(batches, 2 * share.own)]

    whole = parts(Share())
    assert parts(Share(2, 0, 1)) == [batch[:2] for batch in whole]
    assert parts(Share(2, 1, 1)) == [batch[2:] for batch in whole]
    assert np.ravel(parts(Share(2, 0, 2))).tolist() == np.ravel(whole).tolist()
