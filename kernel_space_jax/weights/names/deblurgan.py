"""DeblurGAN's generator (Kupyn et al. 2018), and the ResNet one of its version 2.

Running statistics in a file are read with the option statistics=running.
"""

from typing import Any

from kernel_space_jax.models.restorers.deblurgan import DeblurGAN
from kernel_space_jax.weights.official import (
    Names,
    Official,
    Shapes,
    count,
    dimension,
    statistics,
)

# Their number of the first residual block, after three convolutions with their norms.
FIRST = 10


def _infer(shapes: Shapes) -> dict[str, Any]:
    found: dict[str, Any] = {
        "width": dimension(shapes, "model.1.weight", 0),
        "blocks": count(shapes, r"model\.\d+\.conv_block\.1\.weight"),
        "norm": "batch" if "model.2.weight" in shapes else "instance",
    }
    # Dropout, which has no weights, shifts the second convolution from 5 to 6.
    second = f"model.{FIRST}.conv_block"
    if f"{second}.5.weight" in shapes:
        return {**found, "convolutions": 2, "dropout": 0.0}
    return {**found, "convolutions": 2 if f"{second}.6.weight" in shapes else 1}


def _names(module: DeblurGAN) -> Names:
    after = FIRST + module.blocks
    numbers = {"first": 1, "down0": 4, "down1": 7, "up0": after, "up1": after + 3}
    names: Names = {("last",): f"model.{after + 7}"}
    for layer, number in numbers.items():
        names[(layer,)] = f"model.{number}"
        names[(f"{layer}_norm",)] = f"model.{number + 1}"
    second = 6 if module.dropout else 5
    for block in range(module.blocks):
        theirs = f"model.{FIRST + block}.conv_block"
        for part, number in ((1, 1), (2, second))[: module.convolutions]:
            names[(f"block{block}_conv{part}",)] = f"{theirs}.{number}"
            names[(f"block{block}_norm{part}",)] = f"{theirs}.{number + 1}"
    return names | statistics(names)


OFFICIAL = Official(
    mark="model.1.weight",
    infer=_infer,
    names=_names,
    source="github.com/KupynOrest/DeblurGAN",
)
