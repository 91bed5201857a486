"""Uniform blur: one kernel h for the whole image.

    y[p] = sum_a h[a] x[p + c - a],    c = (kh // 2, kw // 2)

a true convolution whose kernel has its centre at c: the middle of an odd side, the
first tap of the second half of an even one. Images are (N, H, W, C); h is (kh, kw),
shared by all, or (N, kh, kw), one an image.
"""

from typing import Literal

import jax
import jax.numpy as jnp
from flax import struct
from jax import Array, lax
from scipy.fft import next_fast_len

Border = Literal["zero", "reflect", "replicate", "circular", "valid"]
Method = Literal["auto", "direct", "fft"]

# Modes of jnp.pad; "reflect" does not repeat the outermost pixel.
PADDING = {
    "zero": "constant",
    "reflect": "reflect",
    "replicate": "edge",
    "circular": "wrap",
}

# Up to 3x3 taps "auto" sums shifted images, beyond that it takes the FFT. On two CPU
# cores, 256x256x3, forward and forward + backward in x, direct against FFT:
# 3x3 0.4 : 1.5 and 5 : 3 ms, 5x5 1.6 : 1.7 and 41 : 3 ms, 9x9 3 : 2 and 516 : 6 ms.
DIRECT_TAPS = 9

SEARCH_STEPS = 200
POWER_STEPS = 20
# An image of less variance than this cannot determine a kernel.
EVEN = 1e-12


@struct.dataclass
class Uniform:
    """F(x, h) = h * x, where k is the kernel in pixels: (kh, kw) or (N, kh, kw).

    A pytree without leaves, so it may be an argument of a jitted function.
    """

    border: Border = struct.field(pytree_node=False, default="reflect")

    def __call__(self, x: Array, k: Array) -> Array:
        return convolve(x, k, border=self.border)


def convolve(x: Array, h: Array, *, border: Border, method: Method = "auto") -> Array:
    """h * x: (N, H, W, C) -> the same; (N, H-kh+1, W-kw+1, C) for `border="valid"`.

    "direct" compiles one operation a tap, and is meant for small kernels.
    """
    return _valid(pad(x, h.shape[-2:], border), h, method)


def adjoint(y: Array, h: Array, *, border: Border, method: Method = "auto") -> Array:
    """The adjoint of `convolve` in x: <h * x, y> = <x, adjoint(y, h)> for all x, y.

    (N, H, W, C) -> the same; (N, H+kh-1, W+kw-1, C) for `border="valid"`.
    """
    padded = _full(y, h, method)
    if border == "valid":
        return padded
    # The adjoint of the padding adds its pixels to those that were copied.
    fold = jax.linear_transpose(lambda x: pad(x, h.shape[-2:], border), y)
    return fold(padded)[0]


def estimate(
    x: Array,
    y: Array,
    size: int,
    *,
    regularisation: float = 1e-5,
    steps: int = SEARCH_STEPS,
) -> Array:
    """The kernel that takes x to y: two (N, H, W, C) -> (N, size, size), size odd.

    argmin_h  mean_p |(h * x - y)[p]|^2 + regularisation |h|^2,  h >= 0, sum h = 1

    over the pixels p that no border reaches. Conjugate gradients find the
    unconstrained answer, accelerated projected gradients start from there: no more
    than `steps` of each.
    """
    return jax.vmap(lambda x, y: _estimate(x, y, size, regularisation, steps))(x, y)


def project(h: Array) -> Array:
    """The point of {h >= 0, sum h = 1} that is nearest to h, of any shape."""
    falling = jnp.sort(h.ravel())[::-1]
    excess = (jnp.cumsum(falling) - 1) / jnp.arange(1, h.size + 1)
    kept = jnp.sum(falling > excess)
    return jnp.maximum(h - excess[kept - 1], 0)


