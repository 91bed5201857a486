"""Blind search with priors on x and k: many photos of one size at once.

    selfdeblur, pixel-kernel    one kernel for the photo, found in its middle
    kernel-space, nested        a code of a learned space; large photos in tiles

Every search starts from the result of `map`. Its networks only help to find the blur:
a non-blind solver computes the sharp image, because it keeps more of the photo. For
one kernel it uses that of the search or of `map`, the one with the lower residual
score.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from kernel_space_jax.deblur.result import TILE, Deblurred
from kernel_space_jax.deblur.uniform import undo
from kernel_space_jax.deblur.view import View
from kernel_space_jax.images import match_channels
from kernel_space_jax.solvers import blind_map, restore
from kernel_space_jax.solvers.batch import spread
from kernel_space_jax.solvers.search import blind_search, presets
from kernel_space_jax.solvers.search.blind_search import Found, Nested, Search, Start
from kernel_space_jax.solvers.search.descent import restore_under
from kernel_space_jax.solvers.tiles import join, tiles
from kernel_space_jax.solvers.uniform.residual_score import residual_score
from kernel_space_jax.tell import Tell, silent
from kernel_space_jax.weights import Weights

# The side of the middle or the tile that a search uses.
SIDE, OVERLAP = 256, 64
# A search runs in so many pieces, to report progress between them.
PIECES = 20


class Glimpse(NamedTuple):
    """A running search: steps done and in all, the loss (n, steps + 1), the images.

    `images()` are (n, H, W, C), the best so far of each photo.
    """

    done: int
    total: int
    loss: np.ndarray
    images: Callable[[], np.ndarray]


Watch = Callable[[Glimpse], None]


def unwatched(glimpse: Glimpse) -> None:
    """Does nothing."""


def search_kernels(
    photos: Sequence[View],
    *,
    make: Callable[[tuple[int, ...], int, presets.Preset], Search],
    preset: str = "quick",
    kernel_size: int | None = None,
    seed: int = 0,
    tile: int = TILE,
    watch: Watch = unwatched,
    tell: Tell = silent,
) -> list[Deblurred]:
    """The sharp images behind photos of one size under one kernel each, found at once.

    `make` sets the search up, for a shape, a size of kernels and a preset. Interrupting
    it (Ctrl-C) is no error: the best so far comes back.
    """
    plan = presets.find_preset(preset)
    grey = [View(p.y.mean(-1, keepdims=True), p.gamma).middle(SIDE) for p in photos]
    y = jnp.stack([jnp.asarray(part.y) for part in grey])
    starts = _starts(y, kernel_size)
    assert starts.k is not None
    found = run_search(
        make(y[:1].shape, starts.k.shape[-1], plan), y, starts, seed, watch
    )
    # A short search can lose the right kernel of `map`, and finds blur in photos that
    # `map` takes for sharp.
    lower = residual_score(y, found.k) < residual_score(y, starts.k)
    better = lower & (starts.k.max((1, 2)) < 1)
    kernels = jnp.where(better[:, None, None], found.k, starts.k)
    return [
        undo(photo, kernels[i], tile=tile, tell=tell)._replace(**_way(found, i))
        for i, photo in enumerate(photos)
    ]


def search_codes(
    photos: Sequence[View],
    *,
    network: Weights,
    nested: Nested | None = None,
    preset: str = "quick",
    vgg: Weights | None = None,
    kernel_size: int | None = None,
    seed: int = 0,
    watch: Watch = unwatched,
    tell: Tell = silent,
) -> list[Deblurred]:
    """The same under the codes of a kernel space, whose weights `network` is.

    `vgg` are the weights of VGG19, for the published data term; `nested` asks for the
    search of k inside that of x. Large photos are searched in tiles.
    """
    plan = presets.find_preset(preset)
    colour = np.stack([match_channels(photo.y, 3) for photo in photos])
    places = tiles(colour.shape[1:3], SIDE, OVERLAP)
    cut = [photo[p.rows, p.columns] for photo in colour for p in places]
    y = jnp.asarray(np.stack(cut))
    search = presets.kernel_space(network, y[:1].shape, plan, vgg=vgg, nested=nested)
    x, h = _starts(y, kernel_size)
    assert x is not None and h is not None
    reach = h.shape[-1] // 2
    x = x[:, :, reach:-reach, reach:-reach]
    extract = jax.jit(partial(search.operator.module.apply, method="extract"))  # type: ignore[attr-defined]
    code, _ = extract(network.variables, x[:, 0], y)
    found = run_search(search, y, Start(x, code[:, None]), seed, watch)
    # The code between the image found and the photo is one that the space makes; the
    # code found explains the photo best. Half of each restored crops of Kodak best.
    code, _ = extract(network.variables, jnp.clip(found.x[:, 0], 0, 1), y)
    code = (code + found.k[:, 0]) / 2
    x = _restore(search.operator, y[:, None], code[:, None])
    results = []
    for i in range(len(photos)):
        here = slice(i * len(places), (i + 1) * len(places))
        image = join(list(np.asarray(x[here, 0])), places, colour[i].shape, OVERLAP)
        image = match_channels(np.clip(image, 0, 1), photos[i].channels)
        worst = i * len(places) + int(np.argmax(np.asarray(found.value[here])))
        results.append(Deblurred(image, **_way(found, worst)))
        tell(i + 1, len(photos))
    return results


def _starts(y: Array, kernel_size: int | None) -> Start:
    """The result of `map`: x (n, 1, H', W', C), larger than y by the reach of h; h."""
    h = blind_map(y, kernel_size).h
    reach = h.shape[-1] // 2
    x = jnp.clip(restore(y, h), 0, 1)
    sides = ((0, 0), (reach, reach), (reach, reach), (0, 0))
    return Start(jnp.pad(x, sides, mode="edge")[:, None], h)


_begin = spread(blind_search.begin)
_advance = spread(
    lambda shared, *one: blind_search.advance(shared[0], *one, until=shared[1])
)
_finish = spread(blind_search.finish)
_restore = spread(restore_under)


def run_search(
    search: Search, y: Array, starts: Start, seed: int, watch: Watch
) -> Found:
    """The search of each photo (n, H, W, C), in pieces; `watch` runs between them."""
    keys = jax.random.split(jax.random.key(seed), len(y))
    y = y[:, None]
    state = _begin(search, keys, starts)

    def images() -> np.ndarray:
        return np.asarray(_finish(search, y, state).x[:, 0])

    try:
        for piece in range(1, PIECES + 1):
            done = -(-search.steps * piece // PIECES)
            shared = (search, jnp.asarray(done + 1))
            state = jax.block_until_ready(_advance(shared, y, keys, state))
            watch(Glimpse(done, search.steps, np.asarray(state.loss), images))
            if bool(state.stopped.all()):
                break
    except KeyboardInterrupt:
        pass
    return _finish(search, y, state)


def _way(found: Found, i: int) -> dict[str, Any]:
    """The losses and the steps of one search of many."""
    return {"loss": np.asarray(found.loss[i]), "steps": int(found.steps[i])}
