"""Normalisation: of a pixel's channels, of an image, of a batch."""

from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array

from kernel_space_jax.models.layers.conv import Initialiser

Norm = Literal["none", "instance"]


def _mean(x: Array, axes: tuple[int, ...]) -> Array:
    # One axis after the other: a single long sum loses digits on CPU, and deep
    # priors, whose inner maps hold a few pixels, amplify what is lost.
    for axis in axes:
        x = x.mean(axis, keepdims=True)
    return x


def _normalise(x: Array, axes: tuple[int, ...], epsilon: float) -> Array:
    # The statistics of bf16 activations are taken in f32.
    wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    centred = wide - _mean(wide, axes)
    variance = _mean(jnp.square(centred), axes)
    return (centred * jax.lax.rsqrt(variance + epsilon)).astype(x.dtype)


def instance_norm(x: Array, epsilon: float = 1e-5) -> Array:
    """Each channel of each image to zero mean and unit variance."""
    return _normalise(x, (2, 1), epsilon)


class LayerNorm(nn.Module):
    """The channels of each pixel to zero mean and unit variance, then an affine map."""

    epsilon: float = 1e-6

    @nn.compact
    def __call__(self, x: Array) -> Array:
        scale = self.param("scale", nn.initializers.ones, (x.shape[-1],))
        bias = self.param("bias", nn.initializers.zeros, (x.shape[-1],))
        y = _normalise(x, (-1,), self.epsilon)
        return y * scale.astype(y.dtype) + bias.astype(y.dtype)


class BatchNorm(nn.Module):
    """Normalises by the statistics of the batch at hand, then an affine map.

    Nothing is remembered, so it may stand in the carry-free body of a loop. Only
    when the caller makes the collection "batch_stats" mutable are the running mean
    and (unbiased) variance moved by `momentum`, as PyTorch does.
    """

    scale_init: Initialiser = nn.initializers.ones
    epsilon: float = 1e-5
    momentum: float = 0.1

    @nn.compact
    def __call__(self, x: Array) -> Array:
        shape = (x.shape[-1],)
        scale = self.param("scale", self.scale_init, shape)
        bias = self.param("bias", nn.initializers.zeros, shape)
        if self.is_mutable_collection("batch_stats"):
            mean = self.variable("batch_stats", "mean", jnp.zeros, shape)
            variance = self.variable("batch_stats", "var", jnp.ones, shape)
            if not self.is_initializing():
                m = self.momentum
                batch_variance = x.var((0, 1, 2), ddof=1)
                mean.value = (1 - m) * mean.value + m * x.mean((0, 1, 2))
                variance.value = (1 - m) * variance.value + m * batch_variance
        y = _normalise(x, (2, 1, 0), self.epsilon)
        return y * scale.astype(y.dtype) + bias.astype(y.dtype)
