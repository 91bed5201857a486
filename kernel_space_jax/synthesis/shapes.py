"""Random shapes with smooth edges: what dead leaves and moving objects are cut from.

A shape is where an ellipse and four half-planes overlap: discs, ellipses, polygons and
the slices between them, by how far the half-planes cut in. It is kept as the rows of
an array (ROWS, ...), so that many can be drawn and looked up at once.
"""

import jax.numpy as jnp
from jax import Array, lax

SIDES = 4
ROWS = 8 + 3 * SIDES
# Draws that a shape needs.
DRAWS = 4 + 2 * SIDES


def shapes(
    draws: Array, centre: tuple[Array, Array], radius: Array, *, thinnest: float = 0.25
) -> Array:
    """Shapes around a centre (row, column), none reaching beyond the radius.

    draws: (DRAWS, ...) from U(0, 1); centre and radius: (...). Returns (ROWS, ...).
    """
    kind, thin, turn, spread = draws[:4]
    # A fifth are round, two fifths elliptic, two fifths have corners.
    short = radius * jnp.where(kind < 0.2, 1, thinnest + (1 - thinnest) * thin)
    angle = 2 * jnp.pi * turn
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    y, x = centre
    rows = [
        sin / radius,
        cos / radius,
        -(sin * y + cos * x) / radius,
        cos / short,
        -sin / short,
        (sin * x - cos * y) / short,
        1 / radius,
        1 / short,
    ]
    # Few sides far apart: triangles and wedges; all four: quadrilaterals.
    cut = jnp.where(kind < 0.6, 2.0, 0.3 + 0.5 * spread)
    for side in range(SIDES):
        wobble, depth = draws[4 + 2 * side : 6 + 2 * side]
        normal = angle + 2 * jnp.pi * (side + 0.5 * wobble) / SIDES
        down, across = jnp.sin(normal), jnp.cos(normal)
        # The sides along the ellipse's short axis lie closer.
        reach = radius if side % 2 == 0 else short
        distance = reach * cut * (0.6 + 0.6 * depth)
        rows += [down, across, -(down * y + across * x) - distance]
    return jnp.stack(rows)


def coverage(shape: Array, y: Array, x: Array) -> tuple[Array, Array, Array]:
    """How much of the pixels at rows y and columns x a shape covers, 0 to 1.

    Also the place in the frame of the ellipse, -1 to 1 along its axes within.
    """
    along = shape[0] * y + shape[1] * x + shape[2]
    across = shape[3] * y + shape[4] * x + shape[5]
    # The distance to an ellipse f = 1, to first order: (f - 1) / |grad f|.
    f = along * along + across * across
    slope = jnp.square(along * shape[6]) + jnp.square(across * shape[7])
    distance = 0.5 * (f - 1) * lax.rsqrt(slope + 1e-12)
    for side in range(8, ROWS, 3):
        edge = shape[side] * y + shape[side + 1] * x + shape[side + 2]
        distance = jnp.maximum(distance, edge)
    return jnp.clip(0.5 - distance, 0, 1), along, across
