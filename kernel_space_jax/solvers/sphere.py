"""Descent on spheres: every step ends at the radius that the parameters began with.

    p <- p + u,   p <- p r / |p|,   r = |p| before the first step

|p| is that of each latent (N, L, S) over S, and of each map (N, H, W, 1) over its
pixels: the spherical optimiser of PULSE (Menon et al., CVPR 2020).
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array


class OnSphere(NamedTuple):
    """The state: that of the optimiser within, and r of each leaf."""

    inner: optax.OptState
    radius: Any


def on_sphere(optimiser: optax.GradientTransformation) -> optax.GradientTransformation:
    """The optimiser, each of whose steps is followed by the way back to the sphere.

    What the optimiser remembers is not projected.
    """

    def init(params: Any) -> OnSphere:
        return OnSphere(optimiser.init(params), jax.tree.map(_norm, params))

    def update(updates: Any, state: Any, params: Any = None):
        updates, inner = optimiser.update(updates, state.inner, params)

        def back(p: Array, u: Array, r: Array) -> Array:
            moved = p + u
            return moved / _norm(moved) * r - p

        projected = jax.tree.map(back, params, updates, state.radius)
        return projected, OnSphere(inner, state.radius)

    return optax.GradientTransformation(init, update)


def _norm(p: Array) -> Array:
    axes = (2,) if p.ndim == 3 else tuple(range(1, p.ndim))
    return jnp.sqrt(jnp.sum(jnp.square(p), axes, keepdims=True) + 1e-9)
