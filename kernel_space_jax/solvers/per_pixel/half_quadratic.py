"""The better solver for per-pixel blur: sparse differences, errors in the photo.

    x = argmin_x  1/2 |R(A x^gamma)^(1/gamma) - y|^2
                  + mu sigma^2 sum_i w_i sum_p |D_i x|_p^alpha

The noise is even over the photo y, so errors are measured in y. The blur A acts on
light, x^gamma, and R is the sensor's response. D_i are first and second
differences, |.|_p their size over all channels at a pixel. Rounds of two halves:
around the x at hand the photo is made linear and the prior quadratic (|d|^alpha becomes
beta |d|^2 / 2), and conjugate gradients take some steps to the answer of that. The
first x is that of a few Richardson-Lucy steps.

The masks of a field may be probabilities of kernels, not weights of a mixture. The
data term is then its mean over the kernels (`likely`):

    1/2 sum_b m_b |R(h_b * x^gamma)^(1/gamma) - y|^2

so x gets no detail that only some of the kernels explain.
"""

from collections.abc import Callable
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
from kernel_space_jax.solvers.per_pixel.richardson_lucy import photo_noise, sharpen

# w_i of each difference, the power alpha, and the size below which it is rounded off.
DIFFERENCES = {"x": 1.0, "y": 1.0, "xx": 0.5, "yy": 0.5, "xy": 0.5}
ALPHA = 0.8
ROUNDING = 5e-3
STRENGTH = 3.0

FIRST_STEPS = 10
INNER_STEPS = 10
# Slopes of the response are those of photos no darker than this; it is x^gamma steep.
DARKEST = 0.03
# x may become brighter than white, but not without bound where no data limits it.
BRIGHTEST = 1.5
# sum h^2 of a kernel, roughly: the diagonal of A^T A in the preconditioner.
KERNEL_POWER = 0.05
# Where no pixel of the photo depends on x, the diagonal is rounding error only.
LEAST_DIAGONAL = 1e-3
TINY = 1e-20

_Move = Callable[[Array], Array]


class _State(NamedTuple):
    x: Array
    steps: Array
    stopped: Array


@partial(
    jax.jit,
    static_argnames=(
        "steps",
        "convention",
        "gamma",
        "saturates",
        "strength",
        "likely",
    ),
)
def half_quadratic(
    y: Array,
    field: KernelField,
    *,
    noise: Array | float | None = None,
    steps: int = 5,
    tolerance: float | Array = 0.0,
    convention: Convention = "mix_after",
    gamma: float = GAMMA,
    saturates: bool = True,
    strength: float = STRENGTH,
    likely: bool = False,
) -> Restoration:
    """The sharp x of photos y (N, H, W, C) in [0, 1] under their field of kernels.

    `noise` is the standard deviation sigma of the noise in y, by default measured in
    it. An image is left as it is once a round changes it by less than `tolerance`
    (root mean square; 0: never), and after `steps` rounds. With `likely` the masks are
    probabilities of the kernels.
    """
    problem = beyond(y, field, convention, "fft" if likely else "auto")
    sigma = photo_noise(y, noise)
    light, _ = sharpen(
        problem,
        y,
        noise=sigma,
        steps=FIRST_STEPS,
        tolerance=0.0,
        gamma=gamma,
        saturates=saturates,
    )
    planes = jnp.moveaxis(y, -1, 1)
    weight = (strength * sigma**2)[:, None, None, None]

    def step(state: _State) -> _State:
        x = state.x
        data, pull, seen = _linear(problem, x, planes, gamma, saturates, likely)
        prior, power = _quadratic(x, weight)
        change = _conjugate_gradients(
            lambda d: data(d) + prior(d),
            pull - prior(x),
            seen + power + LEAST_DIAGONAL,
        )
        new = jnp.clip(x + change, 0, BRIGHTEST)
        size = jnp.sqrt(jnp.mean(jnp.square(new - x), (1, 2, 3)))
        return _State(
            jnp.where(state.stopped[:, None, None, None], x, new),
            state.steps + ~state.stopped,
            state.stopped | (size < tolerance),
        )

    def unfinished(state: _State) -> Array:
        return jnp.any(~state.stopped) & (jnp.max(state.steps) < steps)

    count = y.shape[0]
    first = _State(
        jnp.clip(to_photo(light, gamma), 0, BRIGHTEST),
        jnp.zeros(count, jnp.int32),
        jnp.zeros(count, bool),
    )
    last = lax.while_loop(unfinished, step, first)
    return Restoration(problem.cut(last.x), last.steps)


