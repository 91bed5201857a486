"""MAXIM: a U-Net of gated MLPs that mix places near and far (Tu et al., CVPR 2022).

Several U-Nets, the stages, follow each other. Each takes features, encoders and
decoders of the one before, and answers at several scales: the input plus a correction.
What they are built of is in maxim_blocks.py.
"""

from typing import NamedTuple

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jax import Array

from kernel_space_jax.errors import UserError
from kernel_space_jax.models.restorers.maxim_blocks import (
    Blocks,
    Bottleneck,
    CrossGate,
    Decoder,
    Part,
    Resized,
    Small,
    Supervised,
)


class Before(NamedTuple):
    """What a stage hands to the next: attended features, encoders + decoders."""

    features: dict[int, Array]
    coded: dict[int, Array]


class MAXIM(Part):
    """Blurry y (N, H, W, 3) to sharp x of the same size; not clipped.

    `blocks` and `grids` are the sides t of the sets that are mixed near and far, at
    each scale from the photo's own on, and last in the middle. With `every` it
    answers for each stage the restored images of `scales` sizes, the photo's last.
    """

    features: int = 32
    stages: int = 3
    groups: int = 2
    bottlenecks: int = 2
    reduction: int = 4
    scales: int = 3
    blocks: tuple[int, ...] = (16, 16, 8, 8)
    grids: tuple[int, ...] = (16, 16, 8, 8)

    @nn.compact
    def __call__(self, y: Array, every: bool = False):
        depth = len(self.blocks) - 1
        fits = depth >= 1 and self.stages >= 1 and 1 <= self.scales <= depth
        if not fits or len(self.grids) != depth + 1:
            raise UserError(
                "a MAXIM has a block and a grid for each scale and for the middle, one "
                "stage or more, and answers at some scales; not "
                f"blocks {self.blocks}, grids {self.grids}, stages {self.stages}, "
                f"scales {self.scales}"
            )
        sides = [
            2**i * side
            for sides in (self.blocks, self.grids)
            for i, side in enumerate(sides)
        ]
        padded, start = _centred(y, int(np.lcm.reduce(sides)))
        answers, before = [], None
        for stage in range(self.stages):
            found, before = self._stage(stage, padded, before)
            answers.append(found)
        if every:
            return [[_cut(x, y, padded, start) for x in found] for found in answers]
        return _cut(answers[-1][-1], y, padded, start)

    def _stage(self, stage: int, y: Array, before: Before | None):
        """The stage's answers, smallest first, and what the next one takes."""
        small = [y] + [_nearest(y, 2**i) for i in range(1, self.scales)]
        seen = self._seen(stage, small, before)
        encoded, x = self._encoded(stage, seen, before)
        for i in range(self.bottlenecks):
            middle = Bottleneck(
                self.dtype, self.groups, self.reduction, *self._sides(-1),
                name=f"stage_{stage}_global_block_{i}",
            )  # fmt: skip
            x = middle(x)
        skips = self._skips(stage, encoded, x)
        return self._decoded(stage, small, encoded, skips, x)

    def _seen(self, stage: int, small: list[Array], before: Before | None):
        """Features of y at each scale, gated by those of the stage before."""
        seen = []
        for i, y in enumerate(small):
            width = 2**i * self.features
            x = self.conv(width, 3, f"stage_{stage}_input_conv_{i}")(y)
            if before is not None:
                fuse = CrossGate(
                    self.dtype, width, *self._sides(i),
                    name=f"stage_{stage}_input_fuse_sam_{i}",
                )  # fmt: skip
                x, _ = fuse([Small(x)], before.features[i])
            seen.append(x)
        return seen

    def _encoded(self, stage: int, seen: list[Array], before: Before | None):
        """The encoders' features at each scale, and what the middle takes."""
        x, encoded = seen[0], []
        for i in self._scales():
            block = Blocks(
                self.dtype, 2**i * self.features, self.groups, self.reduction,
                *self._sides(i), True, name=f"stage_{stage}_encoder_block_{i}",
            )  # fmt: skip
            parts = [Small(x), *map(Small, seen[i : i + 1])]
            x, kept = block(parts, None if before is None else before.coded[i])
            encoded.append(kept)
        return encoded, x

    def _skips(self, stage: int, encoded: list[Array], x: Array) -> list[Array]:
        """Features of all encoders for each scale, smallest first, gated by x."""
        depth, skips = len(encoded), []
        for step, i in enumerate(reversed(self._scales())):
            width, first = 2**i * self.features, (2 * stage * depth + step) * depth
            parts = [
                self._resized(first + j, width, j - i)(encoded[j]) for j in range(depth)
            ]
            cross = CrossGate(
                self.dtype, width, *self._sides(i), True,
                name=f"stage_{stage}_cross_gating_block_{i}",
            )  # fmt: skip
            gated, x = cross(parts, x)
            skips.append(gated)
        return skips

    def _decoded(self, stage: int, small, encoded, skips, x: Array):
        """The answers, smallest first, and what the next stage takes."""
        depth, last = len(encoded), stage == self.stages - 1
        answers, features, coded = [], {}, {}
        for step, i in enumerate(reversed(self._scales())):
            width, first = (
                2**i * self.features,
                ((2 * stage + 1) * depth + step) * depth,
            )
            parts = [
                self._resized(first + j, width, depth - 1 - j - i)(skips[j])
                for j in range(depth)
            ]
            decoder = Decoder(
                self.dtype, width, self.groups, self.reduction, *self._sides(i),
                name=f"stage_{stage}_decoder_block_{i}",
            )  # fmt: skip
            x = decoder(x, parts)
            coded[i] = encoded[i] + x
            if i < self.scales and last:
                answer = self.conv(3, 3, f"stage_{stage}_output_conv_{i}")(x)
                answers.append(small[i] + answer.astype(small[i].dtype))
            elif i < self.scales:
                name = f"stage_{stage}_supervised_attention_module_{i}"
                features[i], answer = Supervised(self.dtype, name=name)(x, small[i])
                answers.append(answer)
        return answers, Before(features, coded)

    def _scales(self) -> range:
        return range(len(self.blocks) - 1)

    def _sides(self, scale: int) -> tuple[int, int]:
        return self.blocks[scale], self.grids[scale]

    def _resized(self, index: int, features: int, steps: int) -> Resized:
        return Resized(self.dtype, features, steps, name=f"UpSampleRatio_{index}")


def _nearest(x: Array, factor: int) -> Array:
    """Every factor-th pixel, those just after the centres."""
    return x[:, factor // 2 :: factor, factor // 2 :: factor]


def _centred(y: Array, multiple: int) -> tuple[Array, tuple[int, int]]:
    """y reflected around to sides of a multiple, and where it starts in that.

    Odd sides first get one pixel more, at the bottom and right.
    """
    odd = [side % 2 for side in y.shape[1:3]]
    even = jnp.pad(y, ((0, 0), (0, odd[0]), (0, odd[1]), (0, 0)), mode="reflect")
    top, left = (-side % multiple // 2 for side in even.shape[1:3])
    pads = ((0, 0), (top, top), (left, left), (0, 0))
    return jnp.pad(even, pads, mode="reflect"), (top, left)


def _cut(x: Array, y: Array, padded: Array, start: tuple[int, int]) -> Array:
    """The part of an answer x, of any scale, that belongs to y."""
    factor = padded.shape[1] // x.shape[1]
    (top, left), (h, w) = (
        (n // factor for n in start),
        (-(-n // factor) for n in y.shape[1:3]),
    )
    return x[:, top : top + h, left : left + w]
