"""Dead leaves: an endless source of sharp pictures that no data set has to hold.

Shapes whose radii have density r^-3 fall over each other until nothing else is seen;
what is left has the edges and the spectrum of natural images (Lee, Mumford and Huang,
"Occlusion Models for Natural Images", 2001).
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from kernel_space_jax.synthesis.shapes import DRAWS, coverage, shapes


def dead_leaves(
    key: Array,
    size: tuple[int, int],
    *,
    smallest: float = 2.0,
    largest: float | None = None,
    exponent: float = 3.0,
    rounds: int = 4,
    texture: float = 0.1,
) -> Array:
    """Leaves fallen over each other: (H, W, 3) in [0, 1], a photo.

    Radii from `smallest` to `largest` pixels (half the shorter side) have density
    r^-exponent. Each octave of radii has `rounds` layers, whose leaves lie in the
    cells of a grid, one each.
    """
    height, width = size
    largest = min(size) / 2 if largest is None else largest
    octaves = max(1, round(math.log2(largest / smallest)))
    cells = [math.ceil(4 * smallest * 2**i) for i in range(octaves)]
    order = np.random.default_rng(0)
    n = [-(-max(size) // c) + 1 for c in cells]
    look_key, leaf_key, grain_key = jax.random.split(key, 3)
    palette = _palette(look_key)
    tables, rows, columns, offsets = [], [], [], []
    for layer in range(rounds * octaves):
        if layer % octaves == 0:
            turn = order.permutation(octaves)
        i = int(turn[layer % octaves])
        key = jax.random.fold_in(leaf_key, layer)
        share = (cells[i] / cells[-1]) ** (3 - exponent)
        table = _leaves(key, n[i], cells[i], exponent, share, palette)
        room = n[0] - n[i]
        tables.append(jnp.pad(table, ((0, 0), (0, room), (0, room))))
        offset = order.integers(0, cells[i], 2)
        rows.append((np.arange(height) + offset[0]) // cells[i])
        columns.append((np.arange(width) + offset[1]) // cells[i])
        offsets.append(offset)

    def fall(carry, layer):
        through, picture = carry
        table, row, column, offset = layer
        leaf = table[:, :, column][:, row]
        y = (jnp.arange(height) + offset[0]).astype(jnp.float32)[:, None]
        x = (jnp.arange(width) + offset[1]).astype(jnp.float32)
        alpha, along, across = coverage(leaf, y, x)
        shade = 1 + leaf[-6] * along + leaf[-5] * across
        seen = through * alpha
        values = jnp.stack([*(leaf[-4:-1] * shade), leaf[-1]])
        return (through - seen, picture + seen * values), None

    empty = jnp.zeros((4, height, width))
    (_, picture), _ = lax.scan(
        fall,
        (jnp.ones(size), empty),
        (
            jnp.stack(tables),
            jnp.asarray(np.stack(rows)),
            jnp.asarray(np.stack(columns)),
            jnp.asarray(np.stack(offsets)),
        ),
    )
    grain = jax.random.normal(grain_key, size)
    colour = jnp.moveaxis(picture[:3], 0, -1)
    return jnp.clip(colour * (1 + texture * picture[3] * grain)[..., None], 0, 1)


def random_masks(key: Array, size: tuple[int, int], objects: int) -> Array:
    """Objects in front of a background: (H, W, 1 + objects), summing to 1.

    The first is the background; of the others each lies in front of those after it.
    """
    draws = jax.random.uniform(key, (DRAWS + 3, objects))
    height, width = size
    radius = min(size) * (0.1 + 0.4 * draws[-3])
    centre = height * draws[-2], width * draws[-1]
    shape = shapes(draws[:DRAWS], centre, radius)
    y, x = jnp.mgrid[:height, :width].astype(jnp.float32)[..., None]
    alpha, _, _ = coverage(shape[:, None, None], y, x)
    through = jnp.cumprod(1 - alpha, -1)
    before = jnp.concatenate([jnp.ones((*size, 1)), through[..., :-1]], -1)
    return jnp.concatenate([through[..., -1:], alpha * before], -1)


def _palette(key: Array) -> Array:
    """Eight colours that go together: (3, 8)."""
    light, tint = jax.random.split(key)
    brightness = jax.random.uniform(light, (1, 8), minval=0.1, maxval=0.9)
    return brightness + 0.1 * jax.random.normal(tint, (3, 8))


def _leaves(key, n, cell, exponent, share, palette):
    """The leaves of one layer: (ROWS + 6, n, n)."""
    draws = jax.random.uniform(key, (DRAWS + 11, n, n))
    shape, own = draws[:DRAWS], draws[DRAWS:]
    low, high = (cell / 4) ** (1 - exponent), (cell / 2) ** (1 - exponent)
    radius = (low + own[0] * (high - low)) ** (1 / (1 - exponent))
    room = cell / 2 - radius
    start = cell * (jnp.arange(n) + 0.5)
    y = start[:, None] + (2 * own[1] - 1) * room
    x = start + (2 * own[2] - 1) * room
    y = jnp.where(own[10] < share, y, -1e6)
    shape = shapes(shape, (y, x), radius)
    colour = palette[:, (own[3] * 8).astype(int)] + 0.1 * (own[4:7] - 0.5)
    return jnp.concatenate([shape, 0.5 * (own[7:9] - 0.5), colour, own[9:10]])
