"""Which photos of a camera are sharp: measured, chosen, and sorted into folders.

The measure is the variance of the Laplacian of grey, as Blur2Blur takes it (Pham et
al., CVPR 2024). It depends on what a photo shows as well as on its blur: compare frames
of one scene.
"""

import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from kernel_space_jax import images
from kernel_space_jax.datasets.pairing import image_files
from kernel_space_jax.datasets.source import Part, Source, as_colour
from kernel_space_jax.errors import UserError

Tell = Callable[[int, int], None]


def sharpness(pixels: np.ndarray) -> float:
    """var(Laplacian of grey): (H, W, 1 or 3), stored or floats in [0, 1]."""
    grey = cv2.cvtColor(as_colour(pixels), cv2.COLOR_RGB2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_32F).var())


class Subset(Source):
    """Some records of a source."""

    def __init__(self, source: Source, indices: list[int]):
        self.name, self.spec = source.name, source.spec
        self._source, self._indices = source, indices
        self.names = [source.names[index] for index in indices]

    def splits(self) -> dict[str, int]:
        return self._source.splits()

    def parts(self) -> list[Part]:
        return self._source.parts()

    def pixels(self, index: int) -> dict[Part, np.ndarray]:
        return self._source.pixels(self._indices[index])

    def extras(self, index: int) -> dict[str, Any]:
        return self._source.extras(self._indices[index])


def sharpest(source: Source, share: float) -> Source:
    """The sharpest part of a source's photos, at least one; pairs by their blurry ones.

    Reads every photo.
    """
    part = source.parts()[0]
    found = _measured(lambda index: sharpness(source.pixels(index)[part]), len(source))
    count = max(1, round(share * len(source)))
    order = sorted(range(len(source)), key=lambda index: -found[index])
    return Subset(source, sorted(order[:count]))


class Split(NamedTuple):
    """How many frames went where, of how many scenes."""

    blurry: int
    sharp: int
    scenes_of_blurry: int
    scenes_of_sharp: int


def split_sharp(
    folder: Path,
    output: Path,
    *,
    share: float = 0.6,
    tell: Tell = lambda done, total: None,
) -> Split:
    """Frames of one camera as Blur2Blur's trainA (blurry) and trainB (sharp).

    Every folder of frames is a scene. The blurrier half of the frames of `share` of the
    scenes is copied into trainA, the sharper half of the others' into trainB: no scene
    is in both. A single folder is cut in two, at `share` of its frames by name, with a
    gap of a tenth.
    """
    scenes: dict[Path, list[Path]] = {}
    for file in image_files(folder):
        scenes.setdefault(file.parent, []).append(file)
    if not scenes:
        raise UserError(f"{folder} holds no photos")
    groups = list(scenes.values())
    if len(groups) == 1:
        groups = _cut(groups[0], share)
    count = min(len(groups) - 1, max(1, round(share * len(groups))))
    few = next((group for group in groups if len(group) < 2), None)
    if few is not None:
        raise UserError(
            f"{few[0].parent} has too few frames to tell sharp ones from blurry ones; "
            "give folders with at least 2, or one with at least 5"
        )
    files = [file for group in groups for file in group]
    found = dict(
        zip(
            files,
            _measured(
                lambda n: sharpness(images.read(files[n]).pixels), len(files), tell
            ),
            strict=True,
        )
    )
    made = {"trainA": 0, "trainB": 0}
    for number, group in enumerate(groups):
        ranked = sorted(group, key=lambda file: found[file])
        half = len(ranked) // 2
        kind = "trainA" if number < count else "trainB"
        for file in ranked[:half] if kind == "trainA" else ranked[-half:]:
            place = output / kind / file.relative_to(folder)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, place)
            made[kind] += 1
    return Split(made["trainA"], made["trainB"], count, len(groups) - count)


def _cut(frames: list[Path], share: float) -> list[list[Path]]:
    """Frames of one scene in two parts that are a tenth of them apart."""
    gap = len(frames) // 10
    at = round(share * len(frames))
    return [frames[: at - gap // 2], frames[at + gap - gap // 2 :]]


def _measured(
    measure: Callable[[int], float],
    count: int,
    tell: Tell = lambda done, total: None,
) -> list[float]:
    found = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for done, value in enumerate(pool.map(measure, range(count)), start=1):
            tell(done, count)
            found.append(value)
    return found
