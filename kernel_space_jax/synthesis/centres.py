"""A few kernels that stand for many: what a basis of kernels starts from."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from scipy.cluster.vq import kmeans2
from scipy.spatial.distance import cdist

from kernel_space_jax.synthesis.kernels import shake_kernel

# Shakes that the centres are of.
SAMPLE = 5000
SEED = 0


@cache
def shake_sample(size: int) -> np.ndarray:
    """The same `SAMPLE` camera shakes each time: (SAMPLE, size, size)."""
    keys = jax.random.split(jax.random.key(SEED), SAMPLE)
    return np.asarray(jax.jit(jax.vmap(lambda key: shake_kernel(key, size)))(keys))


@cache
def shake_centres(count: int, size: int, *, still: float = 0.0) -> Array:
    """The means of `count` groups of camera shakes: (count, size, size).

    The groups are of like direction (k-means of h / ||h||), so that long faint kernels
    have their share beside short bright ones. With `still` the first is no blur at all.
    """
    moving = count - (still > 0)
    rows = shake_sample(size).reshape(SAMPLE, -1)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    group = _groups(unit, moving)
    means = np.stack([rows[group == one].mean(0) for one in range(moving)])
    if still:
        means = np.concatenate([np.eye(1, size**2, size**2 // 2), means])
    return jnp.asarray(means.reshape(count, size, size), jnp.float32)


@cache
def shake_variants(count: int, each: int, size: int) -> Array:
    """What the groups of `shake_centres(count, size, still=1)` hold, but the first.

    Of each the means of `each` smaller groups: (count - 1, each, size, size).
    """
    rows = shake_sample(size).reshape(SAMPLE, -1)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    centres = np.asarray(shake_centres(count, size, still=1.0))[1:].reshape(
        count - 1, -1
    )
    centres = centres / np.linalg.norm(centres, axis=1, keepdims=True)
    group = np.argmax(unit @ centres.T, 1)
    means = []
    for one in range(count - 1):
        held = rows[group == one]
        part = _groups(unit[group == one], each)
        means.append([held[part == k].mean(0) for k in range(each)])
    return jnp.asarray(np.reshape(means, (count - 1, each, size, size)), jnp.float32)


def _groups(rows: np.ndarray, count: int) -> np.ndarray:
    """The k-means group of each row (N, D), from starts far apart (k-means++).

    The draws and the groups are those of `kmeans2(minit="++")`, which measures every
    distance anew for each start.
    """
    rng = np.random.default_rng(SEED)
    starts = [rows[rng.integers(len(rows))]]
    nearest = np.full(len(rows), np.inf)
    for _ in range(count - 1):
        nearest = np.minimum(nearest, cdist(starts[-1:], rows, "sqeuclidean")[0])
        share = (nearest / nearest.sum()).cumsum()
        starts.append(rows[np.searchsorted(share, rng.uniform())])
    return kmeans2(rows, np.stack(starts), minit="matrix")[1]
