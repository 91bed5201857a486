"""The record that every data set gives, and the sequence of them."""

from abc import abstractmethod
from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from kernel_space_jax import images
from kernel_space_jax.datasets.entry import Entry, Picture
from kernel_space_jax.errors import UserError

Part = Literal["blurry", "sharp"]
PARTS: tuple[Part, ...] = get_args(Part)


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
    `names` are the records' names, each once.
    """

    name: str
    spec: str
    names: list[str]

    @abstractmethod
    def splits(self) -> dict[str, int]:
        """How many records each split has; empty where there are no splits."""

    @abstractmethod
    def parts(self) -> list[Part]:
        """Which pictures every record has."""

    @abstractmethod
    def pixels(self, index: int) -> dict[Part, np.ndarray]:
        """The pictures of a record as stored, of one size: (H, W, 1 or 3).

        Float32 in [0, 1], or unsigned integers that fill their type.
        """

    @abstractmethod
    def extras(self, index: int) -> dict[str, Any]:
        """What else is known of a record: its kernel, frames, ..."""

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Record:
        stored = self.pixels(index)
        extras = self.extras(index)
        if all(pixels.shape[-1] == 1 for pixels in stored.values()):
            extras["grey"] = True
        ready = {part: as_colour(pixels) for part, pixels in stored.items()}
        name = self.names[index]
        return Record(name, ready.get("blurry"), ready.get("sharp"), extras)


def as_colour(pixels: np.ndarray) -> np.ndarray:
    """Stored pixels as an image: (H, W, 3), float32 in [0, 1]."""
    return images.match_channels(as_float(pixels), 3)


def as_float(pixels: np.ndarray) -> np.ndarray:
    """Stored pixels as float32 in [0, 1]."""
    if pixels.dtype == np.float32:
        return pixels
    return pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)


class FolderSource(Source):
    """A data set as it was downloaded, read file by file.

    `size` resizes every picture: the shorter side, or (width, height).
    """

    def __init__(
        self,
        name: str,
        spec: str,
        entries: Sequence[Entry],
        size: tuple[int, int] | int | None = None,
    ):
        self.name, self.spec, self.size = name, spec, size
        self.entries = tuple(entries)
        self.names = [entry.name for entry in entries]

    def splits(self) -> dict[str, int]:
        return Counter(entry.split for entry in self.entries if entry.split)

    def parts(self) -> list[Part]:
        return [
            part
            for part in PARTS
            if all(getattr(entry, part) is not None for entry in self.entries)
        ]

    def pixels(self, index: int) -> dict[Part, np.ndarray]:
        entry = self.entries[index]
        pictures: dict[Part, Picture | None] = {
            "blurry": entry.blurry,
            "sharp": entry.sharp,
        }
        stored: dict[Part, np.ndarray] = {
            part: picture.read()
            for part, picture in pictures.items()
            if picture is not None
        }
        sizes = {part: pixels.shape[:2] for part, pixels in stored.items()}
        if len({*sizes.values()}) > 1:
            raise UserError(sizes_differ(entry, sizes["blurry"], sizes["sharp"]))
        if self.size is None:
            return stored
        return {
            part: images.resized(as_float(pixels), self.size)
            for part, pixels in stored.items()
        }

    def extras(self, index: int) -> dict[str, Any]:
        return {key: load() for key, load in self.entries[index].extras.items()}


def sizes_differ(entry: Entry, blurry: tuple[int, ...], sharp: tuple[int, ...]) -> str:
    """The sentence about a pair whose pictures are not of one (height, width)."""
    assert entry.blurry and entry.sharp
    return (
        f"{entry.blurry.path} is {blurry[1]} x {blurry[0]} pixels and its sharp "
        f"partner {entry.sharp.path} {sharp[1]} x {sharp[0]}; a pair must have one size"
    )
