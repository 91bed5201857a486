"""The MAP start at one scale: edges and kernel of a blurred photo, in turns.

    x = argmin |M (h * x - y)|^2 + lambda |grad x|_0
    h = argmin sum_d |M_d (h * D_d x - D_d y)|^2 + ridge |D x|^2 |h|^2,  h of sum 1

x by half-quadratic splitting with Fourier divisions (Xu, Zheng and Jia 2013), h by a
projected and accelerated descent; both with a masked border (canvas.py). `blind_map`
goes through the scales.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array, lax

from kernel_space_jax.operators.uniform import fast_size, project
from kernel_space_jax.solvers.canvas import (
    Canvas,
    canvas,
    difference,
    difference_adjoint,
    difference_power,
)

# Settings of an earlier trial, which chose them on part of the Levin set.
FALL, LEAST_STRENGTH = 1.05, 2e-4
DATA_PENALTY = 0.1
FIRST_PENALTY = 8.0  # times the strength
INNER = 2
KERNEL_STEPS, BOUND_STEPS = 4, 30
RIDGE = 2e-3
CUT = 0.025
LEAST_MASS = 0.05
# So far below what a kernel can be that the projection makes it 0.
OUTSIDE = -1e3


def in_turns(
    y: Array,
    h: Array,
    strength: Array,
    turns: int,
    *,
    box: Array | float = 1.0,
    fall: float = FALL,
    least: float = LEAST_STRENGTH,
    kernel_steps: int = KERNEL_STEPS,
) -> tuple[Array, Array, Array]:
    """x and h in turns on a photo (H, W) of one scale.

    The strength falls from turn to turn to the least one. h fills no more than the part
    `box` of its side. Returns the kernel, the strength that is left, and the part
    of the photo unexplained.
    """
    domain, side = canvas(y.shape, h.shape), h.shape[-1]
    away = jnp.abs(jnp.arange(side) - side // 2)
    inside = jnp.maximum(away[:, None], away[None]) <= box * side / 2

    def turn(_: int, state: tuple[Array, Array, Array]) -> tuple[Array, ...]:
        h, strength, _ = state  # type: ignore[assignment]
        x = latent(domain, y, h, strength)
        h, error = _kernel(domain, y, x, h, inside, kernel_steps)
        h = on_simplex(jnp.where(h < CUT * h.max(), 0, h))
        return h, jnp.maximum(strength / fall, least), error

    return lax.fori_loop(0, turns, turn, (h, strength, jnp.float32(0)))  # type: ignore[return-value]


def latent(domain: Canvas, y: Array, h: Array, strength: Array) -> Array:
    """x (height, width) of few edges, by half-quadratic splitting of both terms."""
    kernel, plane, mask = domain.kernel(h), domain.fill(y), domain.mask()
    power = difference_power(domain.size, "x") + difference_power(domain.size, "y")

    def inner(penalty: Array, state: tuple[Array, Array, Array]):
        x, blurred, data = state
        v = blurred + data
        v = jnp.where(mask, (plane + DATA_PENALTY * v) / (1 + DATA_PENALTY), v)
        data = data + blurred - v
        edges = {name: difference(x, name) for name in "xy"}
        strong = edges["x"] ** 2 + edges["y"] ** 2 >= strength / penalty
        down, right = (difference_adjoint(strong * edges[n], n) for n in "yx")
        spectrum = DATA_PENALTY * jnp.conj(kernel) * domain.transform(v - data)
        spectrum = (spectrum + penalty * domain.transform(down + right)) / (
            DATA_PENALTY * jnp.abs(kernel) ** 2 + penalty * power + 1e-8
        )
        return domain.inverse(spectrum), domain.inverse(kernel * spectrum), data

    def step(state):
        penalty, inside = state
        inside = lax.fori_loop(0, INNER, lambda _, s: inner(penalty, s), inside)
        return 2 * penalty, inside

    blurred = domain.inverse(kernel * domain.transform(plane))
    start = FIRST_PENALTY * strength, (plane, blurred, jnp.zeros_like(plane))
    return lax.while_loop(lambda state: state[0] <= 1, step, start)[1][0]


def unexplained(y: Array, h: Array) -> Array:
    """The part of the differences of a photo (H, W) that h leaves unexplained."""
    domain = canvas(y.shape, h.shape)
    seen, mask = _seen(domain, y)
    edges = _differences(latent(domain, y, h, jnp.float32(LEAST_STRENGTH)))
    blurred = domain.inverse(domain.transform(edges) * domain.kernel(h))
    rest = jnp.sum((mask * (blurred - seen)) ** 2)
    return rest / jnp.maximum(jnp.sum((mask * seen) ** 2), 1e-12)


def _kernel(
    domain: Canvas, y: Array, x: Array, h: Array, inside: Array, steps: int
) -> tuple[Array, Array]:
    """h >= 0 of sum 1, 0 if not inside, that explains the photo's differences by x's.

        min  sum_d |M_d (h * D_d x - D_d y)|^2 + ridge |D x|^2 |h|^2

    And the part of the photo's differences that it leaves unexplained.
    """
    side = h.shape[-1]
    seen, mask = _seen(domain, y)
    edges = _differences(x)
    spectra = domain.transform(edges)
    ridge = RIDGE * jnp.sum(jnp.square(edges) * mask)

    def rest(h: Array) -> Array:
        return mask * (domain.inverse(spectra * domain.kernel(h)) - seen)

    def gradient(h: Array) -> Array:
        pulled = jnp.sum(jnp.conj(spectra) * domain.transform(rest(h)), 0)
        full = jnp.roll(domain.inverse(pulled), (side // 2, side // 2), (0, 1))
        return full[:side, :side] + ridge * h

    # The mask takes away from A^T A, so the one without, a small convolution with the
    # edges' correlation, is never below it: what is least under that bound is lower.
    power = jnp.sum(jnp.abs(spectra) ** 2, 0)
    bound = _correlation(domain, power, side)
    length = 1 / (jnp.max(power) + ridge + 1e-12)

    def descend(_: int, h: Array) -> Array:
        here = gradient(h)

        def step(number: Array, state: tuple[Array, Array]) -> tuple[Array, Array]:
            best, ahead = state
            away = ahead - h
            slope = here + bound(away) + ridge * away
            new = project(jnp.where(inside, ahead - length * slope, OUTSIDE))
            return new, new + number / (number + 3.0) * (new - best)

        return lax.fori_loop(0, BOUND_STEPS, step, (h, h))[0]  # type: ignore[arg-type]

    h = lax.fori_loop(0, steps, descend, h)
    return h, jnp.sum(rest(h) ** 2) / jnp.maximum(jnp.sum((mask * seen) ** 2), 1e-12)


def _seen(domain: Canvas, y: Array) -> tuple[Array, Array]:
    """The differences of the photo on the canvas, and where they were seen."""
    mask = domain.mask()
    # The first row and column of the photo differ from what nobody has seen.
    mask = jnp.stack([mask & jnp.roll(mask, 1, axis) for axis in (0, 1)])
    return _differences(domain.fill(y)), mask


def _differences(x: Array) -> Array:
    return jnp.stack([difference(x, name) for name in "yx"])


def _correlation(domain: Canvas, power: Array, side: int) -> Callable[[Array], Array]:
    """d -> A^T A d of kernels (side, side), A the convolution with no border."""
    reach = side - 1
    full = jnp.roll(domain.inverse(power), (reach, reach), (0, 1))
    taps = full[: 2 * side - 1, : 2 * side - 1]
    size = fast_size((3 * side - 2, 3 * side - 2))
    spectrum = jnp.fft.rfft2(taps, size)

    def apply(d: Array) -> Array:
        wide = jnp.fft.irfft2(spectrum * jnp.fft.rfft2(d, size), size)
        return wide[reach : reach + side, reach : reach + side]

    return apply


def on_simplex(h: Array) -> Array:
    """h without what is below 0, its sum 1."""
    h = jnp.maximum(h, 0)
    return h / jnp.maximum(jnp.sum(h), 1e-12)


def cleaned(h: Array, cut: float) -> Array:
    """h without faint parts and small islands, its centre of mass in the middle."""
    h = jnp.where(h < cut * h.max(), 0, h)
    mass = island_mass(h)
    h = on_simplex(jnp.where(mass < LEAST_MASS * jnp.sum(h), 0, h))
    side = h.shape[-1]
    middle = side // 2
    at = jnp.arange(side) - middle
    shift = [jnp.round(jnp.sum(h * g)).astype(int) for g in (at[:, None], at[None])]
    wide = jnp.pad(h, side)
    start = [side + offset for offset in shift]
    return on_simplex(lax.dynamic_slice(wide, start, h.shape))


def island_mass(h: Array) -> Array:
    """For each pixel of h the sum over its island (eight neighbours); 0 in the sea."""
    land = h > 0
    number = jnp.where(land, jnp.arange(1, h.size + 1).reshape(h.shape), 0)

    def spread(state: tuple[Array, Array]) -> tuple[Array, Array]:
        number, _ = state
        around = lax.reduce_window(number, 0, lax.max, (3, 3), (1, 1), "SAME")
        new = jnp.where(land, around, 0)
        return new, jnp.any(new != number)

    number, _ = lax.while_loop(lambda s: s[1], spread, (number, jnp.bool_(True)))
    sums = jax.ops.segment_sum(h.ravel(), number.ravel(), h.size + 1)
    return jnp.where(land, sums[number], 0)
