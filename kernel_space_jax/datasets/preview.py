"""A sheet of what a network will see: crops of a data set, and their kernels."""

import numpy as np

from kernel_space_jax import images
from kernel_space_jax.datasets.crops import as_integers, cut
from kernel_space_jax.datasets.plan import make_plan
from kernel_space_jax.datasets.source import Source, as_colour


def preview(
    source: Source, *, count: int, crop: int, augment: bool, seed: int
) -> np.ndarray:
    """A page (H, W, 3) in [0, 1]: the first `count` examples of a run, one a row.

    A kernel is drawn as it acts on the crop: flipped and turned with it.
    """
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
    rows = []
    for number in range(count):
        (drawn,) = plan.draw(number)
        pictures = {
            part: as_colour(as_integers(cut(pixels, drawn, crop), 8))
            for part, pixels in source.pixels(drawn.index).items()
        }
        h = source.extras(drawn.index).get("kernel")
        if h is not None:
            turned = cut(h[..., None], drawn._replace(row=0, column=0), max(h.shape))
            pictures["kernel"] = turned / turned.max()
        first, *others = pictures
        captions = [f"{source.names[drawn.index]}: {first}", *others]
        rows.append(images.contact_sheet(list(pictures.values()), captions))
    width = max(row.shape[1] for row in rows)
    gap = np.ones((images.GAP, width, 3), np.float32)
    filled = [
        np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0)), constant_values=1.0)
        for row in rows
    ]
    return np.concatenate([part for row in filled for part in (gap, row)][1:])
