"""What two players remember of earlier steps: arrays that the task's state carries.

    Recent        the critic's last scores, for relativistic losses
    ImagePool     the generator's earlier images, which the critic is shown again

Every function returns the next pool. `axis` names the devices of a `pmap`, on which
each device has its rows of the batch, and all have the same pool.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax


class Recent(NamedTuple):
    """The scores of the last images: a ring of scores (size,), and how many came."""

    scores: Array
    count: Array


class ImagePool(NamedTuple):
    """Some of the images that came: (size, H, W, C), and how many it holds."""

    images: Array
    count: Array


def recent(size: int = 50) -> Recent:
    """No scores yet."""
    return Recent(jnp.zeros(size), jnp.int32(0))


def remember(pool: Recent, answers: Array, *, axis: str | None = None) -> Recent:
    """The pool with the mean answer for each image of (N, ...) in place of the oldest.

    No gradient leaves by it.
    """
    scores = lax.stop_gradient(answers).reshape(len(answers), -1).mean(1)
    if axis:
        scores = lax.all_gather(scores, axis, tiled=True)
    size, more = len(pool.scores), len(scores)
    kept = min(size, more)
    places = (pool.count + more - kept + jnp.arange(kept)) % size
    return Recent(pool.scores.at[places].set(scores[more - kept :]), pool.count + more)


def recent_mean(pool: Recent) -> Array:
    """The mean of what it holds; 0 if that is nothing."""
    held = jnp.minimum(pool.count, len(pool.scores))
    return jnp.sum(pool.scores) / jnp.maximum(held, 1)


def image_pool(size: int, shape: tuple[int, int, int]) -> ImagePool:
    """A pool for images (H, W, C), with none yet."""
    return ImagePool(jnp.zeros((size, *shape)), jnp.int32(0))


def exchange(
    keys: Array, pool: ImagePool, images: Array, *, axis: str | None = None
) -> tuple[ImagePool, Array]:
    """The next pool, and for each image (N, H, W, C) itself or an earlier one.

    While there is room an image is stored and given back. After that one in two is
    given back; another takes the place of one of the pool, which is given for it
    (Shrivastava et al., CVPR 2017; CycleGAN: 50 images). `keys` (N,) are one an image.
    """
    size = len(pool.images)

    def draw(key: Array) -> tuple[Array, Array]:
        for_swap, for_place = jax.random.split(key)
        place = jax.random.randint(for_place, (), 0, size)
        return jax.random.bernoulli(for_swap), place

    def offer(pool: ImagePool, one: tuple) -> tuple[ImagePool, Array]:
        image, swapped, place = one
        full = pool.count == size
        place = jnp.where(full, place, pool.count)
        earlier = pool.images[place]
        stored = jnp.where(~full | swapped, image, earlier)
        given = jnp.where(full & swapped, earlier, image)
        count = jnp.minimum(pool.count + 1, size)
        return ImagePool(pool.images.at[place].set(stored), count), given

    offers = (images, *jax.vmap(draw)(keys))
    if axis:
        offers = lax.all_gather(offers, axis, tiled=True)
    pool, given = lax.scan(offer, pool, offers)
    if axis:
        first = lax.axis_index(axis) * len(images)
        given = lax.dynamic_slice_in_dim(given, first, len(images))
    return pool, given