def _linear(
    problem: Beyond,
    x: Array,
    y: Array,
    gamma: float,
    saturates: bool,
    likely: bool,
) -> tuple[_Move, Array, Array]:
    """d -> J^T J d, J the Jacobian of the photo R(A x^gamma)^(1/gamma) at x; J^T times
    what y has more than that photo; and, roughly, the diagonal of J^T J."""
    blur = problem.blur
    into = gamma * jnp.maximum(x, DARKEST) ** (gamma - 1)

    def recorded(light: Array) -> Array:
        light = jnp.maximum(light, 0)
        return to_photo(saturate(light) if saturates else light, gamma)

    here = to_light(x, gamma)
    light = blur(here)
    photo = recorded(light)
    out = jnp.maximum(photo, DARKEST) ** (1 - gamma) / gamma
    if saturates:
        out = out * saturation_slope(light)
    seen = KERNEL_POWER * into**2 * jnp.maximum(blur.adjoint(out**2), 0)
    if likely:
        # The slopes of each kernel's photo are taken to be those of their mean.
        data = lambda d: into * blur.each(into * d, lambda move: out**2 * move)
        pull = into * blur.each(here, lambda light: out * (y - recorded(light)))
    else:
        data = lambda d: into * blur.adjoint(out**2 * blur(into * d))
        pull = into * blur.adjoint(out * (y - photo))
    return data, pull, seen


def _quadratic(x: Array, weight: Array) -> tuple[_Move, Array]:
    """d -> H d, H the Hessian of the prior's quadratic at x; roughly its diagonal."""
    curvatures = {}
    for name, share in DIFFERENCES.items():
        size = jnp.sum(jnp.square(difference(x, name)), 1, keepdims=True)
        curvatures[name] = (
            share * weight * ALPHA * (size + ROUNDING**2) ** (ALPHA / 2 - 1)
        )

    def hessian(d: Array) -> Array:
        return sum(
            difference_adjoint(curvature * difference(d, name), name)
            for name, curvature in curvatures.items()
        )  # type: ignore[return-value]

    # sum of the squares of each difference's coefficients
    power = {"x": 2.0, "y": 2.0, "xx": 6.0, "yy": 6.0, "xy": 4.0}
    diagonal = sum(power[name] * curvature for name, curvature in curvatures.items())
    return hessian, diagonal  # type: ignore[return-value]


def _conjugate_gradients(matrix: _Move, right: Array, diagonal: Array) -> Array:
    """`INNER_STEPS` preconditioned steps towards matrix(d) = right, from d = 0."""
    inner = lambda a, b: jnp.sum(a * b, (1, 2, 3), keepdims=True)

    def step(_: int, state: tuple[Array, ...]) -> tuple[Array, ...]:
        d, r, p, size = state
        image = matrix(p)
        length = size / jnp.maximum(inner(p, image), TINY)
        d, r = d + length * p, r - length * image
        z = r / diagonal
        new = inner(r, z)
        return d, r, z + new / jnp.maximum(size, TINY) * p, new

    z = right / diagonal
    start = (jnp.zeros_like(right), right, z, inner(right, z))
    return lax.fori_loop(0, INNER_STEPS, step, start)[0]
