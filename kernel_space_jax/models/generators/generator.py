"""What a prior, a training and a method ask of a generator."""

from typing import ClassVar

import flax.linen as nn
import jax.numpy as jnp
from jax import Array


class Generator(nn.Module):
    """Draws images of one kind: a subclass says `size`, `latents`, and `__call__`.

    __call__(w, *noise): styles (N, L, S), a map (N or 1, h, w, 1) for each of
    `noise_shapes` -> images (N, R, R, 3), about [-1, 1].
    """

    # Of the last activation of `mapped`: leaky(t) = max(t, slope t).
    slope: ClassVar[float] = 1.0

    @property
    def size(self) -> int:
        """R, pixels a side."""
        raise NotImplementedError

    @property
    def latents(self) -> tuple[int, int]:
        """(L, S): the styles of an image, and the numbers of one."""
        raise NotImplementedError

    def noise_shapes(self) -> list[tuple[int, int, int, int]]:
        """Of each map of noise."""
        return []

    def inputs(self) -> list[Array]:
        """Of one image: what `init` takes, zeros."""
        return [jnp.zeros((1, *self.latents)), *map(jnp.zeros, self.noise_shapes())]

    def mapped(self, z: Array) -> Array:
        """Styles (N, S) of z ~ N(0, I), (N, S)."""
        return z
