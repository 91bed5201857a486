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
STRENGTH, FALL, LEAST_STRENGTH = 2e-3, 1.05, 2e-4
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
# The boxes that are tried, and how their kernels are judged: chosen on photographs
# that we blurred with shakes of 13 to 31 pixels, where every w from 0.8 to 2 picks
# the best box or one 0.6 dB behind it.
SIZES = (13, 21, 29)
SPARSE, JUDGED_BORDER = 1.2, 20
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

    Without a size, each photo takes the best of several: too small a box cuts a kernel
    off, too large a one lets the search go astray. And a photo that is sharp keeps the
    kernel that does nothing: the search finds some blur in any photo.

    Not to be jitted as a whole: the boxes are searched side by side by one program, as
    one of them keeps no more than one core busy.
    """
    light = to_light(y, gamma)
    if size is not None:
        return _refined(light, _program(light.shape, size)(light, jnp.int32(size))[0])
    # A kernel as large as half the photo leaves nothing to be seen.
    boxes = [n for n in SIZES if 2 * n <= min(y.shape[1:3])] or [SMALLEST]
    search = _program(light.shape, max(boxes))
    run = lambda box: jax.block_until_ready(search(light, jnp.int32(box)))
    with ThreadPoolExecutor(len(boxes)) as pool:
        return _least_doubted(y, light, list(pool.map(run, boxes)))


@jax.jit
def _least_doubted(
    y: Array, light: Array, found: Sequence[tuple[Blind, Array]]
) -> Blind:
    """For each photo the kernel with the least doubt, refined, unless it is sharp."""
    all_found, doubts = jax.tree.map(lambda *parts: jnp.stack(parts), *found)
    best, photo = jnp.argmin(doubts, 0), jnp.arange(len(y))
    chosen = jax.tree.map(lambda part: part[best, photo], all_found)
    return sharp_left(y, _refined(light, chosen))


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
        anywhere = jnp.ones(h.shape, bool)
        h, _, error = _level(plane, h, strength, NEAR_TURNS, anywhere)
        return Blind(_clean(h, CUT, anywhere), error)

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
    s, fewer = sharpness(y), _edges(y, nothing) - _edges(y, h)
    return (s > SURELY_SHARP) | (s > PERHAPS_SHARP) & (fewer < FEWER)


@jax.jit
def _doubt(y: Array, found: Blind) -> Array:
    """How little a kernel is to be believed, without knowing the truth: (N,).

        log error + w log (|grad x|_1 / |grad x|_2)

    The part of the photo's edges left unexplained, and how far the x that it leads to
    is from having few edges.
    """
    return jnp.log(found.error + 1e-6) + SPARSE * _edges(y, found.h)


def _edges(y: Array, h: Array) -> Array:
    """log (|grad x|_1 / |grad x|_2) of the x of h: (N,) (Krishnan et al. 2011)."""
    rough = restore(jnp.mean(y, -1, keepdims=True), h, rounds=1, steps=20)
    reach = min(JUDGED_BORDER, min(y.shape[1:3]) // 4)
    x = rough[:, reach:-reach, reach:-reach, 0]
    down, right = x[:, 1:, :-1] - x[:, :-1, :-1], x[:, :-1, 1:] - x[:, :-1, :-1]
    power = down**2 + right**2
    spread = jnp.mean(jnp.sqrt(power), (1, 2)) / jnp.sqrt(jnp.mean(power, (1, 2)))
    return jnp.log(spread + 1e-6)


@cache
def _program(shape: tuple[int, ...], side: int) -> Callable[..., tuple[Blind, Array]]:
    """`search_within` of one shape, compiled: threads would do so one by one."""
    photos = jax.ShapeDtypeStruct(shape, jnp.float32)
    box = jax.ShapeDtypeStruct((), jnp.int32)
    return jax.jit(partial(search_within, side=side)).lower(photos, box).compile()


def search_within(y: Array, box: Array, side: int) -> tuple[Blind, Array]:
    """Kernels (N, side, side) that lie within a box, from coarse to fine; their doubts.

    The box is an odd number of pixels, no more than `side`. It is no constant of the
    program, for that takes long to compile, and one does for boxes of all sizes.
    """
    plane = jnp.mean(y, -1)
    scales = _scales(side)

    def one(plane: Array) -> Blind:
        h, begun = _start(scales[0]), jnp.bool_(False)
        strength, error = jnp.float32(STRENGTH), jnp.float32(0)
        for own in scales:
            ratio = own / side
            shape = tuple(max(round(n * ratio), 2 * own) for n in plane.shape)
            small = jax.image.resize(plane, shape, "linear", antialias=True)
            finer = _on_simplex(jax.image.resize(h, (own, own), "linear"))
            h = jnp.where(begun, finer, _start(own))
            # Where the box is smaller than the smallest kernel nothing is searched.
            begun = box * own >= SMALLEST * side
            turns = jnp.where(begun, LAST_TURNS if own == side else TURNS, 0)
            inside = _box(own, box * ratio)
            h, strength, error = _level(small, h, strength, turns, inside)
            h = _clean(h, CUT if own == side else LAST_CUT, inside)
        return Blind(h, error)

    found = jax.vmap(one)(plane)
    return found, _doubt(y, found)


def _start(side: int) -> Array:
    """A kernel that does next to nothing, for a search to begin with."""
    middle = side // 2
    return jnp.zeros((side, side)).at[middle, middle : middle + 2].set(0.5)


def _box(side: int, width: float | Array) -> Array:
    """Where a kernel (side, side) lies within a box of a width, 3 pixels at least."""
    reach = jnp.maximum(jnp.round((width - 1) / 2), SMALLEST // 2)
    near = jnp.abs(jnp.arange(side) - side // 2) <= reach
    return near[:, None] & near


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
    y: Array, h: Array, strength: Array, turns: int | Array, inside: Array
) -> tuple[Array, Array, Array]:
    """x and h in turns on a photo (H, W) of one scale; h is 0 but `inside` a box."""
    domain = canvas(y.shape, h.shape)

    def turn(_: int, state: tuple[Array, Array, Array]) -> tuple[Array, ...]:
        h, strength, _ = state  # type: ignore[assignment]
        x = _latent(domain, y, h, strength)
        h, error = _kernel(domain, y, x, h, inside)
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


def _kernel(
    domain: Canvas, y: Array, x: Array, h: Array, inside: Array
) -> tuple[Array, Array]:
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
            new = project(jnp.where(inside, ahead - length * slope, -jnp.inf))
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


def _clean(h: Array, cut: float, inside: Array) -> Array:
    """h without faint parts and small islands, its centre of mass in the middle.

    What that moves out of its box is lost.
    """
    h = jnp.where(h < cut * h.max(), 0, h)
    mass = island_mass(h)
    h = _on_simplex(jnp.where(mass < LEAST_MASS * jnp.sum(h), 0, h))
    side = h.shape[-1]
    middle = side // 2
    at = jnp.arange(side) - middle
    shift = [jnp.round(jnp.sum(h * g)).astype(int) for g in (at[:, None], at[None])]
    wide = jnp.pad(h, side)
    start = [side + offset for offset in shift]
    return _on_simplex(inside * lax.dynamic_slice(wide, start, h.shape))


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
