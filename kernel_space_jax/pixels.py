"""Photos as people have them, as pixels: arrays, tensors, PIL images, files.

    pixels = as_pixels(photo)        float32 (H, W, 1 or 3) in [0, 1]

Whatever is no photo is refused in a sentence that says what to do.
"""

import os
from typing import Any

import numpy as np
from PIL import Image

from kernel_space_jax.arrays import to_numpy
from kernel_space_jax.errors import UserError
from kernel_space_jax.images import SMALLEST_SIDE, Photo, read

# Resizing and noise may leave [0, 1] by so much; photos beyond have another scale.
SLACK = 0.1
# Integers whose largest value stands for 1.
WHOLE = {"bool": 1, "uint8": 255, "uint16": 65535}
# PIL's modes whose numbers are grey or red, green and blue already.
PLAIN_MODES = ("1", "L", "LA", "RGB", "RGBA", "I", "I;16", "I;16L", "I;16B", "F")


def as_pixels(photo: Any) -> np.ndarray:
    """The pixels (H, W, 1 or 3) of a photo, float32 in [0, 1].

    A photo is an array of NumPy, JAX or PyTorch, (H, W) or (H, W, C): floats in [0, 1],
    or uint8, uint16 or bool; or a PIL image, a `Photo`, or the path of a file. Alpha,
    the second or fourth channel, is left out.
    """
    if isinstance(photo, str | os.PathLike):
        return read(photo).pixels  # type: ignore[arg-type]
    if isinstance(photo, Photo):
        photo = photo.pixels
    if isinstance(photo, Image.Image) and photo.mode not in PLAIN_MODES:
        photo = photo.convert("RGBA" if photo.has_transparency_data else "RGB")
    values = _with_channels(to_numpy(photo))
    return _scaled(values[..., : 1 if values.shape[-1] < 3 else 3])


def _with_channels(values: np.ndarray) -> np.ndarray:
    """An array (H, W, C) of numbers, C from 1 to 4."""
    name, shape = values.dtype.name, values.shape
    if values.dtype.kind not in "buif" and name != "bfloat16":
        raise UserError(
            f"a photo is an array of numbers, not of {name}; give floats in 0 to 1 or "
            "uint8, a PIL image, or the path of a file"
        )
    if values.ndim == 2:
        values = values[..., None]
    if values.ndim != 3:
        raise UserError(
            f"a photo has the shape (H, W, C) or (H, W), not {shape}; "
            "give one photo, or a list of photos"
        )
    if values.shape[-1] not in (1, 2, 3, 4):
        if values.shape[0] in (1, 2, 3, 4):
            raise UserError(
                f"a photo of the shape {shape} has its channels first; move them last: "
                "photo.transpose(1, 2, 0), of PyTorch photo.permute(1, 2, 0)"
            )
        raise UserError(
            f"a photo has 1 to 4 channels on its last axis, not {shape[-1]} as the "
            f"shape {shape} has; give photos of a stack in a list"
        )
    height, width = values.shape[:2]
    if min(height, width) < SMALLEST_SIDE:
        raise UserError(
            f"the photo is {width} x {height} pixels; give one of at least "
            f"{SMALLEST_SIDE} pixels on each side"
        )
    return values


def _scaled(values: np.ndarray) -> np.ndarray:
    """Numbers of any type as float32, whose white is 1."""
    name = values.dtype.name
    if name in WHOLE:
        return values.astype(np.float32) / np.float32(WHOLE[name])
    if values.dtype.kind in "ui":
        raise UserError(
            f"a photo of {name} does not say which number is white; convert it: "
            "photo.astype('uint8') where that is 255"
        )
    with np.errstate(over="ignore"):
        pixels = np.asarray(values, np.float32)
    if not np.isfinite(pixels).all():
        raise UserError(
            "the photo has values that are no numbers (NaN or infinite); "
            "replace them, as numpy.nan_to_num does"
        )
    least, most = float(pixels.min()), float(pixels.max())
    if -SLACK <= least and most <= 1 + SLACK:
        return pixels
    raise UserError(
        f"the photo has values from {least:.4g} to {most:.4g}, not from 0 to 1; "
        f"{_remedy(least, most)}"
    )


def _remedy(least: float, most: float) -> str:
    if least < -SLACK:
        if least >= -1 - SLACK and most <= 1 + SLACK:
            return "use (photo + 1) / 2 if it is in -1 to 1"
        return "scale it so that black is 0 and white 1"
    if most <= 2:
        return "clip it with numpy.clip(photo, 0, 1), or divide it by its white"
    white = next((white for white in (255, 65535) if most <= white + 1), "its white")
    return f"divide it by {white}"
