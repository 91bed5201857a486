"""The blocks of MAXIM: gated MLPs, attention, gates between signals (Tu et al. 2022).

A gMLP mixes sets of t x t places, each channel by itself, by one W (t^2, t^2):

    u, v = gelu(W1 norm(x)),    x <- x + W2 (u . (W norm(v) + b + 1))

Half of the channels mix the pixels of each block of t x t (near), the other half those
pixels that have the same place in each of t x t equal parts of the photo (far). So
the cost grows with the pixels, and each pixel sees the whole photo. Where two signals
meet, mixtures g of both gate the other one:

    y <- y + Wy (y . g(x)),     x <- x + Wx (x . g(y)) + y
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.linen.dtypes import promote_dtype
from flax.typing import Dtype
from jax import Array

from kernel_space_jax.models.layers import (
    Conv,
    ConvTranspose,
    Initialiser,
    LayerNorm,
    downsample_bilinear,
    layer_norm,
    over_far,
    over_near,
    upsample_bilinear,
)

# The slope of LeakyReLU, and how much wider an MLP is inside.
SLOPE, WIDER = 0.2, 2
EPSILON = 1e-6

# Flax's own; the MLPs that mix are drawn small.
LECUN = nn.initializers.lecun_normal()
LECUN_TRANSPOSED = nn.initializers.lecun_normal(in_axis=-1, out_axis=-2)
SMALL = nn.initializers.normal(0.02)
ZEROS, ONES = nn.initializers.zeros, nn.initializers.ones


class Pair(NamedTuple):
    """A kernel (C, O) or (t^2, t^2), or the scale of a norm; and the bias."""

    weight: Array
    bias: Array


class Leaves(nn.Module):
    """The parameters of a layer as arrays: what runs in strips takes them so."""

    shape: tuple[int, ...]
    init: Initialiser
    bias_init: Initialiser = ZEROS

    @nn.compact
    def __call__(self) -> Pair:
        name = "kernel" if len(self.shape) > 1 else "scale"
        weight = self.param(name, self.init, self.shape)
        return Pair(weight, self.param("bias", self.bias_init, self.shape[-1:]))


def dense(x: Array, p: Pair) -> Array:
    """x W + b of the channels of each pixel."""
    return jnp.tensordot(x, p.weight.astype(x.dtype), 1) + p.bias.astype(x.dtype)


def norm(x: Array, p: Pair) -> Array:
    """`layer_norm` of x."""
    return layer_norm(x, *p)


def normed_dense(x: Array, first: Pair, p: Pair) -> Array:
    """dense(norm(x)). Scale and mean go into the kernel, which is less work on CPU:

    ((x - mean x) / d . s + t) W + b = (x W') / d + t W + b,   W' = (I - 1/C) (s W)
    """
    if x.dtype != jnp.float32:
        return dense(norm(x, first), p)
    kernel = first.weight[:, None] * p.weight
    kernel = kernel - jnp.mean(kernel, 0)
    variance = jnp.mean(jnp.square(x - jnp.mean(x, -1, keepdims=True)), -1)
    # The barrier keeps XLA from one slow fusion of all this.
    scale = jax.lax.optimization_barrier(jax.lax.rsqrt(variance + EPSILON))
    y = jnp.tensordot(x, kernel, 1) * scale[..., None]
    return y + (first.bias @ p.weight + p.bias)


def mix(x: Array, p: Pair) -> Array:
    """y_s = sum_t W_ts x_t + b_s over the places t of (N, T, M, C)."""
    y = jnp.einsum("ntmc,ts->nsmc", x, p.weight.astype(x.dtype))
    return y + p.bias.astype(x.dtype)[:, None, None]


class Small(NamedTuple):
    """An image that is meant 2^steps times as large."""

    x: Array
    steps: int = 0


Parts = Sequence[Small]


class Joined(nn.Module):
    """conv1x1 of parts beside each other; small ones are enlarged after it.

    A conv1x1 and an enlargement commute, and the smaller image is less work.
    """

    features: int
    dtype: Dtype | None = None

    @nn.compact
    def __call__(self, parts: Parts) -> Array:
        ends = np.cumsum([part.x.shape[-1] for part in parts])
        shape = (1, 1, int(ends[-1]), self.features)
        kernel = self.param("kernel", LECUN, shape)
        bias = self.param("bias", ZEROS, (self.features,))
        total = bias
        for part, w in zip(parts, jnp.split(kernel[0, 0], ends[:-1]), strict=True):
            x, w, total = promote_dtype(part.x, w, total, dtype=self.dtype)
            y = jnp.tensordot(x, w, 1)
            total = total + (upsample_bilinear(y, 2**part.steps) if part.steps else y)
        return total


class Part(nn.Module):
    """Makes the layers of a part of the network, under the names of checkpoints."""

    dtype: Dtype | None = None

    def conv(self, features: int, kernel: int, name: str, stride: int = 1) -> Conv:
        return Conv(
            features, kernel, stride,
            kernel_init=LECUN, bias_init=ZEROS, dtype=self.dtype, name=name,
        )  # fmt: skip

    def joined(self, features: int, parts: Parts) -> Array:
        return Joined(features, self.dtype, name="Conv_0")(parts)

    def up(self, features: int) -> ConvTranspose:
        return ConvTranspose(
            features, 2,
            kernel_init=LECUN_TRANSPOSED, dtype=self.dtype, name="ConvTranspose_0",
        )  # fmt: skip

    def linear(
        self, inputs: int, features: int, name: str, init: Initialiser = LECUN
    ) -> Pair:
        return Leaves((inputs, features), init, name=name)()

    def normal(self, features: int, name: str) -> Pair:
        return Leaves((features,), ONES, name=name)()


class Unit(nn.Module):
    """The norm and the mixture of a gate."""

    width: int
    places: int

    @nn.compact
    def __call__(self) -> tuple[Pair, Pair]:
        inner = Leaves((self.width,), ONES, name="intermediate_layernorm")()
        return inner, Leaves((self.places, self.places), SMALL, name="Dense_0")()


class GatedMLP(Part):
    """One gMLP, as a function of sets of places (N, T, M, C)."""

    kind: str = "Grid"
    places: int = 256
    width: int = 32

    @nn.compact
    def __call__(self):
        outer = self.normal(self.width, "LayerNorm")
        into = self.linear(self.width, WIDER * self.width, "in_project", SMALL)
        inner, mixture = Unit(self.width, self.places, name=f"{self.kind}GatingUnit")()
        out = self.linear(self.width, self.width, "out_project", SMALL)

        def run(x: Array) -> Array:
            u, v = jnp.split(nn.gelu(normed_dense(x, outer, into)), 2, -1)
            return x + dense(u * (mix(norm(v, inner), mixture) + 1), out)

        return run


def two_ways(x: Array, first: Pair, into: Pair, out: Pair, ways: Sequence) -> Array:
    """W2 [far(u), near(v)] + b2, u, v = gelu(W1 norm(x)).

    A way is `over_far` or `over_near`, what it does with sets of places, and their
    side. Each goes from x to its own part of the answer, strip by strip.
    """
    width, total = x.shape[-1], out.bias.astype(x.dtype)
    for i, (over, f, side) in enumerate(ways):
        half = slice(i * width, (i + 1) * width)
        start = Pair(into.weight[:, half], into.bias[half])
        end = out.weight[half].astype(x.dtype)

        def run(sets: Array, f=f, start=start, end=end) -> Array:
            u = nn.gelu(normed_dense(sets, first, start))
            return jnp.tensordot(f(u), end, 1)

        total = total + over(run, x, side)
    return total


class MultiAxis(Part):
    """x + W2 [far(u), near(v)] + b2, u, v = gelu(W1 norm(x)), both by gMLPs."""

    block: int = 16
    grid: int = 16

    @nn.compact
    def __call__(self, x: Array) -> Array:
        c = x.shape[-1]
        first = self.normal(c, "LayerNorm_in")
        into = self.linear(c, WIDER * c, "in_project", SMALL)
        far = GatedMLP(self.dtype, "Grid", self.grid**2, c, name="GridGmlpLayer")()
        near = GatedMLP(self.dtype, "Block", self.block**2, c, name="BlockGmlpLayer")()
        out = self.linear(WIDER * c, c, "out_project", SMALL)
        ways = (over_far, far, self.grid), (over_near, near, self.block)
        return x + two_ways(x, first, into, out, ways)


class ChannelAttention(Part):
    """x . sigmoid(W2 relu(W1 mean(x)))."""

    reduction: int = 4

    @nn.compact
    def __call__(self, x: Array) -> Array:
        width = x.shape[-1]
        y = jnp.mean(x, (1, 2), keepdims=True)
        y = nn.relu(self.conv(width // self.reduction, 1, "Conv_0")(y))
        return x * nn.sigmoid(self.conv(width, 1, "Conv_1")(y))


class ConvAttention(Part):
    """x + attention(conv(lrelu(conv(norm(x))))), the RCAB of the paper."""

    reduction: int = 4

    @nn.compact
    def __call__(self, x: Array) -> Array:
        width = x.shape[-1]
        y = LayerNorm(name="LayerNorm")(x)
        y = nn.leaky_relu(self.conv(width, 3, "conv1")(y), SLOPE)
        y = self.conv(width, 3, "conv2")(y)
        return x + ChannelAttention(
            self.dtype, self.reduction, name="channel_attention"
        )(y)


class Channels(Part):
    """W2 gelu(W1 x) at each pixel."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        width = x.shape[-1]
        y = nn.gelu(dense(x, self.linear(width, width, "Dense_0", SMALL)))
        return dense(y, self.linear(width, width, "Dense_1", SMALL))


class ChannelsAttention(Part):
    """x + attention(channels(norm(x))), the RDCAB of the paper."""

    reduction: int = 4

    @nn.compact
    def __call__(self, x: Array) -> Array:
        y = LayerNorm(name="LayerNorm")(x)
        y = Channels(self.dtype, name="channel_mixing")(y)
        return x + ChannelAttention(
            self.dtype, self.reduction, name="channel_attention"
        )(y)


class Gating(Part):
    """g(x) = W2 [mix far(u), mix near(v)] + b2, u, v = gelu(W1 norm(x))."""

    block: int = 16
    grid: int = 16

    @nn.compact
    def __call__(self, x: Array) -> Array:
        c = x.shape[-1]
        first = self.normal(c, "LayerNorm_in")
        into = self.linear(c, WIDER * c, "in_project")
        far, near = (
            Leaves((side**2, side**2), SMALL, ONES, name=f"Dense_{i}")()
            for i, side in enumerate((self.grid, self.block))
        )
        out = self.linear(WIDER * c, c, "out_project")
        ways = (
            (over_far, lambda u: mix(u, far), self.grid),
            (over_near, lambda v: mix(v, near), self.block),
        )
        return two_ways(x, first, into, out, ways)


class CrossGate(Part):
    """Signals x, in parts, and y, that gate each other; `enlarge` first doubles y."""

    features: int = 32
    block: int = 16
    grid: int = 16
    enlarge: bool = False

    @nn.compact
    def __call__(self, parts: Parts, y: Array) -> tuple[Array, Array]:
        c = self.features
        if self.enlarge:
            y = self.up(c)(y)
        x = self.joined(c, parts)
        y = self.conv(c, 1, "Conv_1")(y)
        u, v = self._inside(x, "x"), self._inside(y, "y")
        gu, gv = self._gating(u, "x"), self._gating(v, "y")
        y = y + dense(v * gu, self.linear(c, c, "out_project_y"))
        x = x + dense(u * gv, self.linear(c, c, "out_project_x")) + y
        return x, y

    def _inside(self, x: Array, which: str) -> Array:
        first = self.normal(self.features, f"LayerNorm_{which}")
        into = self.linear(self.features, self.features, f"in_project_{which}")
        return nn.gelu(normed_dense(x, first, into))

    def _gating(self, x: Array, which: str) -> Array:
        name = f"SplitHeadMultiAxisGating_{which}"
        return Gating(self.dtype, self.block, self.grid, name=name)(x)


class Blocks(Part):
    """conv1x1 of x, then `groups` of mixing and attention, and a skip around them.

    With `before`, the features of the stage before, these gate the result. With
    `shrink` the answer is the result at half the size, and the result.
    """

    features: int = 32
    groups: int = 2
    reduction: int = 4
    block: int = 16
    grid: int = 16
    shrink: bool = False

    @nn.compact
    def __call__(self, parts: Parts, before: Array | None = None) -> Any:
        start = x = self.joined(self.features, parts)
        for i in range(self.groups):
            name = f"SplitHeadMultiAxisGmlpLayer_{i}"
            x = MultiAxis(self.dtype, self.block, self.grid, name=name)(x)
            name = f"channel_attention_block_1{i}"
            x = ConvAttention(self.dtype, self.reduction, name=name)(x)
        x = x + start
        if before is not None:
            gate = CrossGate(
                self.dtype, self.features, self.block, self.grid,
                name="cross_gating_block",
            )  # fmt: skip
            x, _ = gate([Small(x)], before)
        if self.shrink:
            return self.conv(self.features, 4, "Conv_1", stride=2)(x), x
        return x


class Decoder(Part):
    """x at twice the size beside the skips, through blocks."""

    features: int = 32
    groups: int = 2
    reduction: int = 4
    block: int = 16
    grid: int = 16

    @nn.compact
    def __call__(self, x: Array, skips: Parts) -> Array:
        blocks = Blocks(
            self.dtype, self.features, self.groups, self.reduction, self.block,
            self.grid, name="UNetEncoderBlock_0",
        )  # fmt: skip
        return blocks([Small(self.up(self.features)(x)), *skips])


class Bottleneck(Part):
    """conv1x1 of x, then `groups` of mixing and attention, and a skip around them."""

    groups: int = 2
    reduction: int = 4
    block: int = 8
    grid: int = 8

    @nn.compact
    def __call__(self, x: Array) -> Array:
        start = x = self.conv(x.shape[-1], 1, "input_proj")(x)
        for i in range(self.groups):
            name = f"SplitHeadMultiAxisGmlpLayer_{i}"
            x = MultiAxis(self.dtype, self.block, self.grid, name=name)(x)
            name = f"channel_attention_block_1_{i}"
            x = ChannelsAttention(self.dtype, self.reduction, name=name)(x)
        return x + start


class Supervised(Part):
    """An answer from features x, and the features that it attends to (SAM)."""

    @nn.compact
    def __call__(self, x: Array, y: Array) -> tuple[Array, Array]:
        width = x.shape[-1]
        answer = y + self.conv(3, 3, "Conv_1")(x).astype(y.dtype)
        seen = nn.sigmoid(self.conv(width, 3, "Conv_2")(answer))
        return self.conv(width, 3, "Conv_0")(x) * seen + x, answer


class Resized(Part):
    """conv1x1 of x, which is made, or is still to be made, 2^steps its size."""

    features: int = 32
    steps: int = 0

    @nn.compact
    def __call__(self, x: Array) -> Small:
        if self.steps < 0:
            x = downsample_bilinear(x, 2**-self.steps)
        return Small(self.conv(self.features, 1, "Conv_0")(x), max(0, self.steps))
