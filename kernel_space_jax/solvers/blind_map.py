"""Blind deblurring of uniform blur, coarse to fine: the MAP start.

    min over x, h   |M (h * x - y)|^2 + lambda |grad x|_0,    h >= 0, sum h = 1

After Xu, Zheng and Jia (2013) and Pan et al. (2014): at each scale of a pyramid the
latent x, of few and strong edges, and the kernel h that explains y by it take turns.
Both use a masked border (canvas.py), and all of it is one compiled program: Fourier
divisions for x, a projected and accelerated descent for h.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from kernel_space_jax.operators.camera import to_light
from kernel_space_jax.operators.uniform import fast_size, project
from kernel_space_jax.solvers.canvas import (
    Canvas,
    canvas,
    difference,
    difference_adjoint,
    difference_power,
)
from kernel_space_jax.solvers.non_blind import restore
from kernel_space_jax.solvers.refine import refine_kernel
from kernel_space_jax.solvers.sharpness import sharpness

# Settings of an earlier trial, which chose them on part of the Levin set.
TURNS = 10
# At the photo's own scale half of them do as well, on blurred photographs and Levin's.
LAST_TURNS = 5
FALL, LEAST_STRENGTH = 1.05, 2e-4
# From a kernel that is nearly right. Within 0.02 dB of the best of five pairs, up to
# 4e-3 and 20, on eight photos that we blurred by turning a camera, and on two halves.
NEAR_STRENGTH, NEAR_TURNS = 1e-3, 10
DATA_PENALTY = 0.1
FIRST_PENALTY = 8.0  # times the strength
INNER = 2
KERNEL_STEPS, BOUND_STEPS = 4, 30
RIDGE = 2e-3
CUT, LAST_CUT = 0.025, 0.05
LEAST_MASS = 0.05
SMALLEST = 3
STEP = 2**0.5
# Strengths to begin with, and w and v, by which their kernels are judged: chosen on 50
# photographs that we blurred with shakes of 5 to 31 pixels, and on our samples. Two
# strengths win 0.6 dB over one with kernels in boxes of 13, 21 and 29 pixels. Any w of
# 1.2 to 4 and v of 30 to 1000 does as well; three of Köhler's want w to be above 2.5.
# Without v some kernels with a haze around them are believed, which take a small blur
# for a large one: -13 dB.
STRENGTHS = (2e-3, 6e-3)
SPARSE, OUTSIDE, JUDGED_BORDER = 3.0, 100.0, 20
# Pixels a side of the kernels that are looked for, and in smaller photos.
SIZES = (29, 21, 13)
# Turns of the refinement at the end: on Levin's photos 32.1 dB become 32.5, on those
# that we blurred nothing changes.
REFINED = 2
# A photo is sharp if its sharpness is above the first of these, or above the second
# where the kernel found makes its edges hardly fewer (by this part). Of 16 sharp images
# of Kodak and BSDS that leaves 2 out; shakes of 5 to 31 pixels are below the second.
SURELY_SHARP, PERHAPS_SHARP, FEWER = -1.3, -1.95, 0.12


class Blind(NamedTuple):
    """h: (N, size, size), centred; error: (N,), how badly it explains the photo."""

    h: Array
    error: Array


def blind_map(y: Array, size: int | None = None, *, gamma: float = 1.0) -> Blind:
    """The kernel (size, size), size odd, behind each photo y (N, H, W, C) in [0, 1].

    It is looked for in y^gamma, the light that was blurred.

    Many strong edges or few may lead to the kernel, so it is looked for with each of
    `STRENGTHS`, and each photo takes the kernel that is the least to be doubted.
    Without a size a photo that is sharp keeps the kernel that does nothing: the search
    finds some blur in any photo.

    Not to be jitted as a whole: the searches go side by side through one program, as
    one of them keeps no more than one core busy.
    """
    light = to_light(y, gamma)
    # A kernel as large as half the photo leaves nothing to be seen.
    largest = next((n for n in SIZES if 2 * n <= min(y.shape[1:3])), SMALLEST)
    program = _program(light.shape, size or largest)
    run = lambda strength: jax.block_until_ready(program(light, jnp.float32(strength)))
    with ThreadPoolExecutor(len(STRENGTHS)) as pool:
        found = _least_doubted(light, list(pool.map(run, STRENGTHS)))
    return found if size else sharp_left(y, found)


@jax.jit
def _least_doubted(light: Array, found: Sequence[tuple[Blind, Array]]) -> Blind:
    """For each photo the kernel with the least doubt, refined."""
    all_found, doubts = jax.tree.map(lambda *parts: jnp.stack(parts), *found)
    best, photo = jnp.argmin(doubts, 0), jnp.arange(len(light))
    return _refined(light, jax.tree.map(lambda part: part[best, photo], all_found))


@jax.jit
def sharp_left(y: Array, found: Blind) -> Blind:
    """What was found, or the kernel that does nothing where y (N, H, W, C) is sharp."""
    middle = found.h.shape[-1] // 2
    nothing = jnp.zeros_like(found.h).at[:, middle, middle].set(1)
    sharp = _is_sharp(y, found.h, nothing)
    return Blind(
        jnp.where(sharp[:, None, None], nothing, found.h),
        jnp.where(sharp, 0, found.error),
    )


def blind_near(y: Array, h: Array, *, gamma: float = 1.0) -> Blind:
    """The kernels near h (N, size, size) behind photos y (N, H, W, C) in [0, 1].

    For parts of a photo that h has blurred nearly, as where a camera turned: x and h
    in turns, at the photo's own scale alone.
    """
    light = to_light(y, gamma)
    return _refined(light, _near(light, h))


@jax.jit
def _near(y: Array, h: Array) -> Blind:
    def one(plane: Array, h: Array) -> Blind:
        strength = jnp.float32(NEAR_STRENGTH)
        h, _, error = _level(plane, h, strength, NEAR_TURNS)
        return Blind(_clean(h, CUT), error)

    return jax.vmap(one)(jnp.mean(y, -1), h)


@jax.jit
def doubt(y: Array, h: Array) -> Array:
    """How little kernels (N, size, size) from anywhere are to be believed: (N,)."""
    error = jax.vmap(_unexplained)(jnp.mean(y, -1), h)
    return _doubt(y, Blind(h, error))


@jax.jit
def _refined(y: Array, found: Blind) -> Blind:
    """L0 edges are steeper than those of photos, so the kernels found are too wide."""
    plane = jnp.mean(y, -1, keepdims=True)
    h = refine_kernel(plane, found.h, jax.random.key(0), turns=REFINED)
    return found._replace(h=h)


def _is_sharp(y: Array, h: Array, nothing: Array) -> Array:
    """Whether the photos have no blur worth undoing, with h or with nothing: (N,)."""
    s, fewer = sharpness(y), _edges(_rough(y, nothing)) - _edges(_rough(y, h))
    return (s > SURELY_SHARP) | (s > PERHAPS_SHARP) & (fewer < FEWER)


@jax.jit
def _doubt(y: Array, found: Blind) -> Array:
    """How little a kernel is to be believed, without knowing the truth: (N,).

        log error + w log (|grad x|_1 / |grad x|_2) + v mean max(-x, x - 1, 0)

    The part of the photo's edges left unexplained, how far the x that it leads to is
    from having few edges, and from being a photo at all.
    """
    x = _rough(y, found.h)
    outside = jnp.mean(jnp.maximum(jnp.maximum(-x, x - 1), 0), (1, 2))
    return jnp.log(found.error + 1e-6) + SPARSE * _edges(x) + OUTSIDE * outside


def _rough(y: Array, h: Array) -> Array:
    """The middle of the grey x of h, by a few steps: (N, h, w)."""
    x = restore(jnp.mean(y, -1, keepdims=True), h, rounds=1, steps=20)[..., 0]
    reach = min(JUDGED_BORDER, min(y.shape[1:3]) // 4)
    return x[:, reach:-reach, reach:-reach]


def _edges(x: Array) -> Array:
    """log (|grad x|_1 / |grad x|_2) of x (N, h, w): (N,) (Krishnan et al. 2011)."""
    down, right = x[:, 1:, :-1] - x[:, :-1, :-1], x[:, :-1, 1:] - x[:, :-1, :-1]
    power = down**2 + right**2
    spread = jnp.mean(jnp.sqrt(power), (1, 2)) / jnp.sqrt(jnp.mean(power, (1, 2)))
    return jnp.log(spread + 1e-6)


@cache
def _program(shape: tuple[int, ...], side: int) -> Callable[..., tuple[Blind, Array]]:
    """`_search` of one shape, compiled: threads would do so one by one."""
    photos = jax.ShapeDtypeStruct(shape, jnp.float32)
    strength = jax.ShapeDtypeStruct((), jnp.float32)
    return jax.jit(partial(_search, side=side)).lower(photos, strength).compile()


def _search(y: Array, strength: Array, side: int) -> tuple[Blind, Array]:
    """Kernels (N, side, side) from coarse to fine, and their doubts.

    The strength is that of the first turn, and falls from turn to turn.
    """
    plane = jnp.mean(y, -1)
    scales = _scales(side)

    def one(plane: Array) -> Blind:
        h, falling, error = _start(scales[0]), strength, jnp.float32(0)
        for own in scales:
            ratio = own / side
            shape = tuple(max(round(n * ratio), 2 * own) for n in plane.shape)
            small = jax.image.resize(plane, shape, "linear", antialias=True)
            if own != scales[0]:
                h = _on_simplex(jax.image.resize(h, (own, own), "linear"))
            last = own == side
            turns = LAST_TURNS if last else TURNS
            h, falling, error = _level(small, h, falling, turns)
            h = _clean(h, CUT if last else LAST_CUT)
        return Blind(h, error)

    found = jax.vmap(one)(plane)
    return found, _doubt(y, found)


def _start(side: int) -> Array:
    """A kernel that does next to nothing, for a search to begin with."""
    middle = side // 2
    return jnp.zeros((side, side)).at[middle, middle : middle + 2].set(0.5)


def _scales(size: int) -> list[int]:
    """Odd kernel sizes, each a square root of 2 larger, from 3 to `size`."""
    sides, side = [size], float(size)
    while sides[-1] > SMALLEST:
        side /= STEP
        nearest = max(SMALLEST, 2 * round((side - 1) / 2) + 1)
        if nearest < sides[-1]:
            sides.append(nearest)
    return sides[::-1]


def _level(
    y: Array, h: Array, strength: Array, turns: int
) -> tuple[Array, Array, Array]:
    """x and h in turns on a photo (H, W) of one scale."""
    domain = canvas(y.shape, h.shape)

    def turn(_: int, state: tuple[Array, Array, Array]) -> tuple[Array, ...]:
        h, strength, _ = state  # type: ignore[assignment]
        x = _latent(domain, y, h, strength)
        h, error = _kernel(domain, y, x, h)
        h = _on_simplex(jnp.where(h < CUT * h.max(), 0, h))
        return h, jnp.maximum(strength / FALL, LEAST_STRENGTH), error

    return lax.fori_loop(0, turns, turn, (h, strength, jnp.float32(0)))  # type: ignore[return-value]


def _latent(domain: Canvas, y: Array, h: Array, strength: Array) -> Array:
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


def _kernel(domain: Canvas, y: Array, x: Array, h: Array) -> tuple[Array, Array]:
    """h >= 0 of sum 1 that explains the photo's differences by those of x.

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
            new = project(ahead - length * slope)
            return new, new + number / (number + 3.0) * (new - best)

        return lax.fori_loop(0, BOUND_STEPS, step, (h, h))[0]  # type: ignore[arg-type]

    h = lax.fori_loop(0, KERNEL_STEPS, descend, h)
    return h, jnp.sum(rest(h) ** 2) / jnp.maximum(jnp.sum((mask * seen) ** 2), 1e-12)


