"""VGG19 as torchvision numbers its layers."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import flax.linen as nn

from kernel_space_jax.models.vgg import VGG, VGG19
from kernel_space_jax.weights.official import Names, Official, Shapes, dimension


def _indices(convolutions: Sequence[int]) -> dict[str, int]:
    indices, number = {}, 0
    for stage, count in enumerate(convolutions, start=1):
        for index in range(1, count + 1):
            indices[f"conv{stage}_{index}"] = number
            number += 2
        number += 1
    return indices


def _infer(convolutions: Sequence[int], shapes: Shapes) -> dict[str, Any]:
    indices = _indices(convolutions)
    firsts = [f"features.{indices[f'conv{stage}_1']}.weight" for stage in range(1, 6)]
    # Losses that look no further may be kept with the stages that they look at.
    there = [key for key in firsts if key in shapes]
    return {"widths": tuple(dimension(shapes, key, 0) for key in there or firsts)}


def _names(convolutions: Sequence[int], module: nn.Module) -> Names:
    numbered = _indices(convolutions).items()
    return {(name,): f"features.{index}" for name, index in numbered}


def official(vgg: type[VGG]) -> Official:
    """The names of a VGG, VGG16's or VGG19's."""
    return Official(
        mark="features.0.weight",
        infer=partial(_infer, vgg.convolutions),
        names=partial(_names, vgg.convolutions),
        ignored=r"^classifier\.",
        source=f"torchvision.models.{vgg.__name__.lower()} of PyTorch",
    )


OFFICIAL = official(VGG19)
