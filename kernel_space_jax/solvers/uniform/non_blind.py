"""x from a photo y and its known kernel h: a sparse prior and a masked border.

    x = argmin_x  1/2 |M(h * x - y)|^2 + strength sum_i w_i |a_i D_i x|_1

D_i are the first and second differences, M the photo (see canvas.py), and a_i weights
a pixel: 1 at first, then smaller where the x just found has structure, so that texture
is not flattened and smooth parts are smoothed the more. This is the alternating
direction method of multipliers, split at v = h * x and u_i = D_i x: every step is
pointwise but for x, which is one division of spectra.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from kernel_space_jax.solvers.canvas import (
    canvas,
    difference,
    difference_adjoint,
    difference_power,
)

# w_i of each difference.
DIFFERENCES = {"x": 1.0, "y": 1.0, "xx": 0.25, "yy": 0.25, "xy": 0.25}

# Settings from photos that we blurred, with the noise and softness of real ones.
ROUNDS = 2
STEPS = 50
DATA_PENALTY = 0.05
PRIOR_PENALTY = 60.0  # times the strength
# a = 1 / (mean |D x| around the pixel + FLOOR), scaled to leave the sum as it is.
FLOOR = 0.02
WINDOW = 5

# The best strength grows with the noise's variance; below the least, nothing is won.
# Of 3 to 24 the best are 6 and 8, on average over photos that we shook, as sharp as
# they come and softened, with noise of 0.005 to 0.02; the sharper the photo, the less.
STRENGTH_PER_VARIANCE = 7.0
LEAST_STRENGTH = 1.5e-4
NOISE_BLOCK = 8


def restore(
    y: Array,
    h: Array,
    *,
    strength: Array | float | None = None,
    rounds: int = ROUNDS,
    steps: int = STEPS,
) -> Array:
    """The sharp image x of the photo y = h * x + noise, with nothing assumed outside.

    y is (N, H, W, C); h is (kh, kw), or (N, kh, kw), one an image. `strength` of the
    prior, a number or (N, C), is by default taken from the noise in y. The prior is
    weighed anew in each of the `rounds` of `steps`. Returns x as large as y, not
    clipped.
    """
    if strength is None:
        strength = noise_strength(y)
    n, *_, channels = y.shape
    return _restore_all(
        y,
        jnp.broadcast_to(h, (n, *h.shape[-2:])),
        jnp.broadcast_to(jnp.asarray(strength, y.dtype), (n, channels)),
        rounds,
        steps,
    )


@jax.jit
def wiener(y: Array, h: Array, *, noise: Array | float | None = None) -> Array:
    """x of y = h * x + noise (N, H, W, C) and h (kh, kw) by one division of spectra.

    X = conj(H) Y / (|H|^2 + noise^2 / S), S a natural photo's power, which falls with
    the square of the frequency f: the variance of y shared out as 1 / (f^2 + f_0^2).
    The border goes on as the photo's outermost pixels. Here to be compared with.
    """
    planes = jnp.moveaxis(y, -1, 1)
    domain = canvas(planes.shape[-2:], h.shape)
    wide = domain.fill(planes)
    mean = jnp.mean(wide, (-2, -1), keepdims=True)
    sigma = noise_level(y) if noise is None else jnp.full((len(y), y.shape[-1]), noise)
    rows, columns = domain.size
    f = jnp.hypot(jnp.fft.fftfreq(rows)[:, None], jnp.fft.rfftfreq(columns))
    share = 1 / (f**2 + 1 / (rows * columns))
    share = share / jnp.fft.irfft2(share, domain.size)[0, 0]
    power = jnp.var(wide, (-2, -1), keepdims=True) * share
    kernel = domain.kernel(h)
    gain = jnp.conj(kernel) / (
        jnp.abs(kernel) ** 2 + sigma[..., None, None] ** 2 / jnp.maximum(power, 1e-12)
    )
    x = mean + domain.inverse(gain * domain.transform(wide - mean))
    return jnp.moveaxis(domain.cut(x), 1, -1)


def noise_strength(y: Array) -> Array:
    """The strength that the noise in y (N, H, W, C) asks for: (N, C)."""
    return jnp.maximum(STRENGTH_PER_VARIANCE * noise_level(y) ** 2, LEAST_STRENGTH)


def noise_level(y: Array) -> Array:
    """Standard deviation of the noise in y: (N, H, W, C) -> (N, C).

    The second differences in the smoother blocks of the photo: blur leaves little
    else there.
    """
    r = (y[:, 1:, 1:] - y[:, :-1, 1:] - y[:, 1:, :-1] + y[:, :-1, :-1]) / 2
    n, height, width, c = r.shape
    rows, columns = (max(side // NOISE_BLOCK, 1) for side in (height, width))
    tall, wide = (min(side, NOISE_BLOCK) for side in (height, width))
    r = r[:, : rows * tall, : columns * wide]
    blocks = r.reshape(n, rows, tall, columns, wide, c)
    power = jnp.mean(jnp.square(blocks), (2, 4)).reshape(n, -1, c)
    return jnp.sqrt(jnp.quantile(power, 0.25, axis=1))


class _State(NamedTuple):
    """x, h * x, and the scaled multipliers of v = h * x and of u_i = D_i x."""

    x: Array
    blurred: Array
    data: Array
    prior: dict[str, Array]


@partial(jax.jit, static_argnames=("rounds", "steps"))
def _restore_all(y: Array, h: Array, strength: Array, rounds: int, steps: int) -> Array:
    """x of all (N, H, W, C), from the kernels (N, kh, kw) and strengths (N, C)."""
    plane = partial(_restore, rounds=rounds, steps=steps)
    channels = jax.vmap(plane, (0, None, 0))
    return jnp.moveaxis(jax.vmap(channels)(jnp.moveaxis(y, -1, 1), h, strength), 1, -1)


def _restore(y: Array, h: Array, strength: Array, rounds: int, steps: int) -> Array:
    """x (H, W) of one plane y (H, W)."""
    domain = canvas(y.shape, h.shape)
    plane = domain.fill(y)
    kernel = domain.kernel(h)
    mask = domain.mask()
    penalty = PRIOR_PENALTY * strength
    power = sum(difference_power(domain.size, name) for name in DIFFERENCES)
    inverse = 1 / (DATA_PENALTY * jnp.abs(kernel) ** 2 + penalty * power + 1e-8)

    def step(weights: dict[str, Array], state: _State) -> _State:
        # v: between y and h * x on the photo, free outside.
        v = state.blurred + state.data
        v = jnp.where(mask, (plane + DATA_PENALTY * v) / (1 + DATA_PENALTY), v)
        data = state.data + state.blurred - v
        prior, pull = {}, jnp.zeros_like(plane)
        for name, weight in DIFFERENCES.items():
            z = difference(state.x, name) + state.prior[name]
            # u shrinks z; what is shrunk away is the new multiplier.
            bound = weight * weights[name] / PRIOR_PENALTY
            prior[name] = jnp.clip(z, -bound, bound)
            pull += difference_adjoint(z - 2 * prior[name], name)
        spectrum = inverse * (
            DATA_PENALTY * jnp.conj(kernel) * domain.transform(v - data)
            + penalty * domain.transform(pull)
        )
        return _State(
            domain.inverse(spectrum), domain.inverse(kernel * spectrum), data, prior
        )

    def again(_: int, last: tuple[_State, dict]) -> tuple[_State, dict]:
        state, weights = last
        state = lax.fori_loop(0, steps, lambda _, state: step(weights, state), state)
        return state, {n: _weights(difference(state.x, n)) for n in DIFFERENCES}

    zero, one = jnp.zeros_like(plane), jnp.ones_like(plane)
    state = _State(
        plane,
        domain.inverse(kernel * domain.transform(plane)),
        zero,
        dict.fromkeys(DIFFERENCES, zero),
    )
    start = (state, dict.fromkeys(DIFFERENCES, one))
    return domain.cut(lax.fori_loop(0, rounds, again, start)[0].x)


def _weights(gradient: Array) -> Array:
    """a of one difference (H, W): small where its neighbourhood is busy."""
    around = jnp.abs(gradient)
    for axis in (-2, -1):
        reach = range(-(WINDOW // 2), WINDOW // 2 + 1)
        around = sum(jnp.roll(around, i, axis) for i in reach) / WINDOW
    a = 1 / (around + FLOOR)
    return a * jnp.mean(around) / (jnp.mean(a * around) + 1e-12)
