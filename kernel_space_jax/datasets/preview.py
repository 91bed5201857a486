"""A sheet of what a network will see: crops of a data set, and their kernels."""

from typing import NamedTuple

import numpy as np

from kernel_space_jax.datasets.crops import Augment, read_crop, turn
from kernel_space_jax.datasets.plan import make_plan
from kernel_space_jax.datasets.source import Part, Source, as_colour
from kernel_space_jax.drawing import kernel_picture
from kernel_space_jax.sheets import contact_sheet, stack


class Example(NamedTuple):
    """A crop, (size, size, 3) a part, and its kernel (h, w), turned with it."""

    name: str
    parts: dict[Part, np.ndarray]
    kernel: np.ndarray | None


def examples(
    source: Source, *, count: int, crop: int, augment: Augment, seed: int
) -> list[Example]:
    """The first `count` examples of a run, as `pipeline.batches` gives them."""
    plan = make_plan(
        source,
        {},
        batch_size=1,
        crop=crop,
        augment=augment,
        bits=8,
        seed=seed,
        process=(0, 1),
    )
    found = []
    for number in range(count):
        (drawn,) = plan.draw(number)
        crops = read_crop(source, drawn, crop, plan.bits)
        parts: dict[Part, np.ndarray] = {
            part: as_colour(pixels) for part, pixels in crops.items()
        }
        h = source.extras(drawn.index).get("kernel")
        if h is not None:
            h = turn(h, drawn)
        found.append(Example(source.names[drawn.index], parts, h))
    return found


def sheet(shown: list[Example]) -> np.ndarray:
    """A page (H, W, 3) in [0, 1], an example a row."""
    rows = []
    for example in shown:
        pictures: dict[str, np.ndarray] = {**example.parts}
        if example.kernel is not None:
            pictures["kernel"] = kernel_picture(example.kernel)
        first, *others = pictures
        captions = [f"{example.name}: {first}", *others]
        rows.append(contact_sheet(list(pictures.values()), captions))
    return stack(rows)
