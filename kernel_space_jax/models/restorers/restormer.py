"""Restormer: a U-Net of transformers over channels (Zamir et al., CVPR 2022).

    q, k, v = D(W norm(x)),     x <- x + W_o (softmax(t q^T k) v)
    u, v    = D(W norm(x)),     x <- x + W_o (GELU(u) . v)

D is a depthwise 3x3 convolution, all W are 1x1. Each channel of q and k is a vector
over all pixels, of length 1, so q^T k compares channels with channels: (C / h, C / h)
in each of h heads, whatever the size of the image. t is learned for each head.

Four levels, joined by pixel shuffles; the answer is added to y. Attention is over the
image at hand: that of a tile differs from that of the whole photo.
"""

from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.typing import Dtype
from jax import Array

from kernel_space_jax.errors import UserError
from kernel_space_jax.models.layers import (
    Conv,
    DepthwiseConv,
    LayerNorm,
    crop,
    pad_to_multiple,
    pixel_shuffle,
    pixel_unshuffle,
)

Centring = Literal["with-bias", "bias-free"]
EPSILON = 1e-5
SHORTEST = 1e-12  # a channel of q or k that is shorter stays shorter than 1


class BiasFreeNorm(nn.Module):
    """x / std(x) over the channels of each pixel, times a scale; the mean stays."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        scale = self.param("scale", nn.initializers.ones, (x.shape[-1],))
        wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
        variance = jnp.var(wide, -1, keepdims=True)
        y = (wide * jax.lax.rsqrt(variance + EPSILON)).astype(x.dtype)
        return y * scale.astype(y.dtype)


class ChannelAttention(nn.Module):
    """W_o (softmax(t q^T k) v): every channel is a mix of the channels of its head."""

    heads: int
    use_bias: bool = False
    dtype: Dtype | None = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        n, h, w, c = x.shape
        options = {"use_bias": self.use_bias, "dtype": self.dtype}
        qkv = Conv(3 * c, 1, name="qkv", **options)(x)
        qkv = DepthwiseConv(name="qkv_depthwise", **options)(qkv)
        q, k, v = jnp.split(qkv, 3, -1)
        t = self.param("temperature", nn.initializers.ones, (self.heads,))
        # One product for all heads, and what belongs to two of them left out: blocks
        # would have to be copied apart, which costs more than the products.
        head = np.arange(c) // (c // self.heads)
        products = jnp.einsum(
            "nhwc,nhwd->ncd", q, k, preferred_element_type=jnp.float32
        )
        scores = products * _over_length(q)[:, :, None] * _over_length(k)[:, None]
        scores = jnp.where(head[:, None] == head, scores * t[head][:, None], -jnp.inf)
        mixed = jnp.einsum("ncd,nhwd->nhwc", nn.softmax(scores).astype(v.dtype), v)
        return Conv(c, 1, name="out", **options)(mixed)


def _over_length(q: Array) -> Array:
    """1 over the length of each channel (N, H, W, C) -> (N, C)."""
    squares = jnp.square(q.astype(jnp.promote_types(q.dtype, jnp.float32)))
    # One axis after the other: a single long sum loses digits on CPU.
    total = jnp.sum(jnp.sum(squares, 2), 1)
    return jax.lax.rsqrt(jnp.maximum(total, SHORTEST**2))


def _gelu(x: Array) -> Array:
    """x Phi(x) by erf, as PyTorch has it; by erfc, as JAX has it, a CPU is slower."""
    return x * (0.5 + 0.5 * jax.lax.erf(x * 2**-0.5))


class GatedFeedForward(nn.Module):
    """W_o (GELU(u) . v), u and v of `hidden` channels each."""

    hidden: int
    use_bias: bool = False
    dtype: Dtype | None = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        options = {"use_bias": self.use_bias, "dtype": self.dtype}
        uv = Conv(2 * self.hidden, 1, name="in", **options)(x)
        u, v = jnp.split(DepthwiseConv(name="depthwise", **options)(uv), 2, -1)
        gated = _gelu(u) * v
        return Conv(x.shape[-1], 1, name="out", **options)(gated)


class Restormer(nn.Module):
    """Blurry y (N, H, W, 3) to sharp x of the same size; not clipped.

    `blocks` and `heads` are of the four levels; a level of the decoder has as many as
    that of the encoder. `expansion` is the feed-forward network's width over its
    input's. Photos are reflected at the bottom and right to multiples of 8 pixels.
    """

    width: int = 48
    blocks: tuple[int, ...] = (4, 6, 6, 8)
    refinement: int = 4
    heads: tuple[int, ...] = (1, 2, 4, 8)
    expansion: float = 2.66
    use_bias: bool = False
    norm: Centring = "with-bias"
    dtype: Dtype | None = None

    @nn.compact
    def __call__(self, y: Array) -> Array:
        self._check()
        padded, size = pad_to_multiple(y, 8)
        conv = lambda features, name: Conv(
            features, use_bias=False, dtype=self.dtype, name=name
        )
        x, skips = conv(self.width, "intro")(padded), []
        for level in range(3):
            x = self._blocks(x, self.blocks[level], level, f"encoder{level}")
            skips.append(x)
            x = pixel_unshuffle(conv(x.shape[-1] // 2, f"down{level}")(x))
        x = self._blocks(x, self.blocks[3], 3, "latent")
        for level in (2, 1, 0):
            x = pixel_shuffle(conv(2 * x.shape[-1], f"up{level}")(x))
            x = jnp.concatenate([x, skips.pop()], -1)
            # The finest level keeps the channels of both.
            if level > 0:
                reduce = Conv(
                    x.shape[-1] // 2, 1, use_bias=self.use_bias, dtype=self.dtype,
                    name=f"reduce{level}",
                )  # fmt: skip
                x = reduce(x)
            x = self._blocks(x, self.blocks[level], level, f"decoder{level}")
        x = self._blocks(x, self.refinement, 0, "refinement")
        ending = Conv(3, use_bias=self.use_bias, dtype=self.dtype, name="ending")
        return crop(padded + ending(x).astype(y.dtype), size)

    def _blocks(self, x: Array, count: int, level: int, name: str) -> Array:
        """x + attention(norm(x)), then x + feed_forward(norm(x)), `count` times."""
        c, options = x.shape[-1], {"use_bias": self.use_bias, "dtype": self.dtype}
        for index in range(count):
            block = f"{name}_block{index}"
            attention = ChannelAttention(
                self.heads[level], name=f"{block}_attention", **options
            )
            x = x + attention(self._norm(f"{block}_norm1")(x))
            feed_forward = GatedFeedForward(
                int(c * self.expansion), name=f"{block}_feed_forward", **options
            )
            x = x + feed_forward(self._norm(f"{block}_norm2")(x))
        return x

    def _norm(self, name: str) -> nn.Module:
        if self.norm == "bias-free":
            return BiasFreeNorm(name=name)
        return LayerNorm(EPSILON, name=name)

    def _check(self) -> None:
        """A `UserError` for sizes that do not go together."""
        if len(self.blocks) != 4 or len(self.heads) != 4:
            raise UserError("a Restormer has four levels; give four blocks and heads")
        for level, heads in enumerate(self.heads):
            if heads < 1 or self.width * 2**level % heads:
                raise UserError(
                    f"{heads} heads do not divide the {self.width * 2**level} channels "
                    f"of level {level + 1}; choose other heads or another width"
                )