def _unexplained(y: Array, h: Array) -> Array:
    """The part of the differences of a photo (H, W) that h leaves unexplained."""
    domain = canvas(y.shape, h.shape)
    seen, mask = _seen(domain, y)
    edges = _differences(_latent(domain, y, h, jnp.float32(LEAST_STRENGTH)))
    blurred = domain.inverse(domain.transform(edges) * domain.kernel(h))
    rest = jnp.sum((mask * (blurred - seen)) ** 2)
    return rest / jnp.maximum(jnp.sum((mask * seen) ** 2), 1e-12)


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


def _on_simplex(h: Array) -> Array:
    h = jnp.maximum(h, 0)
    return h / jnp.maximum(jnp.sum(h), 1e-12)


def _clean(h: Array, cut: float) -> Array:
    """h without faint parts and small islands, its centre of mass in the middle."""
    h = jnp.where(h < cut * h.max(), 0, h)
    mass = island_mass(h)
    h = _on_simplex(jnp.where(mass < LEAST_MASS * jnp.sum(h), 0, h))
    side = h.shape[-1]
    middle = side // 2
    at = jnp.arange(side) - middle
    shift = [jnp.round(jnp.sum(h * g)).astype(int) for g in (at[:, None], at[None])]
    wide = jnp.pad(h, side)
    start = [side + offset for offset in shift]
    return _on_simplex(lax.dynamic_slice(wide, start, h.shape))


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
