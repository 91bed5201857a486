"""RealBlur and RSBlur: PSNR and SSIM after alignment of brightness and view."""

from functools import partial

import jax

from kernel_space_jax import metrics
from kernel_space_jax.datasets import Record
from kernel_space_jax.evaluation.protocol import Protocol, Published, Restored
from kernel_space_jax.evaluation.protocols.common import (
    Scores,
    as_floats,
    batch_of_one,
)
from kernel_space_jax.evaluation.protocols.pairs import PSNR, SSIM

_scores = jax.jit(metrics.aligned_psnr_ssim)


def score(record: Record, restored: Restored) -> Scores:
    """PSNR and SSIM where the scaled and warped restoration covers the truth."""
    psnr, ssim = _scores(*batch_of_one(record, restored))
    return as_floats({"PSNR": psnr, "SSIM": ssim})


_realblur = partial(
    Published,
    images="RealBlur-J, 980 test pairs",
    source="Rim et al. 2020",
    data="realblur",
)
ALIGNED = Protocol(
    "aligned",
    "PSNR and SSIM after scaling to the truth's brightness and an ECC homography, over "
    "the pixels that both images have",
    (PSNR, SSIM),
    score,
    data=("realblur", "rsblur"),
    published=(
        _realblur("DeblurGAN-v2", {"PSNR": 29.69, "SSIM": 0.870}),
        _realblur("SRN", {"PSNR": 31.38, "SSIM": 0.909}),
    ),
)
