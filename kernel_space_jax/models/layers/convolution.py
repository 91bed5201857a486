"""Convolution and its adjoint, with gradients that are fast on CPU.

A convolution (cross-correlation, as networks mean it) of x (N, H, W, C) with
w (kh, kw, C, O) has three faces, and each is written out once here:

    correlate(x, w)            y = w * x            (N, Ho, Wo, O)
    adjoint(y, w)              x = w^T * y          the transposed convolution
    weight_gradient(x, y)      sum over pixels of patches(x)^T y

XLA on CPU compiles what autodiff derives from a convolution 10 to 44 times slower
inside a loop, so `convolve` and `convolve_transposed` carry these three as their
gradients there. Wide layers take the fewer products of `winograd`, and those of few
features the matrix products of `narrow`; on GPU and TPU all is left to XLA. Values and
gradients with respect to x are of these two again, so that the gradient of a function
of a gradient, such as a penalty, is as fast.
`scripts/benchmark.py conv` measures the difference.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax import Array, lax

from kernel_space_jax.backend import platform
from kernel_space_jax.models.layers import narrow, winograd

LAYOUT = ("NHWC", "HWIO", "NHWC")

# With fewer output pixels than this a convolution on CPU is bound by reading its
# weights; a matrix product reads them once and leaves them as they lie.
FEW_PIXELS = 256


def convolve(x: Array, w: Array, stride: int = 1, pad: int = 0) -> Array:
    """w * x with `pad` zeros on every side; w is (kh, kw, C, O)."""
    if platform() == "cpu":
        return _convolve_cpu(x, w, stride, pad)
    return correlate(x, w, stride, pad)


def convolve_transposed(
    y: Array, w: Array, stride: int, pad: int, size: tuple[int, int]
) -> Array:
    """The adjoint of `convolve` from (N, h, w, O) to (N, *size, C).

    w is (kh, kw, C, O) of the convolution whose adjoint this is.
    """
    if platform() == "cpu":
        return _transposed_cpu(y, w, stride, pad, size)
    return adjoint(y, w, stride, pad, size)


def correlate(x: Array, w: Array, stride: int, pad: int) -> Array:
    """w * x as one XLA convolution."""
    kh, kw = w.shape[:2]
    if kh == kw == stride == 1 and pad == 0:
        return jnp.tensordot(x, w[0, 0], 1)
    if platform() != "cpu":
        return _xla(x, w, stride, ((pad, pad), (pad, pad)))
    rows, columns = (
        (n + 2 * pad - k) // stride + 1
        for n, k in zip(x.shape[1:3], (kh, kw), strict=True)
    )
    if _few(x.shape[0] * rows * columns):
        x = jnp.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
        patches = jnp.concatenate(_shifts(x, (kh, kw), stride, (rows, columns)), -1)
        return jnp.tensordot(patches, w.reshape(-1, w.shape[-1]), 1)
    if stride > 1:
        return _xla(x, w, stride, ((pad, pad), (pad, pad)))
    return _sliding(x, w, ((pad, pad), (pad, pad)))


def adjoint(y: Array, w: Array, stride: int, pad: int, size: tuple[int, int]) -> Array:
    """w^T * y, written as a convolution with the flipped and swapped weights."""
    kh, kw = w.shape[:2]
    if kh == kw == stride == 1 and pad == 0:
        return jnp.tensordot(y, w[0, 0].T, 1)
    sides = list(zip(size, y.shape[1:3], (kh, kw), strict=True))
    if platform() == "cpu" and _few(y[..., 0].size):
        taps = jnp.einsum("nhwo,abco->abnhwc", y, w)
        return jnp.sum(
            jnp.stack(
                [
                    _place(taps[a, b], (a - pad, b - pad), stride, size)
                    for a in range(kh)
                    for b in range(kw)
                ]
            ),
            0,
        )
    if platform() == "cpu" and stride > 1:
        # All s x s pixels that a stride steps over at once, as s s C features: XLA
        # would convolve an image that is mostly zeros.
        blocks = _blocks(w, stride)
        rows, columns = (
            m + q - 1 for m, q in zip(y.shape[1:3], blocks.shape[:2], strict=True)
        )
        x = _depth_to_space(adjoint(y, blocks, 1, 0, (rows, columns)), stride)
        return _place(x, (-pad, -pad), 1, size)
    flipped = jnp.flip(w, (0, 1)).swapaxes(2, 3)
    pads = tuple((k - 1 - pad, n - ((m - 1) * stride + 1) + pad) for n, m, k in sides)
    if platform() == "cpu":
        return _sliding(y, flipped, pads)
    return _xla(y, flipped, 1, pads, dilation=stride)


def weight_gradient(
    x: Array, y: Array, kernel: tuple[int, int], stride: int, pad: int
) -> Array:
    """sum_p patches_p(x)^T y_p, the (kh, kw, C, O) gradient of <y, w * x>.

    Patches of a few output rows at a time stay in cache, where those of the whole
    image would be kh * kw copies of it in memory.
    """
    kh, kw = kernel
    n, rows, columns, features = y.shape
    channels = x.shape[-1]
    if kh == kw == stride == 1 and pad == 0:
        return jnp.tensordot(x, y, ((0, 1, 2), (0, 1, 2)))[None, None]
    if stride == 1 and winograd.pays(x, kernel, features, (rows, columns)):
        return winograd.weight_gradient(x, y, kh, pad)
    if stride == 1 and 2 * features <= channels:
        # Seen from y, x is the output: patches are taken of the narrower side.
        swapped = weight_gradient(y, x, kernel, 1, kh - 1 - pad)
        return jnp.flip(swapped, (0, 1)).swapaxes(2, 3)
    # About 2000 patches at a time; all of a small image at once.
    most = max(4, 2048 // (n * columns))
    block = max(b for b in range(1, rows + 1) if rows % b == 0 and b <= most)
    x = jnp.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    # Channels first, so that the product meets its left side row by row.
    planes = x.transpose(3, 0, 1, 2)

    def product(first: Array | int) -> Array:
        band_rows = (block - 1) * stride + kh
        band = lax.dynamic_slice_in_dim(planes, first * block * stride, band_rows, 2)
        cotangent = lax.dynamic_slice_in_dim(y, first * block, block, 1)
        patches = jnp.stack(_shifts(band, kernel, stride, (block, columns), 2))
        return patches.reshape(kh * kw * channels, -1) @ cotangent.reshape(-1, features)

    if block == rows:
        total = product(0)
    else:
        zero = jnp.zeros((kh * kw * channels, features), y.dtype)
        total, _ = lax.scan(
            lambda total, first: (total + product(first), None),
            zero,
            jnp.arange(rows // block),
        )
    return total.reshape(kh, kw, channels, features)


def _few(pixels: int) -> bool:
    """Whether these are few; an exported program's batch, any number, is not."""
    return isinstance(pixels, int) and pixels <= FEW_PIXELS


