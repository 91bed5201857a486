"""Per-pixel blur: a few kernels, and the weights with which every pixel mixes them.

Carbajal et al., "Non-uniform Blur Kernel Estimation via Adaptive Basis Decomposition"
(2021). Kernels h_b and masks m_b blur an image in one of two ways:

    "mix_after"    y = sum_b m_b . (h_b * x)    pixel p of y gathers light from around
                                                it, with the kernel sum_b m_b(p) h_b
    "mix_before"   y = sum_b h_b * (m_b . x)    pixel p of x spreads its light around
                                                it, with the kernel sum_b m_b(p) h_b

The two-headed network uses the first. With kernels turned by half a turn (h^T) the
adjoint of each has the form of the other:

    "mix_after"    x = sum_b h_b^T * (m_b . y)
    "mix_before"   x = sum_b m_b . (h_b^T * y)

Convolution, the centre of a kernel and borders are those of `uniform`.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from flax import struct
from jax import Array, lax

from kernel_space_jax.operators import uniform
from kernel_space_jax.operators.uniform import Border, Method, fast_size, pad

Convention = Literal["mix_after", "mix_before"]

DIRECT_TAPS = 49

_Move = Callable[[Array], Array]


class KernelField(NamedTuple):
    """One kernel a pixel: h(p) = sum_b masks[p, b] kernels[b].

    kernels: (N, B, kh, kw); masks: (N, H, W, B), which sum to 1 over b.
    """

    kernels: Array
    masks: Array

    @property
    def side(self) -> tuple[int, int]:
        """(kh, kw)."""
        return self.kernels.shape[-2], self.kernels.shape[-1]


@struct.dataclass
class Basis:
    """F(x, k) for a `KernelField` k: (N, H, W, C) -> the same.

    With `border="valid"` y is smaller than x by the reach of the kernels; masks are
    then as large as y where it is mixed after blurring, and as x where before.
    A pytree without leaves, so it may be an argument of a jitted function.
    """

    convention: Convention = struct.field(pytree_node=False, default="mix_after")
    border: Border = struct.field(pytree_node=False, default="reflect")
    method: Method = struct.field(pytree_node=False, default="auto")

    def __call__(self, x: Array, k: KernelField) -> Array:
        x = pad(x, k.side, self.border)
        return _images(self._inside(k, x.shape)(_planes(x)))

    def adjoint(self, y: Array, k: KernelField) -> Array:
        """The adjoint in x: <F(x, k), y> = <x, adjoint(y, k)> for all x, y."""
        if self.border == "valid":
            size = (y.shape[1] + k.side[0] - 1, y.shape[2] + k.side[1] - 1)
            return _images(self._inside(k, (0, *size)).adjoint(_planes(y)))
        padded = jax.eval_shape(lambda x: pad(x, k.side, self.border), y)
        x = _images(self._inside(k, padded.shape).adjoint(_planes(y)))
        # The adjoint of a border adds its pixels to those that were copied.
        return jax.linear_transpose(lambda x: pad(x, k.side, self.border), y)(x)[0]

    def _inside(self, k: KernelField, shape: tuple[int, ...]) -> "Inside":
        if self.convention == "mix_before":
            # A border of m_b . x is the product of the borders of the two.
            k = k._replace(masks=pad(k.masks, k.side, self.border))
        return inside(
            k, (shape[1], shape[2]), convention=self.convention, method=self.method
        )


def to_convention(
    field: KernelField,
    source: Convention,
    target: Convention,
    *,
    border: Border = "reflect",
) -> KernelField:
    """The field in the convention `target` that blurs as `field` does in `source`.

    The kernels stay, and each mask is blurred by its own kernel (turned by half a
    turn, towards "mix_before"). The two operators are equal where no mask changes
    within the reach of its kernel. Elsewhere they agree on what is constant: towards
    "mix_after" on a constant x, towards "mix_before" their adjoints on a constant y
    (as far as no border reaches).
    """
    if source == target:
        return field
    kernels, masks = field
    count = masks.shape[0] * masks.shape[-1]
    own = jnp.moveaxis(masks, -1, 1).reshape(count, *masks.shape[1:3], 1)
    own_kernels = kernels.reshape(count, *field.side)
    # A mask goes on beyond the image, even where the image is 0 there.
    border = "replicate" if border == "zero" else border
    if target == "mix_after":
        moved = uniform.convolve(own, own_kernels, border=border)
    else:
        whole = border == "valid"
        sides = (
            (k - 1, k - 1) if whole else (k // 2, k - 1 - k // 2) for k in field.side
        )
        mode = "edge" if whole else uniform.PADDING[border]
        padded = jnp.pad(own, ((0, 0), *sides, (0, 0)), mode=mode)
        turned = jnp.flip(own_kernels, (-2, -1))
        moved = uniform.convolve(padded, turned, border="valid")
    moved = moved.reshape(*kernels.shape[:2], *moved.shape[1:3])
    return KernelField(kernels, jnp.moveaxis(moved, 1, -1))


@struct.dataclass
class Inside:
    """A field prepared to blur many images, without their borders.

    A linear map of planes, (N, C, h, w) -> (N, C, h - kh + 1, w - kw + 1), and its
    adjoint: what `border="valid"` is. Made by `inside`; a pytree, so it may stand
    outside a loop that blurs.

    parts: (B, N, 1, ...) kernels, or their spectra; masks: (B, N, 1, H, W).
    """

    parts: Array
    masks: Array
    size: tuple[int, int] = struct.field(pytree_node=False)
    side: tuple[int, int] = struct.field(pytree_node=False)
    convention: Convention = struct.field(pytree_node=False)
    direct: bool = struct.field(pytree_node=False)

    def __call__(self, x: Array) -> Array:
        """x (N, C, h, w) -> y (N, C, h - kh + 1, w - kw + 1)."""
        if self.direct:
            return self._taps(x, self._window, self.convention == "mix_after")
        # A circular convolution as large as x wraps round in the first k - 1 pixels
        # only, which the window leaves out.
        window = lambda y: self._window(y, self.side[0] - 1, self.side[1] - 1)
        run = self._gather if self.convention == "mix_after" else self._collect
        return run(x, self.parts, lambda x: x, window)

    def adjoint(self, y: Array) -> Array:
        """y (N, C, h - kh + 1, w - kw + 1) -> x (N, C, h, w)."""
        if self.direct:
            return self._taps(y, self._place, self.convention == "mix_before")
        place = lambda y: self._place(y, self.side[0] - 1, self.side[1] - 1)
        crop = lambda x: x[..., : self.size[0], : self.size[1]]
        run = self._collect if self.convention == "mix_after" else self._gather
        return run(y, jnp.conj(self.parts), place, crop)

    def each(self, x: Array, change: _Move) -> Array:
        """sum_b h_b^T * (m_b . change(h_b * x)), x (N, C, h, w): the same shape.

        Each kernel blurs x by itself, `change` acts on the result, and the adjoint of
        the kernel follows. For fields that mix after blurring and are not `direct`.
        """
        top, left = self.side[0] - 1, self.side[1] - 1
        wide = fast_size(self.size)
        spectrum = jnp.fft.rfft2(x, wide)

        def add(total: Array, basis: tuple[Array, Array]) -> tuple[Array, None]:
            kernel, mask = basis
            blurred = self._window(jnp.fft.irfft2(kernel * spectrum, wide), top, left)
            placed = self._place(mask * change(blurred), top, left)
            return total + jnp.conj(kernel) * jnp.fft.rfft2(placed, wide), None

        total, _ = lax.scan(add, jnp.zeros_like(spectrum), (self.parts, self.masks))
        return jnp.fft.irfft2(total, wide)[..., : self.size[0], : self.size[1]]

    # One kernel after the other: all at once need 25 times the memory and leave the
    # cache.

    def _gather(self, v: Array, spectra: Array, before: _Move, after: _Move) -> Array:
        """sum_b m_b . (h_b * v)."""
        wide = fast_size(self.size)
        spectrum = jnp.fft.rfft2(before(v), wide)

        def add(total: Array, basis: tuple[Array, Array]) -> tuple[Array, None]:
            kernel, mask = basis
            return total + mask * after(jnp.fft.irfft2(kernel * spectrum, wide)), None

        start = jnp.zeros((*v.shape[:2], *self.masks.shape[-2:]), v.dtype)
        return lax.scan(add, start, (spectra, self.masks))[0]

    def _collect(self, v: Array, spectra: Array, before: _Move, after: _Move) -> Array:
        """sum_b h_b * (m_b . v)."""
        wide = fast_size(self.size)

        def add(total: Array, basis: tuple[Array, Array]) -> tuple[Array, None]:
            kernel, mask = basis
            return total + kernel * jnp.fft.rfft2(before(mask * v), wide), None

        half = (wide[0], wide[1] // 2 + 1)
        start = jnp.zeros((*v.shape[:2], *half), self.parts.dtype)
        total, _ = lax.scan(add, start, (spectra, self.masks))
        return after(jnp.fft.irfft2(total, wide))

    def _taps(self, v: Array, move: Callable[..., Array], gathers: bool) -> Array:
        """Either sum, tap by tap: a pixel's weight of a tap, times v moved by it."""
        kh, kw = self.side
        places = jnp.indices(self.side).reshape(2, -1)
        # (taps, B, N, 1, 1, 1): a tap of h reaches backwards.
        taps = jnp.flip(self.parts, (-2, -1)).reshape(*self.parts.shape[:3], kh * kw)
        taps = jnp.moveaxis(taps, -1, 0)[..., None, None]

        def add(total: Array, place: tuple[Array, ...]) -> tuple[Array, None]:
            tap, row, column = place
            weight = jnp.sum(tap * self.masks, 0)
            if gathers:
                return total + weight * move(v, row, column), None
            return total + move(weight * v, row, column), None

        shape = jax.eval_shape(lambda v: move(v, 0, 0), v).shape
        return lax.scan(add, jnp.zeros(shape, v.dtype), (taps, *places))[0]

    def _window(self, x: Array, row: Array | int, column: Array | int) -> Array:
        """As much of x (N, C, ...) as y has, from that row and column on."""
        size = (n - k + 1 for n, k in zip(self.size, self.side, strict=True))
        return lax.dynamic_slice(x, (0, 0, row, column), (*x.shape[:2], *size))

    def _place(self, y: Array, row: Array | int, column: Array | int) -> Array:
        """The adjoint of `_window`: (N, C, h, w)."""
        zeros = jnp.zeros((*y.shape[:2], *self.size), y.dtype)
        return lax.dynamic_update_slice(zeros, y, (0, 0, row, column))


def inside(
    field: KernelField,
    size: tuple[int, int],
    *,
    convention: Convention = "mix_after",
    method: Method = "auto",
) -> Inside:
    """The field prepared for images x of that size (h, w)."""
    kh, kw = field.side
    direct = method == "direct" or (method == "auto" and kh * kw <= DIRECT_TAPS)
    parts = jnp.swapaxes(field.kernels, 0, 1)[:, :, None]
    if not direct:
        parts = jnp.fft.rfft2(parts, fast_size(size))
    masks = jnp.moveaxis(field.masks, -1, 0)[:, :, None]
    return Inside(parts, masks, size, (kh, kw), convention, direct)


def _planes(images: Array) -> Array:
    """(N, H, W, C) -> (N, C, H, W), the image axes last, as the FFT wants them."""
    return jnp.moveaxis(images, -1, 1)


def _images(planes: Array) -> Array:
    return jnp.moveaxis(planes, 1, -1)
