"""Scoring a folder of pairs, and the aligned score against OpenCV's loop."""

import os
import tempfile
import time
from pathlib import Path
from typing import Annotated

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import typer
from benchmarks.common import JsonFile, Positive, Report, Write, machine
from benchmarks.rows import OURS
from benchmarks.timing import compiled, gigabytes

import kernel_space_jax as ks
from kernel_space_jax import metrics
from kernel_space_jax.evaluation import Settings, evaluate
from kernel_space_jax.evaluation.methods import named

SEED = 0
MOTION = np.array([[1.003, 0.002, 2.5], [-0.002, 0.998, -3.1], [1e-6, -2e-6, 1]])
OPENCV_STEPS = 100
ALLOWED = 1e-2  # dB


def _picture(height: int, width: int) -> np.ndarray:
    """Random shapes at several scales: (H, W, 3) in [0, 1]."""
    rng = np.random.default_rng(SEED)
    x = np.zeros((height, width, 3), np.float32)
    for cell in (4, 16, 64):
        small = rng.random((height // cell + 2, width // cell + 2, 3), np.float32)
        x += cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(x / 3, 0, 1)


def _folder_seconds(x: np.ndarray, y: np.ndarray, pairs: int) -> float:
    """From files to a table: reading, PSNR and SSIM of `pairs` pairs."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for kind, image in (("sharp", x), ("blurry", y)):
            first = root / "data" / kind / "0000.png"
            ks.write(first, ks.Photo(image))
            for index in range(1, pairs):
                os.link(first, first.with_name(f"{index:04d}.png"))
        make = lambda names: [named("blurry")]
        start = time.perf_counter()
        evaluate(root / "run", Settings(f"pairs:{root / 'data'}", ""), make)
        return time.perf_counter() - start


def _opencv_psnr(x: np.ndarray, z: np.ndarray) -> float:
    """The aligned PSNR as it is usually computed."""
    z = ((x * z).sum() / (z * z).sum() * z).astype(np.float32)
    greys = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (x, z)]
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, OPENCV_STEPS, 0)
    start = np.eye(3, dtype=np.float32)
    everywhere = np.ones(x.shape[:2], np.uint8)
    homography = cv2.MOTION_HOMOGRAPHY
    _, matrix = cv2.findTransformECC(
        greys[0], greys[1], start, homography, criteria, everywhere, 5
    )
    size, inverse = x.shape[1::-1], cv2.WARP_INVERSE_MAP
    cubic, nearest = cv2.INTER_CUBIC | inverse, cv2.INTER_NEAREST | inverse
    mask = cv2.warpPerspective(np.ones_like(z), matrix, size, flags=nearest)
    border = cv2.BORDER_REFLECT
    z = cv2.warpPerspective(z, matrix, size, flags=cubic, borderMode=border)
    error = ((x - np.clip(z, 0, 1)) * mask) ** 2
    return float(-10 * np.log10(error.sum(dtype=np.float64) / mask.sum()))


def scores(
    pairs: Annotated[int, typer.Option(min=1, help="Pairs in the folder.")] = 50,
    height: Annotated[int, typer.Option(min=64)] = 720,
    width: Annotated[int, typer.Option(min=64)] = 1280,
    rounds: Positive = 3,
    json_file: JsonFile = None,
    write: Write = False,
) -> None:
    """A folder of pairs from files to table; the aligned score beside OpenCV."""
    say = Report("scores")
    x = _picture(height, width)
    y = cv2.GaussianBlur(x, (0, 0), 2)
    folder_s = _folder_seconds(x, y, pairs)

    z = cv2.warpPerspective(
        0.9 * y, MOTION, (width, height), borderMode=cv2.BORDER_REFLECT
    )
    both = [jnp.asarray(image)[None] for image in (x, z)]
    aligned, seconds = compiled(metrics.aligned_psnr_ssim, *both)
    found = float(aligned(*both)[0][0]), _opencv_psnr(x, z)
    say(f"{machine(OpenCV=cv2.__version__)}\n\n{width}x{height}, {rounds} rounds\n")
    # Ours finds the SSIM too.
    say.compare(
        "aligned PSNR of a pair",
        {
            OURS: lambda: jax.block_until_ready(aligned(*both)),
            "OpenCV": lambda: _opencv_psnr(x, z),
        },
        rounds,
        difference=abs(found[0] - found[1]),
        allowed=ALLOWED,
        compile_s=seconds,
        gigabytes=gigabytes(aligned),
    )
    say(
        f"\n{pairs} pairs from PNG files to a table of PSNR and SSIM: {folder_s:.1f} s "
        "(goal: 50 of 1280x720 below 20, compilation included)"
    )
    say.close(json_file, write, {"folder_s": folder_s, "pairs": pairs})
