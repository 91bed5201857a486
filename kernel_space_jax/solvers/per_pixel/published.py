"""Richardson-Lucy as the program of Carbajal et al. 2021 computes it.

For comparison with published numbers only: `richardson_lucy` is the one to use. In the
place of the adjoint A^T stands the blur of the turned kernels, B w = sum_b m_b .
(h_b^T * w), nothing divides by A^T 1, and what lies outside the photo is taken to be
its reflection. With x an estimate of the photo, f = x^gamma its light, R and R' the
sensor's response and slope, one step is

    x <- (f . B w)^(1/gamma) / (1 - tv div(grad x / |grad x|))
    w = y^gamma / A f                      "plain"
    w = y^gamma R'(A f) / R(A f) + 1 - R'(A f)       "saturated" (Whyte et al. 2014)
    w = z y^gamma / A f + 1 - z            "masked", z = 1 where y < threshold

and "combined" steps what is bright in x and what is not apart from each other, so that
errors around clipped lights stay there.
"""

from functools import partial
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from kernel_space_jax.operators import uniform
from kernel_space_jax.operators.camera import (
    GAMMA,
    saturate,
    saturation_slope,
    to_light,
    to_photo,
)
from kernel_space_jax.operators.per_pixel import KernelField, inside

Variant = Literal["plain", "saturated", "masked", "combined"]

# The response is that of light no further than this beyond white.
BEYOND = 0.5
# Blur through an FFT leaves traces below 0 where there is no light to divide by.
DARKEST = 1e-8
# Where the gradient is smaller than this it has no direction.
FLAT = 1e-9
# "combined" stops when its error falls by less.
LEAST_PROGRESS = 1e-6
# Kernels reach where their mean is above this part of its maximum. The recorded
# numbers tell 0.226 to 0.258.
REACH = 0.25


class Published(NamedTuple):
    """x: (N, H, W, C), not clipped; steps: (N,) steps made."""

    x: Array
    steps: Array


@partial(
    jax.jit,
    static_argnames=("variant", "steps", "gamma", "erode", "smooth", "dilate"),
)
def published_richardson_lucy(
    y: Array,
    field: KernelField,
    *,
    variant: Variant = "combined",
    steps: int = 30,
    gamma: float = GAMMA,
    tv: float | Array = 1e-3,
    threshold: float = 0.99,
    erode: bool = True,
    smooth: bool = True,
    dilate: bool = False,
    start: Array | None = None,
) -> Published:
    """x of the photo y (N, H, W, C) in [0, 1], started from y or from `start`.

    "combined" takes for not bright what is below the threshold, after shrinking it by
    a pixel (`erode`) and a 3x3 mean (`smooth`); with `dilate`, light that is within
    the kernels' reach of bright pixels does not count in the others' data either.
    """
    start = y if start is None else start

    def one(y: Array, x: Array, field: KernelField) -> tuple[Array, Array]:
        return _restore(
            jnp.moveaxis(y, -1, 0)[None],
            jnp.moveaxis(x, -1, 0)[None],
            jax.tree.map(lambda a: a[None], field),
            _Options(variant, steps, gamma, tv, threshold, erode, smooth, dilate),
        )

    x, made = lax.map(lambda each: one(*each), (y, start, field))
    return Published(jnp.moveaxis(x[:, 0], 1, -1), made)


class _Options(NamedTuple):
    variant: Variant
    steps: int
    gamma: float
    tv: float | Array
    threshold: float
    erode: bool
    smooth: bool
    dilate: bool


class _State(NamedTuple):
    x: Array
    steps: Array
    error: Array
    stopped: Array


