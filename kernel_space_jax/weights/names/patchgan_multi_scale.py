"""The critic of three depths in DeblurGAN-v2's program (Kupyn et al. 2019)."""

from typing import Any

from kernel_space_jax.models.critics import MultiScale
from kernel_space_jax.weights.official import (
    Names,
    Official,
    Shapes,
    dimension,
    statistics,
)

# Their first number of each block's layers, its norm one behind it.
BLOCKS = ("scale_one.2", "scale_one.5", "scale_two.0", "scale_three.0")
TAILS = {2: "first_tail", 3: "second_tail", 4: "third_tail"}


def _infer(shapes: Shapes) -> dict[str, Any]:
    return {
        "width": dimension(shapes, "scale_one.0.weight", 0),
        "tail_width": dimension(shapes, "first_tail.model.0.weight", 0),
    }


def _names(module: MultiScale) -> Names:
    names: Names = {("first",): "scale_one.0"}
    starts = {f"block{depth}": layer for depth, layer in enumerate(BLOCKS, start=1)}
    starts |= {f"tail{depth}": f"{tail}.model.0" for depth, tail in TAILS.items()}
    for ours, theirs in starts.items():
        scale, _, number = theirs.rpartition(".")
        names[ours, "conv"] = theirs
        names[ours, "norm"] = f"{scale}.{int(number) + 1}"
    for depth, tail in TAILS.items():
        names[(f"last{depth}",)] = f"{tail}.model.3"
    return names | statistics(names)


OFFICIAL = Official(
    mark="scale_one.0.weight",
    infer=_infer,
    names=_names,
    source="github.com/VITA-Group/DeblurGANv2",
)
