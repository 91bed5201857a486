"""Aligned pairs (GoPro, REDS, ...): PSNR and SSIM of RGB, nothing cropped."""

from functools import partial

import jax

from kernel_space_jax import metrics
from kernel_space_jax.datasets import Record
from kernel_space_jax.evaluation.protocol import Protocol, Published, Restored, Score
from kernel_space_jax.evaluation.protocols.common import (
    Scores,
    as_floats,
    batch_of_one,
)

PSNR, SSIM = Score("PSNR", "dB"), Score("SSIM", digits=4)


@jax.jit
def _scores(x: jax.Array, z: jax.Array) -> dict[str, jax.Array]:
    return {"PSNR": metrics.psnr(x, z), "SSIM": metrics.ssim(x, z)}


def score(record: Record, restored: Restored) -> Scores:
    """PSNR and per-channel SSIM (valid window) of a pair."""
    return as_floats(_scores(*batch_of_one(record, restored)))


RERUN = "a talk that reran both published models"
USER = (
    "a user with the authors' weights, issue 106 of their repository; the paper's own "
    "PSNR has a mistake, its README says"
)
QUOTED = "Kupyn et al. 2019, with Inception, as issue 102 of their repository quotes it"
_gopro = partial(Published, images="GoPro, 1111 test pairs", data="gopro")
PAIRS = Protocol(
    "pairs",
    "PSNR and per-channel SSIM of RGB in [0, 1], 8 bits, nothing cropped or aligned",
    (PSNR, SSIM),
    score,
    data=("gopro", "reds", "rb2v", "kernel_space", "pairs", "prepared"),
    published=(
        _gopro("SRN", {"PSNR": 30.26, "SSIM": 0.934}, source="Tao et al. 2018"),
        _gopro("MIMO-UNet+", {"PSNR": 32.45, "SSIM": 0.957}, source="Cho et al. 2021"),
        _gopro("Restormer", {"PSNR": 32.92, "SSIM": 0.961}, source="Zamir et al. 2022"),
        _gopro("NAFNet-64", {"PSNR": 33.69, "SSIM": 0.967}, source="Chen et al. 2022"),
        _gopro("DeblurGAN, wild", {"PSNR": 25.20}, source=USER),
        _gopro("DeblurGAN-v2", {"PSNR": 29.55, "SSIM": 0.934}, source=QUOTED),
        _gopro("DeblurGAN, rerun", {"PSNR": 32.12, "SSIM": 0.98}, source=RERUN),
        _gopro("adaptive basis, rerun", {"PSNR": 31.21, "SSIM": 0.91}, source=RERUN),
    ),
)
