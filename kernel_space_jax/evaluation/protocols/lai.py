"""Lai et al. 2016, the synthetic part: luma, scored at the best shift."""

import re

import jax

from kernel_space_jax import metrics
from kernel_space_jax.datasets import Record, Source
from kernel_space_jax.evaluation.protocol import Problems, Protocol, Restored
from kernel_space_jax.evaluation.protocols.common import Scores, as_floats, truth
from kernel_space_jax.evaluation.protocols.pairs import PSNR, SSIM
from kernel_space_jax.images import match_channels

_scores = jax.jit(metrics.lai_psnr_ssim)


def score(record: Record, restored: Restored) -> Scores:
    """PSNR and SSIM of Y at the best of 41 x 41 shifts, 15 pixels cropped."""
    z = match_channels(restored.image, 3)
    psnr, ssim = _scores(truth(record)[None], z[None])
    return as_floats({"PSNR": psnr, "SSIM": ssim})


def group(name: str) -> str:
    """manmade_01_kernel_02 belongs to manmade."""
    scene = re.match(r"[a-z]+", name)
    return scene[0] if scene else ""


def problems(source: Source) -> Problems:
    return Problems(source, group)


LAI = Protocol(
    "lai",
    "PSNR and SSIM of the Y of YCbCr, truth cropped by 15 pixels a side, the best of "
    "41 x 41 shifts by quarters of a pixel",
    (PSNR, SSIM),
    score,
    data=("lai",),
    problems=problems,
)
