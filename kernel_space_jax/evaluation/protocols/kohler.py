"""Köhler et al. 2012: the best match along the camera's recorded trajectory."""

import re
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from kernel_space_jax import metrics
from kernel_space_jax.datasets import Record, Source
from kernel_space_jax.errors import UserError
from kernel_space_jax.evaluation.protocol import (
    Problem,
    Problems,
    Protocol,
    Published,
    Restored,
    Score,
)
from kernel_space_jax.evaluation.protocols.common import Scores
from kernel_space_jax.evaluation.protocols.pairs import PSNR, RERUN
from kernel_space_jax.images import match_channels

MSSIM = Score("MSSIM", digits=4)
# Frames scored by one call: 8 of 800x800 are 61 MB.
CHUNK = 8

_frame_scores = jax.jit(metrics.kohler_frame_scores)


def score(record: Record, restored: Restored) -> Scores:
    """PSNR and multi-scale SSIM, each the maximum over the frames that count."""
    image, trajectory = _numbers(record.name)
    frames = record.extras.get("frames", ())
    by_number = _by_number(getattr(frames, "names", ()))
    wanted = metrics.kohler_frames(image, trajectory)
    missing = [number for number in wanted if number not in by_number]
    if missing:
        raise UserError(
            f"{record.name} lacks {len(missing)} of its {len(wanted)} true frames; "
            "copy the whole data set, or take --protocol kohler-proxy"
        )
    return _best([by_number[number] for number in wanted], frames, restored)


def proxy_score(record: Record, restored: Restored) -> Scores:
    """The same over whatever frames there are."""
    frames = record.extras["frames"]
    return _best(range(len(frames)), frames, restored)


def _best(indices: Sequence[int], frames: Sequence, restored: Restored) -> Scores:
    z = jnp.asarray(match_channels(restored.image, 3))
    best = {"PSNR": -np.inf, "MSSIM": -np.inf}
    for start in range(0, len(indices), CHUNK):
        chunk = [frames[index] for index in indices[start : start + CHUNK]]
        wrong = {frame.shape for frame in chunk} - {z.shape}
        if wrong:
            h, w, _ = wrong.pop()
            raise UserError(f"a true frame is {w}x{h}, the image {z.shape[1]}x{len(z)}")
        # A last chunk of another length would compile once more.
        padded = chunk + chunk[-1:] * (CHUNK - len(chunk))
        scores = jax.device_get(_frame_scores(np.stack(padded), z))
        best["PSNR"] = max(best["PSNR"], float(scores.psnr.max()))
        best["MSSIM"] = max(best["MSSIM"], float(scores.ms_ssim.max()))
    return best


def _numbers(name: str) -> tuple[int, int]:
    parts = re.search(r"(\d+)_(\d+)$", name)
    if parts is None:
        raise UserError(f"{name} is not named Blurry IMAGE_TRAJECTORY")
    return int(parts[1]), int(parts[2])


def _by_number(names: Sequence[str]) -> dict[int, int]:
    """Where each numbered frame is: GroundTruth1_2_30 is frame 30."""
    return {int(name.rpartition("_")[2]): index for index, name in enumerate(names)}


def group(name: str) -> str:
    """Blurry1_2 belongs to image 1."""
    return f"image {_numbers(name)[0]}"


def problems(source: Source) -> Problems:
    return Problems(source, group)


class ProxyProblems(Problems):
    """Images without frames of their own take those of the same scene's others."""

    def __init__(self, source: Source):
        super().__init__(source, group)
        self.lenders: dict[int, int] = {}
        for index, name in enumerate(source.names):
            image = _numbers(name)[0]
            if image not in self.lenders and "frames" in source.extras(index):
                self.lenders[image] = index

    def __getitem__(self, index: int) -> Problem:  # type: ignore[override]
        record, group = super().__getitem__(index)
        image = _numbers(record.name)[0]
        if image not in self.lenders:
            raise UserError(f"{record.name} has no true frame, nor has image {image}")
        lent: Record = self.source[self.lenders[image]]
        frames = record.extras.get("frames", lent.extras["frames"])
        extras = record.extras | {"frames": frames}
        sharp = lent.sharp if record.sharp is None else record.sharp
        return Problem(record._replace(sharp=sharp, extras=extras), group)


def _published(label: str, psnr: float, mssim: float, source: str) -> Published:
    return Published(label, {"PSNR": psnr, "MSSIM": mssim}, "48 images", source)


CARBAJAL = "Carbajal et al. 2021"
KOHLER = Protocol(
    "kohler",
    "PSNR and multi-scale SSIM of grey after scaling and a shift by whole pixels, the "
    "largest over the about 199 true frames of each trajectory",
    (PSNR, MSSIM),
    score,
    data=("kohler",),
    problems=problems,
    published=(
        _published("adaptive basis", 28.39, 0.82, CARBAJAL),
        _published("adaptive basis, rerun", 26.86, 0.80, RERUN),
        _published("DeblurGAN, rerun", 25.97, 0.75, RERUN),
    ),
)
KOHLER_PROXY = Protocol(
    "kohler-proxy",
    "the score of kohler against one frame where its 199 are not at hand: for ranking "
    "methods, not to be set beside published numbers",
    (PSNR, MSSIM),
    proxy_score,
    problems=ProxyProblems,
)
