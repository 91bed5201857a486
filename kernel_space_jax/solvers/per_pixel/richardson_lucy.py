"""Richardson-Lucy for per-pixel blur, in linear light.

The photo y is R(A f)^(1/gamma) of the light f, A the blur and R the sensor. Noise that
is even over the photo is, in light, nearly the noise of counted photons: its variance
is gamma^2 sigma^2 (A f)^(2 - 2/gamma), close to proportional to A f. That is what
Richardson and Lucy assume, and why this belongs in light. A step is

    f <- f . A^T w / (A^T 1 + mu gamma^2 sigma^2 dTV/df)
    w = y^gamma R'(A f) / R(A f) + 1 - R'(A f)

w after Whyte, Sivic and Zisserman (2014): a clipped pixel asks for nothing. TV is the
total variation of the photo f^(1/gamma), over all channels at once. Steps start from a
point ahead of f (Nesterov), which saves half of them.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from kernel_space_jax.operators.camera import (
    GAMMA,
    saturate,
    saturation_slope,
    to_light,
    to_photo,
)
from kernel_space_jax.operators.per_pixel import Convention, KernelField
from kernel_space_jax.solvers.canvas import difference, difference_adjoint
from kernel_space_jax.solvers.per_pixel.beyond import Beyond, Restoration, beyond
from kernel_space_jax.solvers.uniform.non_blind import noise_level

# mu, and the gradient of the photo below which TV is rounded off.
STRENGTH = 12.0
ROUNDING = 3e-3
# The least noise of a photo: that of 8 bits and of inexact kernels.
LEAST_NOISE = 3e-3
# Light is at least this: no division by less, and none that can never grow again.
DARKEST = 1e-6
# dTV/df grows without bound in the dark; there it is that of this light.
DARKEST_SLOPE = 1e-3
# The prior takes no more than this from A^T 1, which keeps steps finite.
LEAST_PART = 0.3
# Beyond the photo, where A^T 1 falls to nothing, light is held by this much.
LEAST_SEEN = 1e-2


class _State(NamedTuple):
    light: Array
    before: Array
    steps: Array
    stopped: Array


@partial(
    jax.jit, static_argnames=("steps", "convention", "gamma", "saturates", "strength")
)
def richardson_lucy(
    y: Array,
    field: KernelField,
    *,
    noise: Array | float | None = None,
    steps: int = 30,
    tolerance: float | Array = 0.0,
    convention: Convention = "mix_after",
    gamma: float = GAMMA,
    saturates: bool = True,
    strength: float = STRENGTH,
) -> Restoration:
    """The sharp x of photos y (N, H, W, C) in [0, 1] under their field of kernels.

    `noise` is the standard deviation sigma of the noise in y, by default measured in
    it. An image is left as it is once a step changes its light by less than the
    relative `tolerance` (0: never), and after `steps`.
    """
    problem = beyond(y, field, convention)
    f, made = sharpen(
        problem,
        y,
        noise=photo_noise(y, noise),
        steps=steps,
        tolerance=tolerance,
        gamma=gamma,
        saturates=saturates,
        strength=strength,
    )
    return Restoration(to_photo(problem.cut(f), gamma), made)


def photo_noise(y: Array, noise: Array | float | None) -> Array:
    """sigma of each photo (N, H, W, C), measured where `noise` is None: (N,)."""
    sigma = jnp.mean(noise_level(y), -1) if noise is None else jnp.asarray(noise)
    return jnp.maximum(jnp.broadcast_to(sigma, y.shape[:1]), LEAST_NOISE)


def sharpen(
    problem: Beyond,
    y: Array,
    *,
    noise: Array,
    steps: int,
    tolerance: float | Array,
    gamma: float,
    saturates: bool,
    strength: float = STRENGTH,
) -> tuple[Array, Array]:
    """The light f (N, C, h, w) of the larger domain, and the steps made (N,)."""
    light = jnp.moveaxis(to_light(y, gamma), -1, 1)
    weight = (strength * (gamma * noise) ** 2)[:, None, None, None]
    seen = problem.blur.adjoint(jnp.ones_like(light)) + LEAST_SEEN

    def improve(f: Array) -> Array:
        blurred = jnp.maximum(problem.blur(f), DARKEST)
        if saturates:
            slope = saturation_slope(blurred)
            w = 1 + slope * (light / saturate(blurred) - 1)
        else:
            w = light / blurred
        asked = jnp.maximum(problem.blur.adjoint(w), 0) + LEAST_SEEN
        # d f^(1/gamma) / df
        rate = jnp.maximum(f, DARKEST_SLOPE) ** (1 / gamma - 1) / gamma
        penalty = -weight * rate * _curvature(to_photo(f, gamma))
        return f * asked / jnp.maximum(seen + penalty, LEAST_PART * seen)

    def step(state: _State) -> _State:
        now = jnp.max(state.steps).astype(light.dtype)
        ahead = state.light + now / (now + 3) * (state.light - state.before)
        new = improve(jnp.maximum(ahead, DARKEST))
        stopped = state.stopped[:, None, None, None]
        change = _size(new - state.light) < tolerance * _size(new)
        return _State(
            jnp.where(stopped, state.light, new),
            state.light,
            state.steps + ~state.stopped,
            state.stopped | change,
        )

    def unfinished(state: _State) -> Array:
        return jnp.any(~state.stopped) & (jnp.max(state.steps) < steps)

    start = to_light(problem.fill(y), gamma)
    never = jnp.zeros(y.shape[0], bool)
    first = _State(start, start, jnp.zeros(y.shape[0], jnp.int32), never)
    last = lax.while_loop(unfinished, step, first)
    return last.light, last.steps


def _size(f: Array) -> Array:
    """Root mean square of each image: (N, C, H, W) -> (N,)."""
    return jnp.sqrt(jnp.mean(jnp.square(f), (1, 2, 3)))


def _curvature(x: Array) -> Array:
    """div(grad x / |grad x|), the gradient's size over all channels: (N, C, H, W)."""
    gradient = {axis: difference(x, axis) for axis in "yx"}
    squares = gradient["y"] ** 2 + gradient["x"] ** 2
    scale = lax.rsqrt(jnp.sum(squares, 1, keepdims=True) + ROUNDING**2)
    y, x = (difference_adjoint(d * scale, axis) for axis, d in gradient.items())
    return -(y + x)
