"""The record that every data set gives, and the sequence of them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np

from kernel_space_jax import images
from kernel_space_jax.datasets.entry import Entry, Picture
from kernel_space_jax.errors import UserError


class Record(NamedTuple):
    """One example: images (H, W, 3), float32 in [0, 1], or None where unknown.

    Grey images have three equal channels, and `extras["grey"]` is True.
    """

    name: str
    blurry: np.ndarray | None
    sharp: np.ndarray | None
    extras: dict[str, Any]


class Source(Sequence[Record]):
    """A data set on disk: `source[i]` reads a record, `len(source)` counts them.

    It holds paths alone, so it is cheap to make and to pickle (to worker processes).
    """

    def __init__(
        self,
        name: str,
        spec: str,
        entries: Sequence[Entry],
        size: tuple[int, int] | int | None = None,
    ):
        self.name = name
        self.spec = spec
        self.entries = tuple(entries)
        self.size = size

    @property
    def names(self) -> list[str]:
        """The records' names, each once."""
        return [entry.name for entry in self.entries]

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: int) -> Record:
        entry = self.entries[index]
        read = {part: self._read(getattr(entry, part)) for part in ("blurry", "sharp")}
        blurry, sharp = read["blurry"], read["sharp"]
        if blurry is not None and sharp is not None and blurry.shape != sharp.shape:
            if blurry.shape[:2] != sharp.shape[:2]:
                raise UserError(sizes_differ(entry, blurry, sharp))
        extras = {key: load() for key, load in entry.extras.items()}
        known = [pixels for pixels in read.values() if pixels is not None]
        if all(pixels.shape[-1] == 1 for pixels in known):
            extras["grey"] = True
        colour = {
            part: None if pixels is None else images.match_channels(pixels, 3)
            for part, pixels in read.items()
        }
        return Record(entry.name, colour["blurry"], colour["sharp"], extras)

    def _read(self, picture: Picture | None) -> np.ndarray | None:
        if picture is None:
            return None
        pixels = picture.read()
        return pixels if self.size is None else _resized(pixels, self.size)


def sizes_differ(entry: Entry, blurry: np.ndarray, sharp: np.ndarray) -> str:
    """The sentence about a pair whose pictures are not of one size."""
    assert entry.blurry and entry.sharp
    of = [f"{pixels.shape[1]} x {pixels.shape[0]}" for pixels in (blurry, sharp)]
    return (
        f"{entry.blurry.path} is {of[0]} pixels and its sharp partner "
        f"{entry.sharp.path} {of[1]}; a pair must have one size"
    )


def _resized(pixels: np.ndarray, size: tuple[int, int] | int) -> np.ndarray:
    """Pixels with the shorter side `size`, or of exactly (width, height)."""
    height, width = pixels.shape[:2]
    if isinstance(size, int):
        scale = size / min(height, width)
        size = (round(width * scale), round(height * scale))
    # "area" averages what a smaller picture cannot hold; bicubic enlarges.
    shrinks = size[0] <= width and size[1] <= height
    how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    resized = cv2.resize(pixels, size, interpolation=how)
    return np.clip(resized, 0, 1).reshape(size[1], size[0], -1)
