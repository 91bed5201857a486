"""Tiny data sets for the tests of the evaluation, made on the spot."""

import os
from pathlib import Path

import numpy as np
from scipy import ndimage

import kernel_space_jax as ks


def picture(seed: int, size: tuple[int, int] = (48, 56), channels: int = 3):
    """A random image with structure at several scales: (H, W, C) in [0, 1]."""
    rng = np.random.default_rng(seed)
    layers = [
        ndimage.gaussian_filter(rng.random((*size, channels)), (s, s, 0)) * s
        for s in (1, 3)
    ]
    x = np.sum(layers, 0)
    return ((x - x.min()) / np.ptp(x)).astype(np.float32)


def write(path: Path, pixels, bits: int = 8) -> None:
    ks.write(path, ks.Photo(np.asarray(pixels, np.float32), bits=bits))


def read(path: Path) -> np.ndarray:
    return ks.read(path).pixels


def write_pairs(root: Path, count: int = 4) -> None:
    """root/{blurry,sharp}/{a,b}/00i.png, each blurrier than the last."""
    for i in range(count):
        x = picture(i)
        y = ndimage.gaussian_filter(x, (0.5 + 0.3 * i, 0.5 + 0.3 * i, 0))
        name = f"{'ab'[i % 2]}/{i:03d}.png"
        write(root / "sharp" / name, x)
        write(root / "blurry" / name, y)


def write_levin(root: Path, images: int = 2, kernels: int = 2) -> None:
    """root/{blurry,sharp,kernels} as Levin's set is laid out, 64 x 64 and grey."""
    for k in range(1, kernels + 1):
        h = np.zeros((7, 7), np.float32)
        h[3, 1:5], h[k, 4] = 1, 2
        h /= h.sum()
        (root / "kernels").mkdir(parents=True, exist_ok=True)
        np.save(root / "kernels" / f"ker{k}.npy", h)
        for i in range(1, images + 1):
            x = picture(10 * i, (64, 64), 1)
            y = ndimage.convolve(x[..., 0], h, mode="reflect")[..., None]
            write(root / "sharp" / f"im{i}_ker{k}.png", x)
            write(root / "blurry" / f"im{i}_ker{k}.png", y)


def write_kohler(root: Path, image: int, path: int, frames: int, answer: int) -> None:
    """One blurry image whose frames are all alike but the `answer`: itself."""
    truth, other = picture(1, (176, 176)), picture(2, (176, 176))
    folder = root / f"Image{image}" / f"Kernel{path}"
    write(root / f"Blurry{image}_{path}.png", truth)
    first = folder / "other.png"
    write(first, other)
    for frame in range(1, frames + 1):
        file = folder / f"GroundTruth{image}_{path}_{frame}.png"
        if frame == answer:
            write(file, truth)
        else:
            os.link(first, file)
    first.unlink()
