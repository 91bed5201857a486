"""Levin et al. 2009: uniform blur on grey images, scored at the best shift."""

import math
import re
from collections.abc import Mapping
from functools import partial

import jax
import jax.numpy as jnp

from kernel_space_jax import metrics
from kernel_space_jax.datasets import Record, Source
from kernel_space_jax.evaluation.protocol import (
    Problems,
    Protocol,
    Published,
    Relative,
    Restored,
    Score,
)
from kernel_space_jax.evaluation.protocols.common import (
    Scores,
    as_floats,
    batch_of_one,
)
from kernel_space_jax.evaluation.protocols.pairs import PSNR, SSIM

SSD = Score("SSD", lower_is_better=True)
SIMILARITY = Score("kernel similarity", digits=3)
REFERENCE = "known-kernel"

Row = Mapping[str, float]


@jax.jit
def _scores(x: jax.Array, z: jax.Array) -> dict[str, jax.Array]:
    shifted = metrics.best_shift(x, z)
    return {
        "PSNR": metrics.psnr(shifted.x, shifted.z),
        "SSIM": metrics.ssim(shifted.x, shifted.z),
        "SSD": shifted.ssd,
        "spectral error": metrics.spectral_error(x, z),
    }


def score(record: Record, restored: Restored) -> Scores:
    """All at the best of 41 x 41 shifts; kernels too where both are known."""
    x, z = (image.mean(-1, keepdims=True) for image in batch_of_one(record, restored))
    scores = as_floats(_scores(x, z))
    h, found = record.extras.get("kernel"), restored.kernels
    if h is not None and found is not None and found.ndim == 2:
        alike = metrics.kernel_similarity(
            jnp.asarray(h)[None], jnp.asarray(found)[None]
        )
        scores |= as_floats({"kernel similarity": alike})
    return scores


def group(name: str) -> str:
    """im05_ker03 belongs to kernel 3."""
    number = re.search(r"ker\D*(\d+)", name)
    return f"kernel {int(number[1])}" if number else ""


def problems(source: Source) -> Problems:
    return Problems(source, group)


def _ratio(column: str, row: Row, reference: Row) -> float:
    if reference[column] == 0:
        return 1.0 if row[column] == 0 else math.inf
    return row[column] / reference[column]


def _success(limit: float, row: Row, reference: Row) -> float:
    return 100.0 * (_ratio("SSD", row, reference) <= limit)


def relative() -> tuple[Relative, ...]:
    """The error ratio in its two forms, and the shares that succeed."""
    lower = partial(Score, lower_is_better=True)
    columns = {
        lower("error ratio"): partial(_ratio, "SSD"),
        Score("ER <= 2", "%", 0): partial(_success, 2),
        Score("ER <= 3", "%", 0): partial(_success, 3),
        lower("spectral ratio"): partial(_ratio, "spectral error"),
    }
    return tuple(Relative(score, REFERENCE, how) for score, how in columns.items())


# Printed for other evaluation code and other non-blind solvers than ours.
SOURCE = "the papers of 2014 to 2024, with their own code and non-blind solvers"


def _published(label: str, psnr: float, ssim: float, ratio: float) -> Published:
    values = {"PSNR": psnr, "SSIM": ssim, "error ratio": ratio}
    return Published(label, values, "32 images", SOURCE)


LEVIN = Protocol(
    "levin",
    "truth cropped by 15 pixels a side, the best of 41 x 41 shifts by quarters of a "
    "pixel; error ratio: SSD over that with the known kernel and the same solver",
    (PSNR, SSIM, SSD, SIMILARITY),
    score,
    data=("levin",),
    problems=problems,
    relative=relative(),
    published=(
        _published("known kernel", 34.53, 0.949, 1.0),
        _published("Deblur-INR", 33.74, 0.938, 1.185),
        _published("VDIP", 33.12, 0.929, 1.188),
        _published("SelfDeblur", 33.07, 0.931, 1.196),
        _published("MCEM", 32.81, 0.927, 1.273),
        _published("Pan, dark channel", 32.69, 0.928, 1.255),
        _published("Krishnan", 29.88, 0.866, 2.452),
    ),
)
