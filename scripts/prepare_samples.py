"""Makes data/samples: dead-leaves pictures, and one of them under a camera shake.

    python scripts/prepare_samples.py

Overlapping discs whose sizes follow a power law have the edges and the spectrum of
natural images (Lee, Mumford and Huang 2001). Everything is drawn from fixed seeds.
"""

from pathlib import Path

import numpy as np
from scipy import ndimage, signal

import kernel_space_jax as ks

FOLDER = Path(__file__).parent.parent / "data" / "samples"
KERNEL_SIZE = 23
NOISE = 0.002


def dead_leaves(seed: int, height: int, width: int, leaves: int = 3000) -> np.ndarray:
    """Discs of radius r with density r^-3, each in one colour and its own grain."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    # Natural colours: any brightness, little saturation.
    palette = rng.uniform(0.1, 0.9, (16, 1)) + rng.normal(0, 0.1, (16, 3))
    image = np.ones((height, width, 1)) * palette[0]
    smallest, largest = 3.0, 0.35 * height
    for _ in range(leaves):
        u = rng.uniform()
        radius = (smallest**-2 + u * (largest**-2 - smallest**-2)) ** -0.5
        y, x = rng.uniform(0, height), rng.uniform(0, width)
        inside = (rows - y) ** 2 + (columns - x) ** 2 < radius**2
        colour = palette[rng.integers(16)] + rng.normal(0, 0.05, 3)
        grain = rng.normal(0, 0.02, (int(inside.sum()), 1))
        image[inside] = colour + grain
    return np.clip(ndimage.gaussian_filter(image, (0.5, 0.5, 0)), 0, 1)


def camera_shake(seed: int, size: int) -> np.ndarray:
    """The trace of a point under a smooth random hand movement, summing to one."""
    rng = np.random.default_rng(seed)
    velocity = ndimage.gaussian_filter1d(rng.normal(0, 1, (400, 2)), 40, axis=0)
    path = np.cumsum(velocity, axis=0)
    path -= (path.max(0) + path.min(0)) / 2
    path *= (size / 2 - 2) / np.abs(path).max()
    h, _, _ = np.histogram2d(*path.T, bins=size, range=[[-size / 2, size / 2]] * 2)
    h = ndimage.gaussian_filter(h, 0.5)
    return h / h.sum()


def main() -> None:
    """Writes the three pictures."""
    margin = KERNEL_SIZE // 2
    wide = dead_leaves(1, 256 + 2 * margin, 384 + 2 * margin)
    h = camera_shake(11, KERNEL_SIZE)
    blurry = signal.fftconvolve(wide, h[..., None], mode="valid", axes=(0, 1))
    blurry += np.random.default_rng(4).normal(0, NOISE, blurry.shape)
    sharp = wide[margin:-margin, margin:-margin]
    other = dead_leaves(2, 256, 384, leaves=600)
    for name, image in (
        ("leaves_sharp", sharp),
        ("leaves_blurry", blurry),
        ("shapes_sharp", other),
    ):
        ks.write(FOLDER / f"{name}.png", ks.Photo(image.astype(np.float32)))


if __name__ == "__main__":
    main()