def _restore(
    y: Array, start: Array, field: KernelField, options: _Options
) -> tuple[Array, Array]:
    """x and the steps made, of one photo in planes (1, C, H, W)."""
    turned = field._replace(kernels=jnp.flip(field.kernels, (-2, -1)))
    blur, back = _reflecting(field, y.shape), _reflecting(turned, y.shape)
    light = to_light(y, options.gamma)

    def step(state: _State) -> _State:
        x = state.x
        seen = jnp.maximum(blur(to_light(x, options.gamma)), DARKEST)
        near = jnp.minimum(seen, 1 + BEYOND)
        slope = saturation_slope(near)
        change = light * slope / saturate(near) - slope
        if options.variant == "combined":
            dim = _dim(x, options)
            counts = dim
            if options.dilate:
                counts = _sees_none(jnp.ceil(1 - dim), field)
            # Rounding must not make either part negative.
            parts = ((dim * x, counts), (jnp.maximum(x - dim * x, 0), 1.0))
            new = sum(
                to_photo(to_light(part, options.gamma) * back(1 + z * change),
                         options.gamma)
                for part, z in parts
            )  # fmt: skip
        else:
            w = {
                "plain": lambda: light / seen,
                "saturated": lambda: 1 + change,
                "masked": lambda: jnp.where(y < options.threshold, light / seen, 1),
            }[options.variant]()
            new = to_photo(to_light(x, options.gamma) * back(w), options.gamma)
        new = new / (1 - options.tv * curvature(x))
        # The error is that of the x before this step, which is dropped at the stop.
        error = jnp.mean(jnp.square(y - to_photo(near, options.gamma)))
        stop = (options.variant == "combined") & (state.error - error < LEAST_PROGRESS)
        return _State(
            jnp.where(stop, x, new), state.steps + jnp.where(stop, 0, 1), error, stop
        )

    def unfinished(state: _State) -> Array:
        return ~state.stopped & (state.steps < options.steps)

    zero = jnp.zeros((), jnp.int32)
    first = _State(start, zero, jnp.float32(jnp.inf), jnp.bool_(False))
    last = lax.while_loop(unfinished, step, first)
    return last.x, last.steps


def _reflecting(field: KernelField, shape: tuple[int, ...]):
    """The blur of planes whose border is their reflection, mixed after blurring."""
    sides = tuple((k - 1 - k // 2, k // 2) for k in field.side)
    size = (shape[-2] + field.side[0] - 1, shape[-1] + field.side[1] - 1)
    blur = inside(field, size)
    return lambda x: blur(jnp.pad(x, ((0, 0), (0, 0), *sides), mode="reflect"))


def curvature(x: Array) -> Array:
    """div(grad x / |grad x|) by Sobel differences, zero outside: (..., H, W)."""
    # Differences before sums: they are exact in flat regions.
    across, down = _sobel(x, -1), _sobel(x, -2)
    size = jnp.sqrt(across**2 + down**2)
    size = jnp.where(size < FLAT, 1, size)
    return _sobel(across / size, -1) + _sobel(down / size, -2)


def _sobel(x: Array, axis: int) -> Array:
    """The Sobel difference along an axis, -1 or -2, of the pixels before and after."""
    other = -3 - axis
    before, _, after = _neighbours(x, axis)
    before, middle, after = _neighbours(before - after, other)
    return before + 2 * middle + after


def _neighbours(x: Array, axis: int) -> tuple[Array, Array, Array]:
    """x[p - 1], x[p] and x[p + 1] along an axis, 0 outside."""
    sides = [(0, 0)] * x.ndim
    sides[axis] = (1, 1)
    padded, axis = jnp.pad(x, sides), axis % x.ndim
    before, _, after = (
        lax.slice_in_dim(padded, i, i + x.shape[axis], axis=axis) for i in range(3)
    )
    return before, x, after


def _dim(x: Array, options: _Options) -> Array:
    """How far each pixel of x is not a bright one, 0 to 1."""
    dim = (x < options.threshold).astype(x.dtype)
    window, strides = (1, 1, 3, 3), (1, 1, 1, 1)
    if options.erode:
        dim = lax.reduce_window(dim, jnp.inf, lax.min, window, strides, "SAME")
    if options.smooth:
        dim = lax.reduce_window(dim, 0.0, lax.add, window, strides, "SAME") / 9
    return dim


def _sees_none(bright: Array, field: KernelField) -> Array:
    """Where the kernels reach no bright pixel: 1, elsewhere 0."""
    mean = jnp.mean(field.kernels, (0, 1))
    reach = (mean > REACH * jnp.max(mean)).astype(bright.dtype)
    planes = bright[0, ..., None]
    count = uniform.convolve(planes, reach, border="zero")
    return (count < 0.5).astype(bright.dtype)[None, ..., 0]
