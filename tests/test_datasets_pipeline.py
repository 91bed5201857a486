"""Batches: what they hold, and that nothing but the seed and the number decides it."""

import json
from collections import Counter
from itertools import islice

import jax
import numpy as np
import pytest
import tiny_data
from tiny_data import picture, write

from kernel_space_jax.datasets import open_source
from kernel_space_jax.datasets.pipeline import Batches, batches
from kernel_space_jax.errors import UserError

CROP = 16


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> list[str]:
    return tiny_data.two_sets(tmp_path_factory.mktemp("two"))


def take(count: int, *args, **options) -> list[dict[str, np.ndarray]]:
    with batches(*args, **{"batch_size": 4, "crop": CROP, **options}) as feed:
        return list(islice(feed, count))


def numbers(taken: list[dict[str, np.ndarray]], key: str = "sharp") -> list[int]:
    """Which pictures the examples are cut from."""
    images = np.concatenate([batch[key] for batch in taken])
    return np.rint(255 * images[:, 0, 0, 0]).astype(int).tolist()


def assert_same(ours, theirs):
    assert len(ours) == len(theirs) > 0
    for a, b in zip(ours, theirs, strict=True):
        assert a.keys() == b.keys()
        for key in a:
            np.testing.assert_array_equal(a[key], b[key])


def test_crops_are_aligned_and_lie_in_all_eight_ways(two):
    taken = take(40, two[0])
    orientations, corners = Counter(), set()
    for batch in taken:
        assert {*batch} == {"blurry", "sharp"}
        for blurry, sharp in zip(batch["blurry"], batch["sharp"], strict=True):
            assert sharp.shape == (CROP, CROP, 3) and sharp.dtype == np.float32
            np.testing.assert_allclose(blurry, 1 - sharp, atol=1e-6)
            row, column = np.rint(255 * sharp[..., 1]), np.rint(255 * sharp[..., 2])
            steps = [np.diff(x, axis=a) for x in (row, column) for a in (0, 1)]
            # Rows and columns of the picture run evenly along the crop's own.
            assert all(len(np.unique(step)) == 1 for step in steps)
            orientations[tuple(int(step.flat[0]) for step in steps)] += 1
            corners.add((row.min(), column.min()))
    assert len(orientations) == 8 and min(orientations.values()) >= 5
    rows, columns = ({corner[i] for corner in corners} for i in (0, 1))
    assert rows == {*range(24 - CROP + 1)} and columns == {*range(30 - CROP + 1)}


def test_without_augmentation_pictures_stay_upright(two):
    for batch in take(3, two[0], augment="none"):
        row, column = (255 * batch["sharp"][..., i] for i in (1, 2))
        np.testing.assert_allclose(np.diff(row, axis=1), 1, atol=1e-4)
        np.testing.assert_allclose(np.diff(column, axis=2), 1, atol=1e-4)


def test_what_has_an_up_is_mirrored_and_never_turned(two):
    flips = set()
    for batch in take(6, two[0], augment="mirror"):
        row, column = (255 * batch["sharp"][..., i] for i in (1, 2))
        np.testing.assert_allclose(np.diff(row, axis=1), 1, atol=1e-4)
        flips |= set(np.rint(np.diff(column, axis=2)).ravel().astype(int))
    assert flips == {-1, 1}


