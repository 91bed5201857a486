"""Normalisation: of a pixel's channels, of an image, of a batch."""

from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array

from kernel_space_jax.models.layers.conv import Initialiser

Norm = Literal["none", "instance"]
# What a network that has learned normalises by: each image's own, or remembered ones.
Statistics = Literal["image", "running"]


@jax.custom_jvp
def _inverse_root(x: Array) -> Array:
    """x^(-1/2), whose derivative is -1/2 x^(-3/2) as a power of the value.

    As JAX writes it, XLA computes a network anew that is applied to the same images
    with a gradient and without.
    """
    return jax.lax.rsqrt(x)


@_inverse_root.defjvp
def _(values: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    root = _inverse_root(*values)
    return root, -0.5 * root**3 * tangents[0]


def _mean(x: Array, axes: tuple[int, ...], devices: str | None = None) -> Array:
    # One axis after the other: a single long sum loses digits on CPU, and deep
    # priors, whose inner maps hold a few pixels, amplify what is lost.
    for axis in axes:
        x = x.mean(axis, keepdims=True)
    return jax.lax.pmean(x, devices) if devices else x


def _moments(
    x: Array, axes: tuple[int, ...], devices: str | None = None
) -> tuple[Array, Array]:
    """Mean and variance over the axes, and over the devices of a `pmap`, in f32."""
    wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    mean = _mean(wide, axes, devices)
    return mean, _mean(jnp.square(wide - mean), axes, devices)


def _normalise(
    x: Array, axes: tuple[int, ...], epsilon: float, devices: str | None = None
) -> Array:
    mean, variance = _moments(x, axes, devices)
    return ((x - mean) * _inverse_root(variance + epsilon)).astype(x.dtype)


def instance_norm(x: Array, epsilon: float = 1e-5) -> Array:
    """Each channel of each image to zero mean and unit variance."""
    return _normalise(x, (2, 1), epsilon)


def layer_norm(x: Array, scale: Array, bias: Array, epsilon: float = 1e-6) -> Array:
    """The channels of each pixel to zero mean and unit variance, then an affine map."""
    y = _normalise(x, (-1,), epsilon)
    return y * scale.astype(y.dtype) + bias.astype(y.dtype)


class LayerNorm(nn.Module):
    """`layer_norm` with a scale and a bias of its own.

    Split, it gives the channels normalised alone, and (scale, bias) for a `Point`.
    """

    epsilon: float = 1e-6
    split: bool = False

    @nn.compact
    def __call__(self, x: Array) -> Any:
        scale = self.param("scale", nn.initializers.ones, (x.shape[-1],))
        bias = self.param("bias", nn.initializers.zeros, (x.shape[-1],))
        if self.split:
            return _normalise(x, (-1,), self.epsilon), (scale, bias)
        return layer_norm(x, scale, bias, self.epsilon)


class BatchNorm(nn.Module):
    """Normalises by the statistics of the batch at hand, then an affine map.

    Nothing is remembered, so it may stand in the carry-free body of a loop. Only
    when the caller makes the collection "batch_stats" mutable are the running mean
    and (unbiased) variance moved by `momentum`, as PyTorch does. With `running` it
    normalises by these instead, as a network that has learned. `axis` names the devices
    of a `pmap` whose examples are one batch; under `jit` they are by themselves.
    """

    scale_init: Initialiser = nn.initializers.ones
    epsilon: float = 1e-5
    momentum: float = 0.1
    running: bool = False
    axis: str | None = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        shape = (x.shape[-1],)
        scale = self.param("scale", self.scale_init, shape)
        bias = self.param("bias", nn.initializers.zeros, shape)
        axis = None if self.is_initializing() else self.axis
        if self.running or self.is_mutable_collection("batch_stats"):
            mean = self.variable("batch_stats", "mean", jnp.zeros, shape)
            variance = self.variable("batch_stats", "var", jnp.ones, shape)
            if self.running:
                y = (x - mean.value) * _inverse_root(variance.value + self.epsilon)
                return y.astype(x.dtype) * scale.astype(x.dtype) + bias.astype(x.dtype)
            if not self.is_initializing():
                m = self.momentum
                batch_mean, power = _moments(x, (2, 1, 0), axis)
                count = x[..., 0].size * (jax.lax.axis_size(axis) if axis else 1)
                unbiased = power * count / max(count - 1, 1)
                mean.value = (1 - m) * mean.value + m * batch_mean.ravel()
                variance.value = (1 - m) * variance.value + m * unbiased.ravel()
        y = _normalise(x, (2, 1, 0), self.epsilon, axis)
        return y * scale.astype(y.dtype) + bias.astype(y.dtype)


class InstanceNorm(nn.Module):
    """Normalises each image by its own statistics; with `affine` a map follows.

    Training always takes the image's own. With `running` statistics it also moves a
    mean and (unbiased) variance by `momentum` towards those of the batch's images, as
    PyTorch does, and they normalise everything later. With one image in a batch this is
    batch normalisation too.
    """

    statistics: Statistics = "image"
    affine: bool = False
    epsilon: float = 1e-5
    momentum: float = 0.1

    @nn.compact
    def __call__(self, x: Array, training: bool = False) -> Array:
        shape = (x.shape[-1],)
        if self.statistics == "running":
            mean = self.variable("batch_stats", "mean", jnp.zeros, shape)
            variance = self.variable("batch_stats", "var", jnp.ones, shape)
            if training:
                y, *found = self._of_each(x)
                if self.is_mutable_collection("batch_stats"):
                    pixels = x.shape[1] * x.shape[2]
                    found[1] *= pixels / max(pixels - 1, 1)
                    for kept, new in zip((mean, variance), found, strict=True):
                        moved = jnp.mean(new, (0, 1, 2)) - kept.value
                        kept.value = kept.value + self.momentum * moved
            else:
                y = (x - mean.value) * _inverse_root(variance.value + self.epsilon)
        else:
            y, *_ = self._of_each(x)
        y = y.astype(x.dtype)
        if not self.affine:
            return y
        scale = self.param("scale", nn.initializers.ones, shape)
        bias = self.param("bias", nn.initializers.zeros, shape)
        return y * scale.astype(y.dtype) + bias.astype(y.dtype)

    def _of_each(self, x: Array) -> tuple[Array, Array, Array]:
        """x normalised, and the mean and variance (N, 1, 1, C) of each image."""
        mean, variance = _moments(x, (2, 1))
        return (x - mean) * _inverse_root(variance + self.epsilon), mean, variance
