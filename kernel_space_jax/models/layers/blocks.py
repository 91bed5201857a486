"""Blocks of several layers that published networks share."""

import flax.linen as nn
from flax.typing import Dtype
from jax import Array

from kernel_space_jax.models.layers.conv import Conv, Initialiser
from kernel_space_jax.models.layers.norms import BatchNorm, Norm, instance_norm
from kernel_space_jax.models.layers.shape import Padding, max_pool

small = nn.initializers.variance_scaling(0.02, "fan_in", "normal")


class ResidualBlock(nn.Module):
    """x + conv(relu(conv(x))) without norm, by default drawn small (EDSR)."""

    kernel: int = 3
    kernel_init: Initialiser = small
    dtype: Dtype | None = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        for_block = {
            "features": x.shape[-1],
            "kernel": self.kernel,
            "kernel_init": self.kernel_init,
            "bias_init": nn.initializers.zeros,
            "dtype": self.dtype,
        }
        y = nn.relu(Conv(**for_block, name="conv1")(x))
        return x + Conv(**for_block, name="conv2")(y)


class ResnetBlock(nn.Module):
    """x + norm(conv(relu(norm(conv(x))))) with the chosen padding (Johnson et al.)."""

    padding: Padding = "reflect"
    norm: Norm = "none"
    use_bias: bool = True
    dtype: Dtype | None = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        norm = instance_norm if self.norm == "instance" else lambda y: y
        for_block = {
            "features": x.shape[-1],
            "padding": self.padding,
            "use_bias": self.use_bias,
            "dtype": self.dtype,
        }
        y = nn.relu(norm(Conv(**for_block, name="conv1")(x)))
        return x + norm(Conv(**for_block, name="conv2")(y))


class NonLocalBlock(nn.Module):
    """x + BN(W sum_j theta_i . phi_j / J g_j): every pixel sees every other one.

    Wang et al. 2018, dot-product form; phi and g are pooled 2x2. The norm starts at
    zero, so that a fresh block is the identity.
    """

    @nn.compact
    def __call__(self, x: Array) -> Array:
        n, h, w, c = x.shape
        inner = c // 2
        theta = Conv(inner, 1, name="theta")(x).reshape(n, h * w, inner)
        phi = max_pool(Conv(inner, 1, name="phi")(x)).reshape(n, -1, inner)
        g = max_pool(Conv(inner, 1, name="g")(x)).reshape(n, -1, inner)
        # (theta phi^T) g = theta (phi^T g): the small product first.
        y = theta @ (phi.swapaxes(1, 2) @ g) / phi.shape[1]
        y = Conv(c, 1, name="out")(y.reshape(n, h, w, inner))
        return x + BatchNorm(scale_init=nn.initializers.zeros, name="norm")(y)
