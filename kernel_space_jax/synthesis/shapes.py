"""Random shapes with smooth edges: what dead leaves and moving objects are cut from.

A shape is where a bent ellipse and four half-planes overlap: discs, crescents,
polygons, and the slices between them, by how far the half-planes cut in. Shapes are
the rows of an array, (ROWS, N), so that many are drawn and looked up at once.
"""

import jax.numpy as jnp
from jax import Array, lax

SIDES = 4
# Numbers from U(0, 1) that a shape is made of.
DRAWS = 5 + 2 * SIDES
# The ellipse's two axes, its scales, its bend, and three a half-plane.
ROWS = 9 + 3 * SIDES


def shapes(draws: Array, centre: tuple[Array, Array], radius: Array) -> Array:
    """Shapes about a centre (row, column), none reaching further than the radius.

    draws (DRAWS, N); centre and radius (N,). Returns (ROWS, N).
    """
    kind, thin, turn, bent, depth = draws[:5]
    y, x = centre
    # One in seven is round; three in seven have corners.
    round_ = kind < 1 / 7
    cornered = kind > 4 / 7
    bend = jnp.where(round_ | cornered, 0, 1.6 * (bent - 0.5))
    long = radius / (1 + jnp.abs(bend) / 2)
    short = long * jnp.where(round_, 1, 0.2 + 0.8 * thin)
    angle = 2 * jnp.pi * turn
    sin, cos = jnp.sin(angle), jnp.cos(angle)
    rows = [
        cos / short,
        -sin / short,
        (sin * x - cos * y) / short,
        sin / long,
        cos / long,
        -(sin * y + cos * x) / long - bend / 2,
        1 / long,
        1 / short,
        bend,
    ]
    # Half-planes beyond the ellipse cut nothing off.
    cut = jnp.where(cornered, 0.35 + 0.35 * depth, 0.7 + 3 * depth)
    for side in range(SIDES):
        wobble, own = draws[5 + 2 * side : 7 + 2 * side]
        normal = angle + 2 * jnp.pi / SIDES * (side + 0.6 * (wobble - 0.5))
        sin, cos = jnp.sin(normal), jnp.cos(normal)
        reach = long if side % 2 == 0 else short
        distance = reach * cut * (0.6 + 0.8 * own)
        rows += [sin, cos, -(sin * y + cos * x) - distance]
    return jnp.stack(rows)


def coverage(shape: Array, y: Array, x: Array) -> Array:
    """How much of the pixel at (y, x) a shape covers, 0 to 1: (ROWS, ...) -> (...)."""
    across = shape[0] * y + shape[1] * x + shape[2]
    along = shape[3] * y + shape[4] * x + shape[5]
    bend = shape[8] * across
    along = along + bend * across
    # The distance to the curve f = 1, to first order: (f - 1) / |grad f|.
    f = along * along + across * across
    slope = jnp.square(along * shape[6])
    slope += jnp.square((across + 2 * along * bend) * shape[7])
    distance = 0.5 * (f - 1) * lax.rsqrt(slope + 1e-12)
    for side in range(9, ROWS, 3):
        edge = shape[side] * y + shape[side + 1] * x + shape[side + 2]
        distance = jnp.maximum(distance, edge)
    return jnp.clip(0.5 - distance, 0, 1)
