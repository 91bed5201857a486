"""How sharp a photo is, without its kernel.

    s = min_d  log  E[(y(p + d) - y(p))^2] / E[(y(p + 4d) - y(p))^2]

over four directions d, without the part of the noise. Neighbours in a sharp photo
differ nearly as much as pixels four steps apart; along a blur they differ far less.
"""

import jax.numpy as jnp
from jax import Array

from kernel_space_jax.solvers.uniform.non_blind import noise_level

DIRECTIONS = ((0, 1), (1, 0), (1, 1), (1, -1))
FAR = 4


def sharpness(y: Array) -> Array:
    """s of each photo (N, H, W, C): (N,); of one below 5 pixels a side it is 0."""
    if min(y.shape[1:3]) <= FAR:
        return jnp.zeros(len(y))
    plane = jnp.mean(y, -1)
    noise = 2 * noise_level(plane[..., None])[:, 0] ** 2

    def change(down: int, right: int) -> Array:
        """E[(y(p + d) - y(p))^2] without noise, for each photo."""
        height, width = plane.shape[1:]
        rows, columns = height - down, width - abs(right)
        left = max(0, -right)
        here = plane[:, :rows, left : left + columns]
        there = plane[:, down:, left + right : left + right + columns]
        power = jnp.mean(jnp.square(there - here), (1, 2)) - noise
        return jnp.maximum(power, 1e-9)

    ratios = [
        change(down, right) / change(FAR * down, FAR * right)
        for down, right in DIRECTIONS
    ]
    return jnp.log(jnp.min(jnp.stack(ratios), 0))
