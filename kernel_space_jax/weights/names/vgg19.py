"""VGG19 as torchvision numbers its layers."""

from typing import Any

from kernel_space_jax.models.vgg import STAGES, VGG19
from kernel_space_jax.weights.official import Names, Official, Shapes, dimension


def _indices() -> dict[str, int]:
    indices, number = {}, 0
    for stage, convolutions in enumerate(STAGES, start=1):
        for index in range(1, convolutions + 1):
            indices[f"conv{stage}_{index}"] = number
            number += 2
        number += 1
    return indices


def _infer(shapes: Shapes) -> dict[str, Any]:
    indices = _indices()
    firsts = [f"features.{indices[f'conv{stage}_1']}.weight" for stage in range(1, 6)]
    # Losses that look no further may be kept with the stages that they look at.
    there = [key for key in firsts if key in shapes]
    return {"widths": tuple(dimension(shapes, key, 0) for key in there or firsts)}


def _names(module: VGG19) -> Names:
    return {(name,): f"features.{index}" for name, index in _indices().items()}


OFFICIAL = Official(
    mark="features.0.weight",
    infer=_infer,
    names=_names,
    ignored=r"^classifier\.",
    source="torchvision.models.vgg19 of PyTorch",
)
