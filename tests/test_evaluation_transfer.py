"""The protocol of blur transfer: every pair of images, each kernel a group."""

import numpy as np
import pytest

from kernel_space_jax import UserError
from kernel_space_jax.datasets import Record
from kernel_space_jax.evaluation.methods import named
from kernel_space_jax.evaluation.protocols.half_transfer import HALF_TRANSFER
from kernel_space_jax.evaluation.protocols.levin_transfer import (
    LEVIN_TRANSFER,
    TransferProblems,
    score,
)
from kernel_space_jax.evaluation.protocols.reconstruction import RECONSTRUCTION


class Levin:
    """Two images under two kernels, as the reader of Levin's set names them."""

    names = ["im1_ker1", "im2_ker1", "im1_ker2", "im2_ker2"]

    def __getitem__(self, index: int) -> Record:
        random = np.random.default_rng(index % 2).random((96, 80, 1), np.float32)
        sharp = np.repeat(random, 3, -1)
        return Record(self.names[index], sharp, sharp, self.extras(index))

    def extras(self, index: int) -> dict:
        h = np.random.default_rng(10 + index // 2).random((15, 15), np.float32) ** 8
        return {"kernel": h / h.sum(), "grey": True}


class Pairs:
    """One pair: noise, and the mean of every three of its pixels."""

    names = ["one"]

    def __getitem__(self, index: int) -> Record:
        x = np.random.default_rng(0).random((64, 128, 3), np.float32)
        y = (np.roll(x, -1, 1) + x + np.roll(x, 1, 1)) / 3
        return Record("one", y, x, {})


@pytest.fixture(scope="module")
def problems():
    return TransferProblems(Levin())  # type: ignore[arg-type]


def test_each_ordered_pair_under_each_kernel(problems):
    assert problems.names == [
        "kernel 1/im1-to-im2",
        "kernel 1/im2-to-im1",
        "kernel 2/im1-to-im2",
        "kernel 2/im2-to-im1",
    ]
    assert [problems[i].group for i in (0, 2)] == ["kernel 1", "kernel 2"]


def test_least_squares_is_nearly_perfect_and_no_blur_is_not(problems):
    record = problems[1].record
    none, uniform = (
        score(record, named(name).restore(record))["PSNR"]
        for name in ("blurry", "uniform-transfer")
    )
    assert uniform > none + 8
    with pytest.raises(UserError, match="no pair to take blur from"):
        named("uniform-transfer").restore(record._replace(extras={}))


def test_the_talks_eight_figures():
    assert len(LEVIN_TRANSFER.published) == 8
    assert LEVIN_TRANSFER.published[3].values == {"PSNR": 53.74}


def test_reconstruction_turns_a_pair_round():
    pairs = Pairs()
    record = RECONSTRUCTION.problems(pairs)[0].record  # type: ignore[arg-type]
    np.testing.assert_array_equal(record.sharp, pairs[0].blurry)
    none, uniform = (
        RECONSTRUCTION.score(record, named(name).restore(record))["PSNR"]
        for name in ("blurry", "uniform-transfer")
    )
    assert uniform > none + 8


def test_each_half_is_given_the_blur_of_the_other():
    pairs = Pairs()
    problems = HALF_TRANSFER.problems(pairs)  # type: ignore[arg-type]
    assert problems.names == ["one/left-to-right", "one/right-to-left"]
    x, y = pairs[0].sharp, pairs[0].blurry
    halves = [(x[:, :64], y[:, :64]), (x[:, 64:], y[:, 64:])]
    for index, (source, target) in enumerate([(0, 1), (1, 0)]):
        record = problems[index].record
        np.testing.assert_array_equal(record.extras["pair"], halves[source])
        np.testing.assert_array_equal(record.blurry, halves[target][0])
        np.testing.assert_array_equal(record.sharp, halves[target][1])
        none, uniform = (
            HALF_TRANSFER.score(record, named(name).restore(record))["PSNR"]
            for name in ("blurry", "uniform-transfer")
        )
        # The blur of the whole picture is one, so the halves share it.
        assert uniform > none + 8


def test_a_half_of_a_few_pixels_is_refused():
    class Narrow(Pairs):
        def __getitem__(self, index: int) -> Record:
            x = np.zeros((64, 31, 3), np.float32)
            return Record("one", x, x, {})

    with pytest.raises(UserError, match="halves of 15 pixels"):
        HALF_TRANSFER.problems(Narrow())[0]  # type: ignore[arg-type]
