"""Per-pixel blur of a photo and of the scene beyond its border.

Light from outside was blurred into the photo. So x is solved for on a domain that is
larger than the photo by the reach of the kernels, and A takes it to the pixels of the
photo only, so the data term uses observed pixels only.

Here images are planes (N, C, height, width), as the FFT wants them.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from kernel_space_jax.operators import uniform
from kernel_space_jax.operators.per_pixel import Convention, Inside, KernelField, inside
from kernel_space_jax.operators.uniform import Method


class Restoration(NamedTuple):
    """x: (N, H, W, C), not clipped; steps: (N,) that were made for each image."""

    x: Array
    steps: Array


class Beyond(NamedTuple):
    """A from planes of the larger domain to those of the photo, and the way there."""

    blur: Inside
    side: tuple[int, int]

    def fill(self, y: Array) -> Array:
        """A photo (N, H, W, C) as planes, its outermost pixels repeated outwards."""
        return jnp.moveaxis(uniform.pad(y, self.side, "replicate"), -1, 1)

    def cut(self, x: Array) -> Array:
        """The photo's part of the planes x: (N, H, W, C)."""
        top, left = (k - 1 - k // 2 for k in self.side)
        bottom, right = (k // 2 for k in self.side)
        inner = x[..., top : x.shape[-2] - bottom, left : x.shape[-1] - right]
        return jnp.moveaxis(inner, 1, -1)


def beyond(
    y: Array, field: KernelField, convention: Convention, method: Method = "auto"
) -> Beyond:
    """A for the photos y (N, H, W, C) and their field, whose masks are of that size."""
    (kh, kw), (height, width) = field.side, y.shape[1:3]
    if convention == "mix_before":
        # What is spread into the photo from outside mixes as at the border.
        field = field._replace(masks=uniform.pad(field.masks, (kh, kw), "replicate"))
    size = (height + kh - 1, width + kw - 1)
    blur = inside(field, size, convention=convention, method=method)
    return Beyond(blur, (kh, kw))
