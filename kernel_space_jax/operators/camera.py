"""A camera: its sensor and file format turn light into y = R(light)^(1/gamma).

The forward model of Carbajal et al. 2021: blur acts on light, not on the numbers of a
photo, and no pixel is brighter than white.
"""

import jax
import jax.numpy as jnp
from flax import struct
from jax import Array

from kernel_space_jax.operators.operator import Operator

GAMMA = 2.2
SHARPNESS = 50.0
# Light below this is black, 1/500 in a photo: the slope of light^(1/gamma) at 0 is
# infinite.
BLACK = 1e-6


@struct.dataclass
class Camera:
    """F seen by a camera: y = R(F(x^gamma, k))^(1/gamma), for the blur `operator`.

    x may be brighter than 1; with `saturates` R limits it. Without, only gamma is
    between x and y.
    """

    operator: Operator
    gamma: float = struct.field(pytree_node=False, default=GAMMA)
    saturates: bool = struct.field(pytree_node=False, default=True)

    def __call__(self, x: Array, k) -> Array:
        light = self.operator(to_light(x, self.gamma), k)
        light = saturate(light) if self.saturates else light
        return to_photo(jnp.maximum(light, BLACK), self.gamma)


def to_light(x: Array, gamma: float = GAMMA) -> Array:
    """x^gamma: a photo to linear light, any shape; values below 0 become 0."""
    return jnp.power(jnp.maximum(x, 0), gamma)


def to_photo(light: Array, gamma: float = GAMMA) -> Array:
    """light^(1/gamma), the inverse of `to_light`; values below 0 become 0."""
    return jnp.power(jnp.maximum(light, 0), 1 / gamma)


def saturate(light: Array, *, limit: float = 1.0) -> Array:
    """R(u) = u - log(1 + exp(a (u - limit))) / a, a = 50: softly min(u, limit)."""
    return light - jax.nn.softplus(SHARPNESS * (light - limit)) / SHARPNESS


def saturation_slope(light: Array, *, limit: float = 1.0) -> Array:
    """R'(u): 1 where light is recorded, 0 where only its limit is."""
    return jax.nn.sigmoid(SHARPNESS * (limit - light))
