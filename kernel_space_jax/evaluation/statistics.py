"""Means with confidence intervals, and differences between two methods."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

RESAMPLES = 10_000
SEED = 0
CHUNK = 2**22


class Interval(NamedTuple):
    """A mean over images and its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float
    count: int


class Difference(NamedTuple):
    """first - second over the images that both have: interval and count of wins."""

    first: str
    second: str
    column: str
    interval: Interval
    ahead: int


def interval(values: Sequence[float]) -> Interval:
    """The mean, and the 2.5 and 97.5 percentiles of it over resampled images.

    The draw is fixed, so that the same values in the same order give the same digits.
    """
    data = np.asarray(values, float)
    rng = np.random.default_rng(SEED)
    means = []
    for start in range(0, RESAMPLES, step := max(1, CHUNK // len(data))):
        count = min(step, RESAMPLES - start)
        means.append(data[rng.integers(len(data), size=(count, len(data)))].mean(1))
    # The nearest draw: between two of them infinity would have no value.
    low, high = np.quantile(np.concatenate(means), [0.025, 0.975], method="nearest")
    return Interval(float(data.mean()), float(low), float(high), len(data))


def difference(
    first: str, second: str, column: str, scores: Mapping[str, Mapping[str, float]]
) -> Difference | None:
    """The paired difference of two methods; `scores` is by method, then image.

    None if they have no image in common. Images on which both are infinite are equal.
    """
    common = [image for image in scores[first] if image in scores[second]]
    if not common:
        return None
    a, b = (np.array([scores[m][i] for i in common]) for m in (first, second))
    with np.errstate(invalid="ignore"):
        change = np.where(a == b, 0.0, a - b)
    ahead = int((change > 0).sum())
    return Difference(first, second, column, interval(change.tolist()), ahead)