def pad(x: Array, kernel: tuple[int, ...], border: Border) -> Array:
    """x with the pixels that the border lends the kernel."""
    if border == "valid":
        return x
    sides = tuple((k - 1 - k // 2, k // 2) for k in kernel)
    return jnp.pad(x, ((0, 0), *sides, (0, 0)), mode=PADDING[border])


def _valid(x: Array, h: Array, method: Method) -> Array:
    """h * x where h lies within x: (N, H, W, C) -> (N, H-kh+1, W-kw+1, C)."""
    kh, kw = h.shape[-2:]
    height, width = x.shape[1:3]
    if _direct(h, method):
        rows, columns = height - kh + 1, width - kw + 1
        taps = jnp.flip(h, (-2, -1))[..., None, None, None]
        return sum(
            (
                taps[..., a, b, :, :, :] * x[:, a : a + rows, b : b + columns]
                for a in range(kh)
                for b in range(kw)
            ),
            start=jnp.zeros((), x.dtype),
        )
    # A circular convolution as large as x wraps round in the first k-1 pixels only.
    return _circular(x, h)[:, kh - 1 : height, kw - 1 : width]


def _full(y: Array, h: Array, method: Method) -> Array:
    """The adjoint of `_valid`: (N, H, W, C) -> (N, H+kh-1, W+kw-1, C)."""
    kh, kw = h.shape[-2:]
    height, width = (n + k - 1 for n, k in zip(y.shape[1:3], (kh, kw), strict=True))
    y = jnp.pad(y, ((0, 0), (0, kh - 1), (0, kw - 1), (0, 0)))
    h = jnp.flip(h, (-2, -1))
    if _direct(h, method):
        return _valid(jnp.pad(y, ((0, 0), (kh - 1, 0), (kw - 1, 0), (0, 0))), h, method)
    return _circular(y, h)[:, :height, :width]


def _direct(h: Array, method: Method) -> bool:
    kh, kw = h.shape[-2:]
    return method == "direct" or (method == "auto" and kh * kw <= DIRECT_TAPS)


def _circular(x: Array, h: Array) -> Array:
    """Circular convolution, at least as large as x."""
    size = fast_size(x.shape[1:3])
    spectrum = jnp.fft.rfft2(x, size, (1, 2)) * jnp.fft.rfft2(h, size)[..., None]
    return jnp.fft.irfft2(spectrum, size, (1, 2))


def fast_size(size: tuple[int, ...]) -> tuple:
    """The least sizes not under these whose real FFT is fast."""
    return tuple(next_fast_len(n, real=True) for n in size)


def _estimate(
    x: Array, y: Array, size: int, regularisation: float, steps: int
) -> Array:
    """`estimate` of one pair: two (H, W, C) -> (size, size)."""
    reach = size // 2
    height, width = x.shape[:2]
    inside = (slice(size - 1, height), slice(size - 1, width))
    # As sum h = 1 the mean is the same on both sides; left in, its one huge
    # eigenvalue would set the step of every other.
    mean = jnp.mean(x, (0, 1))
    target = (y - mean)[reach : height - reach, reach : width - reach]
    target = jnp.moveaxis(target, -1, 0)
    fast = fast_size((height, width))
    spectrum = jnp.fft.rfft2(jnp.moveaxis(x - mean, -1, 0), fast)
    pixels = target[0].size

    def blur(h: Array) -> Array:
        return jnp.fft.irfft2(spectrum * jnp.fft.rfft2(h, fast), fast)[:, *inside]

    def correlate(r: Array) -> Array:
        r = jnp.pad(r, ((0, 0), (size - 1, 0), (size - 1, 0)))
        products = jnp.sum(jnp.conj(spectrum) * jnp.fft.rfft2(r, fast), 0)
        return jnp.fft.irfft2(products, fast)[:size, :size] / pixels

    def normal(h: Array) -> Array:
        return correlate(blur(h)) + regularisation * h

    # What an even image leaves of its mean is rounding, whose squares underflow.
    uneven = jnp.mean(jnp.square(x - mean)) > EVEN
    right = jnp.where(uneven, correlate(target), 0)
    free, _ = jax.scipy.sparse.linalg.cg(normal, right, maxiter=steps)

    def power(_: int, h: Array) -> Array:
        return normal(h / jnp.linalg.norm(h))

    # Power steps find the largest eigenvalue from below.
    start = jax.random.normal(jax.random.key(0), (size, size), x.dtype)
    bound = 1.1 * jnp.linalg.norm(lax.fori_loop(0, POWER_STEPS, power, start))

    def descend(step: int, state: tuple[Array, Array]) -> tuple[Array, Array]:
        h, ahead = state
        new = project(ahead - (normal(ahead) - right) / bound)
        return new, new + step / (step + 3) * (new - h)

    first = project(free)
    return lax.fori_loop(0, steps, descend, (first, first))[0]
