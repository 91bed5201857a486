"""What a reader finds on disk: pictures not yet read, and what is wrong with them."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import scipy.io

from kernel_space_jax import images
from kernel_space_jax.errors import UserError


class Picture(NamedTuple):
    """An image file, or one variable of a Matlab file."""

    path: Path
    variable: str = ""

    def read(self) -> np.ndarray:
        """The pixels (H, W, 1 or 3), as `Source.pixels` has them; alpha is dropped."""
        if not self.variable:
            # No floats: of a whole photo a crop may be all that is wanted.
            stored = images.read_stored(self.path)
            return stored[..., :-1] if stored.shape[-1] in (2, 4) else stored
        values = read_variable(self.path, self.variable)
        return np.clip(values, 0, 1).reshape(*values.shape[:2], -1)


class Entry(NamedTuple):
    """One record, unread. Each extra is a function (picklable) that reads it."""

    name: str
    blurry: Picture | None = None
    sharp: Picture | None = None
    split: str = ""
    extras: Mapping[str, Callable[[], Any]] = {}


class Found(NamedTuple):
    """What a folder holds: entries in a fixed order, and problems by file name."""

    entries: list[Entry]
    problems: list[str]

    @classmethod
    def join(cls, parts: Iterable["Found"]) -> "Found":
        """All entries and all problems of the parts, in their order."""
        entries, problems = [], []
        for part in parts:
            entries += part.entries
            problems += part.problems
        return cls(entries, problems)


class Frames:
    """A video read frame by frame: `frames[i]` is (H, W, 3), `frames.names[i]` whose.

    Reading waits until a frame is asked for, so a record with 200 of them is cheap.
    """

    def __init__(self, paths: Iterable[Path]):
        self.paths = tuple(paths)
        self.names = [path.stem for path in self.paths]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> np.ndarray:
        return images.match_channels(images.read(self.paths[index]).pixels, 3)


def read_variable(path: Path, name: str) -> np.ndarray:
    """One variable of a Matlab file as float32; a `UserError` if it is not there."""
    try:
        held = scipy.io.loadmat(path, variable_names=[name])
    # scipy raises many types for a damaged file, TypeError and zlib.error among them.
    except Exception as error:
        raise UserError(f"{path} is not a readable .mat file ({error})") from None
    if name not in held:
        raise UserError(f"{path} has no variable {name!r}; download it again")
    return held[name].astype(np.float32)


def read_kernel(path: Path) -> np.ndarray:
    """A blur kernel (h, w) of sum 1 from .npy or an image, as it is stored."""
    if path.suffix == ".npy":
        try:
            h = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError):
            h = None
    else:
        # Not images.read, which refuses pictures as small as a kernel may be.
        h = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH)
    if h is None or h.ndim != 2 or not h.sum() > 0:
        raise UserError(
            f"{path} is not a kernel: give a 2-D .npy file, or an image, of sum > 0"
        )
    return (h / h.sum()).astype(np.float32)


def read_flipped_kernel(path: Path, name: str) -> np.ndarray:
    """A kernel (h, w) of sum 1 from a .mat file that stores it for correlation."""
    h = read_variable(path, name)
    return np.ascontiguousarray(h[::-1, ::-1]) / h.sum()
