"""Photos of one kind, such as faces, by a generator of such images: x = G(w).

x and its blur are searched in turns (Tran et al. 2021, "domain-specific"). The blur is
one kernel, a few in places, or a code of a kernel space. Every photo has several
starts, and the one that explains it best is kept.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from kernel_space_jax.deblur.by_search import Glimpse, Watch, run_search, unwatched
from kernel_space_jax.deblur.grid import cells_of
from kernel_space_jax.deblur.result import Deblurred
from kernel_space_jax.deblur.view import View
from kernel_space_jax.errors import UserError
from kernel_space_jax.images import match_channels, resized
from kernel_space_jax.models.generators import Generator
from kernel_space_jax.operators import KernelField
from kernel_space_jax.priors import latents
from kernel_space_jax.solvers.search import presets
from kernel_space_jax.solvers.search.blind_search import NOWHERE
from kernel_space_jax.solvers.tiles import tiles
from kernel_space_jax.tell import Tell, silent
from kernel_space_jax.weights import Weights

STARTS = 2
# Of a kernel, as a part of the photo's side.
LARGEST = 0.25
MOST = 33


def search_latents(
    photos: Sequence[View],
    *,
    network: Weights,
    preset: str = "quick",
    kernel_size: int | None = None,
    places: int = 1,
    space: Weights | None = None,
    starts: int = STARTS,
    resize: bool = False,
    seed: int = 0,
    watch: Watch = unwatched,
    tell: Tell = silent,
) -> list[Deblurred]:
    """Images of the generator `network` that explain photos of one size, found at once.

    With `places` there are so many kernels along each side; with `space` the blur is a
    code of that kernel space. `resize` fits the photos to
    the generator's size, and the answers to theirs.
    """
    if space and places > 1:
        raise UserError("space and places are two kinds of blur; give one of them")
    module = network.module
    assert isinstance(module, Generator)
    size = photos[0].size
    factor = _factor(size, module.size, resize)
    colour = [match_channels(photo.y, 3) for photo in photos]
    seen = (
        [resized(y, (module.size, module.size)) for y in colour] if resize else colour
    )
    y = jnp.asarray(np.repeat(np.stack(seen), starts, 0))
    prior = latents(network, factor=factor)
    side = kernel_size or min(MOST, 2 * int(LARGEST * y.shape[1] / 2) + 1)
    search = presets.generator(
        prior, y[:1].shape, preset, side=side, places=places, space=space
    )

    def best(values: np.ndarray) -> np.ndarray:
        """Of each photo's starts the number of the one of least loss."""
        of_each = values.reshape(len(photos), starts)
        return of_each.argmin(1) + starts * np.arange(len(photos))

    def watch_best(glimpse: Glimpse) -> None:
        least = np.nanmin(glimpse.loss[:, : glimpse.done + 1], -1)
        kept = best(least)
        images = glimpse.images
        watch(glimpse._replace(loss=glimpse.loss[kept], images=lambda: images()[kept]))

    found = run_search(search, y, NOWHERE, seed, watch_best)
    field = isinstance(found.k, KernelField)
    results = []
    for i, number in enumerate(best(np.asarray(found.value))):
        x = np.clip(np.asarray(found.x[number, 0]), 0, 1)
        x = resized(x, (size[1], size[0])) if resize else x
        results.append(
            Deblurred(
                match_channels(x, photos[i].channels),
                None if field or space else np.asarray(found.k[number]),
                loss=np.asarray(found.loss[number]),
                steps=int(found.steps[number]),
                grid=_grid(found.k, number, size) if field else None,
            )
        )
        tell(i + 1, len(photos))
    return results


def _grid(k: KernelField, number: int, size: tuple[int, int]) -> np.ndarray:
    """The kernels of one search, in cells of the photo."""
    masks = jax.image.resize(k.masks[number], (1, *size, k.masks.shape[-1]), "linear")
    whole = tiles(size, max(size), 0)[0]
    return cells_of(KernelField(k.kernels[number], masks), whole, size).kernels


def _factor(size: tuple[int, int], side: int, resize: bool) -> int:
    """How much smaller a photo is than the generator's images."""
    height, width = size
    if height != width:
        raise UserError(
            f"the photo is {width}x{height}; a generator makes square images: cut out "
            "the face, upright and in the middle, as in the generator's own images"
        )
    if resize:
        return 1
    if side % height or height < side // 4:
        raise UserError(
            f"the photo is {width}x{height}, and the generator's images are "
            f"{side}x{side}; give --resize, or a photo of that size, half or a quarter"
        )
    return side // height