def _shifts(
    x: Array, kernel: tuple[int, int], stride: int, size: tuple[int, int], axis: int = 1
) -> list[Array]:
    """For each tap of the kernel, the pixels of padded x that it meets.

    Rows are `axis` of x, columns the one after it.
    """
    last_row, last_column = ((n - 1) * stride + 1 for n in size)
    before = (slice(None),) * axis
    return [
        x[(*before, slice(a, a + last_row, stride), slice(b, b + last_column, stride))]
        for a in range(kernel[0])
        for b in range(kernel[1])
    ]


def _place(
    x: Array, first: tuple[int, int], stride: int, size: tuple[int, int]
) -> Array:
    """x on a grid of zeros of that size: its first pixel at `first`, then strided."""
    pads = [
        (start, n - start - (m - 1) * stride - 1, stride - 1)
        for start, n, m in zip(first, size, x.shape[1:3], strict=True)
    ]
    return lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), *pads, (0, 0, 0)))


def _xla(x: Array, w: Array, stride: int, pads: tuple, dilation: int = 1) -> Array:
    return lax.conv_general_dilated(
        x,
        w,
        (stride, stride),
        pads,
        lhs_dilation=(dilation, dilation),
        dimension_numbers=LAYOUT,
    )


def _sliding(x: Array, w: Array, pads: tuple) -> Array:
    """w * x with stride 1 on CPU, by what is fastest there."""
    kh, kw, channels, features = w.shape
    rows, columns = (
        n + sum(sides) - k + 1
        for n, sides, k in zip(x.shape[1:3], pads, (kh, kw), strict=True)
    )
    if winograd.pays(x, (kh, kw), features, (rows, columns)):
        return winograd.correlate(x, w, pads)
    if solve := narrow.solver(w, x.shape[0] * rows * columns):
        return narrow.correlate(x, w, pads, solve)
    # One more row and column than asked, then cropped: XLA hands convolutions with
    # equal padding on both sides to a library two to five times slower than its own
    # kernel, and the spare pixel keeps this one out.
    wider = tuple((low, high + 1) for low, high in pads)
    return _xla(x, w, 1, wider)[:, :rows, :columns]


def _depth_to_space(x: Array, s: int) -> Array:
    """(N, h, w, s s C) -> (N, s h, s w, C)."""
    n, h, w, c = x.shape
    x = x.reshape(n, h, w, s, s, c // s**2).swapaxes(2, 3)
    return x.reshape(n, h * s, w * s, c // s**2)


def _blocks(w: Array, s: int) -> Array:
    """w (kh, kw, C, O) as (ceil(kh/s), ceil(kw/s), s s C, O), zeros where it ends."""
    kh, kw, channels, features = w.shape
    down, right = -kh % s, -kw % s
    w = jnp.pad(w, ((0, down), (0, right), (0, 0), (0, 0)))
    rows, columns = (kh + down) // s, (kw + right) // s
    w = w.reshape(rows, s, columns, s, channels, features).swapaxes(1, 2)
    return w.reshape(rows, columns, s * s * channels, features)


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _convolve_cpu(x: Array, w: Array, stride: int, pad: int) -> Array:
    return correlate(x, w, stride, pad)


def _convolve_forward(x, w, stride, pad):
    return _convolve_cpu(x, w, stride, pad), (x, w)


def _convolve_backward(stride, pad, saved, g):
    x, w = saved
    dx = _transposed_cpu(g, w, stride, pad, x.shape[1:3])
    return dx, weight_gradient(x, g, w.shape[:2], stride, pad)


_convolve_cpu.defvjp(_convolve_forward, _convolve_backward)


@partial(jax.custom_vjp, nondiff_argnums=(2, 3, 4))
def _transposed_cpu(
    y: Array, w: Array, stride: int, pad: int, size: tuple[int, int]
) -> Array:
    return adjoint(y, w, stride, pad, size)


def _transposed_forward(y, w, stride, pad, size):
    return _transposed_cpu(y, w, stride, pad, size), (y, w)


def _transposed_backward(stride, pad, size, saved, g):
    y, w = saved
    dy = _convolve_cpu(g, w, stride, pad)
    return dy, weight_gradient(g, y, w.shape[:2], stride, pad)


_transposed_cpu.defvjp(_transposed_forward, _transposed_backward)
