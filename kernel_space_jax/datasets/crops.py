"""Random crops, flips and quarter turns: drawn first, cut from the pictures later."""

from typing import Literal, NamedTuple

import numpy as np

from kernel_space_jax.datasets.source import Part, Source

# How pictures may lie: in any of eight ways, mirrored or not, or as they are.
Augment = Literal["turn", "mirror", "none"]


class Draw(NamedTuple):
    """Which record of which source, and what to cut from it.

    `row` and `column`, in [0, 1), say where the crop lies between the borders, so a
    draw needs not know the size of a picture that nobody has read yet.
    """

    source: int
    index: int
    row: float
    column: float
    flip: bool
    turns: int


def draw(rng: np.random.Generator, source: int, index: int, augment: Augment) -> Draw:
    """A random crop, and a random one of the ways in which a picture may lie."""
    row, column = rng.random(2)
    ways = {"turn": (2, 4), "mirror": (2, 1)}
    flip, turns = rng.integers(0, ways[augment]) if augment in ways else (0, 0)
    return Draw(source, index, float(row), float(column), bool(flip), int(turns))


def offset(fraction: float, length: int, size: int) -> int:
    """The first of `size` pixels in `length`, `fraction` of the way it can move."""
    return int(fraction * (length - size + 1))


def cut(pixels: np.ndarray, drawn: Draw, size: int) -> np.ndarray:
    """The drawn crop (size, size, C) of (H, W, C); a small picture is mirrored out."""
    missing = [max(0, size - length) for length in pixels.shape[:2]]
    if any(missing):
        around = [(gap // 2, gap - gap // 2) for gap in missing]
        pixels = np.pad(pixels, (*around, (0, 0)), mode="reflect")
    height, width = pixels.shape[:2]
    top, left = offset(drawn.row, height, size), offset(drawn.column, width, size)
    return turn(pixels[top : top + size, left : left + size], drawn)


def turn(pixels: np.ndarray, drawn: Draw) -> np.ndarray:
    """(H, W, ...) as the draw lays it: mirrored or not, then quarter turns."""
    return np.rot90(pixels[:, ::-1] if drawn.flip else pixels, drawn.turns)


def as_integers(pixels: np.ndarray, bits: int) -> np.ndarray:
    """(H, W, 1 or 3) as (H, W, 3) unsigned integers of 8 or 16 bits."""
    kind = np.uint8 if bits == 8 else np.uint16
    if pixels.dtype != kind:
        most = 1 if pixels.dtype == np.float32 else np.iinfo(pixels.dtype).max
        scale = np.float32(np.iinfo(kind).max / most)
        pixels = np.rint(pixels * scale).astype(kind)
    return np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))


def read_crop(
    source: Source, drawn: Draw, size: int, bits: int
) -> dict[Part, np.ndarray]:
    """The drawn crop of each picture of a record: integers (size, size, 3)."""
    return {
        part: as_integers(cut(pixels, drawn, size), bits)
        for part, pixels in source.pixels(drawn.index).items()
    }