def test_every_epoch_sees_every_record_once_in_another_order_and_crop(two):
    taken = take(15, two[0], batch_size=1)
    seen = numbers(taken)
    epochs = [seen[i : i + 5] for i in (0, 5, 10)]
    assert all(sorted(epoch) == [0, 1, 2, 3, 4] for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 1
    first = {n: taken[i]["sharp"] for i, n in enumerate(epochs[0])}
    again = {n: taken[5 + i]["sharp"] for i, n in enumerate(epochs[1])}
    assert any(not np.array_equal(first[n], again[n]) for n in first)


def test_the_seed_decides(two):
    assert_same(take(2, two[0], seed=3), take(2, two[0], seed=3))
    ours, theirs = take(2, two[0], seed=3), take(2, two[0], seed=4)
    assert not np.array_equal(ours[0]["sharp"], theirs[0]["sharp"])


def test_mixing_by_weight(two):
    seen = numbers(take(55, [(two[0], 1), (two[1], 10)]))
    assert sum(n < 100 for n in seen) == 20 and sum(n >= 100 for n in seen) == 200
    # Without weights every record is as likely: five of the one set to three.
    seen = numbers(take(20, two))
    assert sum(n < 100 for n in seen) == 50 and sum(n >= 100 for n in seen) == 30


def test_resume_at_the_exact_batch(two):
    whole = take(6, two, seed=1)
    with batches(two, batch_size=4, crop=CROP, seed=1) as feed:
        assert_same(whole[:2], list(islice(feed, 2)))
        state = json.loads(json.dumps(feed.get_state()))
    with batches(two, batch_size=4, crop=CROP, seed=1) as feed:
        feed.set_state(state)
        assert_same(whole[2:], list(islice(feed, 4)))
        feed.set_state({"batches": 1})  # and back
        assert_same(whole[1:3], list(islice(feed, 2)))


def test_threads_change_nothing(two):
    assert_same(take(5, two, threads=1), take(5, two, threads=7))


@pytest.mark.slow
def test_worker_processes_change_nothing(two):
    alone = take(7, two, seed=2)
    with batches(two, batch_size=4, crop=CROP, seed=2, workers=2) as feed:
        assert_same(alone[:3], list(islice(feed, 3)))
        state = feed.get_state()
        feed.set_state({"batches": 0})
        # A state of two workers is good for none.
    with batches(two, batch_size=4, crop=CROP, seed=2) as feed:
        feed.set_state(state)
        assert_same(alone[3:], list(islice(feed, 4)))


def test_hosts_share_one_stream(two):
    """Host h of n sees examples h, h + n, ... of what one host alone would see."""
    alone = np.concatenate([batch["sharp"] for batch in take(6, two)])
    for host in range(3):
        own = take(3, two, batch_size=2, process=(host, 3))
        shard = np.concatenate([batch["sharp"] for batch in own])
        np.testing.assert_array_equal(shard, alone[host : 3 * len(shard) : 3])


def test_unpaired_sets_are_drawn_apart(tmp_path, two):
    for letter, base in (("A", 200), ("B", 220)):
        for n in range(4):
            write(tmp_path / f"train{letter}/{n}.png", picture(base + n))
    taken = take(
        8,
        two[0],
        unpaired={
            "unknown_blurry": f"blur2blur:{tmp_path}?part=A",
            "unknown_sharp": f"blur2blur:{tmp_path}?part=B",
        },
    )
    assert {*taken[0]} == {"blurry", "sharp", "unknown_blurry", "unknown_sharp"}
    unknown, camera = (
        numbers(taken, f"unknown_{part}") for part in ("blurry", "sharp")
    )
    assert {*unknown} == {200, 201, 202, 203} and {*camera} == {220, 221, 222, 223}
    assert len({*zip(unknown, camera, strict=True)}) > 8  # of 16; 4 if drawn together
    # The pairs are those of a run without the others.
    paired = take(8, two[0])
    assert_same(paired, [{k: batch[k] for k in ("blurry", "sharp")} for batch in taken])


def test_single_pictures_make_batches_of_one_part(tmp_path):
    for n in range(3):
        write(tmp_path / f"{n}.png", picture(n)[..., 1])
    (batch,) = take(1, f"images:{tmp_path}")
    assert {*batch} == {"sharp"} and batch["sharp"].shape == (4, CROP, CROP, 3)
    np.testing.assert_array_equal(batch["sharp"][..., 0], batch["sharp"][..., 2])


def test_small_pictures_are_mirrored_out(tmp_path):
    write(tmp_path / "a.png", picture(0))
    (batch,) = take(1, f"images:{tmp_path}", crop=40, augment="none")
    top, left = (40 - 24) // 2, (40 - 30) // 2
    middle = batch["sharp"][0, top : top + 24, left : left + 30]
    np.testing.assert_array_equal(middle, open_source(f"images:{tmp_path}")[0].sharp)
    assert batch["sharp"][0, top - 1, left, 1] == np.float32(1 / 255)


def test_sixteen_bits(tmp_path):
    deep = np.random.default_rng(0).integers(0, 65536, (CROP, CROP, 3), np.uint16)
    write(tmp_path / "a.png", deep)
    (sixteen,) = take(1, f"images:{tmp_path}", bits=16, augment="none")
    np.testing.assert_array_equal(sixteen["sharp"][0], deep / np.float32(65535))
    (eight,) = take(1, f"images:{tmp_path}", augment="none")
    error = np.abs(eight["sharp"] - sixteen["sharp"]).max()
    assert 0 < error <= 0.5001 / 255


def test_on_the_device(two):
    host = take(5, two)
    feed = batches(two, batch_size=4, crop=CROP).on_device(ahead=2)
    ours = list(islice(feed, 3))
    state = feed.get_state()
    assert state == {"batches": 3}  # not counting those on their way
    feed.set_state(state)
    ours += list(islice(feed, 2))
    feed.close()
    for a, b in zip(ours, host, strict=True):
        for key in b:
            assert isinstance(a[key], jax.Array) and a[key].dtype == np.float32
            np.testing.assert_allclose(a[key], b[key], atol=1e-7)


def test_a_damaged_picture_is_named(tmp_path):
    root = tiny_data.gopro(tmp_path, train=6)
    rng = np.random.default_rng(0)
    file = root / "train/GOPR00_11_00/blur/000004.png"
    write(file, rng.integers(0, 256, (24, 30, 3), np.uint8))
    tiny_data.damage(file)
    with pytest.raises(UserError, match="blur/000004.png is truncated or damaged"):
        take(6, f"gopro:{root}?split=train", batch_size=1)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"sources": None}, "there is nothing to read"),
        ({"sources": []}, "there is nothing to read"),
        ({"bits": 10}, "bits=10 is unknown"),
        ({"batch_size": 0}, "batch_size and crop must be at least 1"),
        ({"backend": "torch"}, "backend='torch' is unknown"),
        ({"sources": "both"}, "add keep=sharp or keep=blurry to mix them"),
        ({"sources": "one weight"}, "give every data set of a mixture a weight"),
        ({"unpaired": "pairs"}, "'other' takes single pictures"),
        ({"unpaired": "twice"}, "the batch would hold 'sharp' twice"),
    ],
)
def test_bad_requests(tmp_path, two, options, says):
    write(tmp_path / "a.png", picture(0))
    single = f"images:{tmp_path}"
    named = {
        "both": [two[0], single],
        "one weight": [(two[0], 1), two[1]],
        "pairs": {"other": two[0]},
        "twice": {"sharp": single},
    }
    request = {"sources": two[0], "batch_size": 2, "crop": CROP}
    request |= {
        k: named.get(v, v) if isinstance(v, str) else v for k, v in options.items()
    }
    with pytest.raises(UserError) as caught:
        batches(**request)
    assert says in str(caught.value)


def test_batches_close_and_go_on(two):
    feed = batches(two, batch_size=4, crop=CROP)
    assert isinstance(feed, Batches) and iter(feed) is feed
    first = next(feed)
    feed.close()
    second = next(feed)
    feed.close()
    assert_same(take(2, two), [first, second])
