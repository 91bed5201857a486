"""Restorers trained on original and on blur-swapped pairs, on held-out original ones.

The experiment of the CVPR 2021 talk of Tran et al.: a restorer that never saw the true
blurry photos should do nearly as well, if the blur moved by F and G is like real blur.
"""

from dataclasses import replace

from kernel_space_jax.evaluation.protocol import Published
from kernel_space_jax.evaluation.protocols.pairs import PAIRS, PSNR

# PSNR of SRN trained on original and on swapped pairs.
TALK = {"REDS": (30.70, 29.43), "GoPro": (30.20, 28.49)}

BLUR_SWAP = replace(
    PAIRS,
    name="blur-swap",
    summary="restorers trained on original pairs and on pairs whose blur was swapped, "
    "on held-out original pairs; PSNR and per-channel SSIM of RGB, nothing cropped",
    data=(),
    published=tuple(
        Published(
            f"SRN, {kind} {data}",
            {PSNR.name: value},
            f"{data}, the talk's test set",
            "the CVPR 2021 talk, with the authors' full-size model",
        )
        for data, values in TALK.items()
        for kind, value in zip(("original", "swapped"), values, strict=True)
    ),
)
