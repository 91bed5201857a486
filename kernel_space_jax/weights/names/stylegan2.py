"""StyleGAN2 as its PyTorch port names it (rosinality's, which most programs read)."""

from typing import Any

import numpy as np

from kernel_space_jax.models.generators import StyleGAN2
from kernel_space_jax.weights.official import (
    Names,
    Official,
    Shapes,
    count,
    dimension,
)
from kernel_space_jax.weights.rules import IMAGE, Layout, free


def _one_ahead(ours: np.ndarray) -> np.ndarray:
    return ours.transpose(3, 2, 0, 1)[None]


def _one_behind(theirs: np.ndarray) -> np.ndarray:
    return theirs[0].transpose(2, 3, 1, 0)


def _infer(shapes: Shapes) -> dict[str, Any]:
    sizes = count(shapes, r"to_rgbs\.\d+\.bias")
    wide = [f"convs.{2 * i}.conv.weight" for i in range(sizes)]
    return {
        "widths": (
            dimension(shapes, "conv1.conv.weight", 1),
            *(dimension(shapes, key, 1) for key in wide),
        ),
        "style": dimension(shapes, "style.1.weight", 0),
        "mapping": count(shapes, r"style\.\d+\.weight"),
    }


def _inputs(shapes: Shapes) -> tuple[tuple[int, ...], ...]:
    module = StyleGAN2(**_infer(shapes))
    return ((1, *module.latents), *module.noise_shapes())


def _names(module: StyleGAN2) -> Names:
    names: Names = {("input",): "input.input"}
    names |= {(f"style{i}",): f"style.{i}" for i in range(1, module.mapping + 1)}
    for i in range(len(module.widths) - 1):
        names[(f"to_rgbs_{i}",)] = f"to_rgbs.{i}"
        names[(f"convs_{2 * i}",)] = f"convs.{2 * i}"
        names[(f"convs_{2 * i + 1}",)] = f"convs.{2 * i + 1}"
    return names


OFFICIAL = Official(
    mark="input.input",
    infer=_infer,
    names=_names,
    inputs=_inputs,
    # FIR filters, which are the architecture's, and noise maps, which are drawn anew.
    ignored=r"\.kernel$|^noises\.",
    layouts={
        r"conv/kernel": Layout(_one_ahead, _one_behind),
        r"input": IMAGE,
        r"to_rgb\w*/bias": free(1, -1, 1, 1),
    },
    source="github.com/rosinality/stylegan2-pytorch",
)
