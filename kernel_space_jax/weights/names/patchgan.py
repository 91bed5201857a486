"""PatchGAN as the authors of pix2pix and CycleGAN number its layers.

DeblurGAN, DeblurGAN-v2 and Blur2Blur number theirs alike. The padding is in no file.
"""

import re
from typing import Any

import numpy as np

from kernel_space_jax.models.critics import PatchGAN
from kernel_space_jax.weights.official import (
    Names,
    Official,
    Shapes,
    dimension,
    statistics,
)
from kernel_space_jax.weights.rules import Layout


def _input_first(ours: np.ndarray) -> np.ndarray:
    return ours.transpose(2, 0, 1).ravel()


def _input_last(theirs: np.ndarray) -> np.ndarray:
    return theirs.reshape(-1, 4, 4).transpose(1, 2, 0)


def depth(shapes: Shapes, model: str) -> int:
    """How many convolutions of stride 2 the layers called `model` have."""
    pattern = re.compile(rf"{model}\.\d+\.weight(_orig)?")
    kernels = [k for k, shape in shapes.items() if pattern.fullmatch(k) and shape[1:]]
    return max(len(kernels) - 2, 0)


def inferred(shapes: Shapes, model: str) -> dict[str, Any]:
    """The width, and the norm by the arrays that it has and takes away."""
    marks = {"spectral": "0.weight_orig", "batch": "3.weight", "instance": "2.bias"}
    there = (norm for norm, key in marks.items() if f"{model}.{key}" in shapes)
    return {
        "width": dimension(shapes, f"{model}.0.bias", 0),
        "norm": next(there, "none"),
    }


def layer_names(layers: int, norm: str, model: str, *ours: str) -> Names:
    """Their names below `model` for the layers of a `PatchGAN`."""
    names: Names = {
        (*ours, "first"): f"{model}.0",
        (*ours, "last"): f"{model}.{3 * layers + 2}",
    }
    for block in range(1, layers + 1):
        names[*ours, f"block{block}", "conv"] = f"{model}.{3 * block - 1}"
        names[*ours, f"block{block}", "norm"] = f"{model}.{3 * block}"
    if norm == "spectral":
        leaves = {"kernel": "weight_orig", "u": "weight_u", "v": "weight_v"}
        names |= {
            (*path, leaf): f"{layer}.{theirs}"
            for path, layer in names.items()
            for leaf, theirs in leaves.items()
        }
    return names | statistics(names)


def _infer(shapes: Shapes) -> dict[str, Any]:
    return {"layers": depth(shapes, "model"), **inferred(shapes, "model")}


def _names(module: PatchGAN) -> Names:
    return layer_names(module.layers, module.norm, "model")


# What a spectral norm remembers of the inputs, by PyTorch as one vector.
LAYOUTS = {"v": Layout(_input_first, _input_last)}
# A deep critic leaves nothing of a smaller image.
INPUTS = ((1, 256, 256, 3),)

OFFICIAL = Official(
    mark="model.0.bias",
    infer=_infer,
    names=_names,
    inputs=lambda shapes: INPUTS,
    layouts=LAYOUTS,
    source="github.com/junyanz/pytorch-CycleGAN-and-pix2pix",
)
