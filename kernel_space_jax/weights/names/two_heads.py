"""The two-headed network of per-pixel kernels (Carbajal et al. 2021)."""

from typing import Any

from kernel_space_jax.models.per_pixel.two_heads import TwoHeads
from kernel_space_jax.weights.official import (
    Names,
    Official,
    Shapes,
    count,
    dimension,
)


def _infer(shapes: Shapes) -> dict[str, Any]:
    return {
        "width": dimension(shapes, "inc_rgb.0.weight", 0),
        "basis": dimension(shapes, "masks_end.4.weight", 0),
        "kernel_scales": count(shapes, r"kernel_up\d\.up\.weight"),
    }


def _names(module: TwoHeads) -> Names:
    names: Names = {
        ("colour",): "inc_rgb.0",
        ("grey",): "inc_gray.0",
        ("deepest",): "feat.0",
    }
    for i in range(5):
        for j in range(2):
            names[f"down{i}", f"conv{j}"] = f"down{i + 1}.double_conv.{2 * j}"
    for head, theirs, scales in (
        ("mask", "", 5),
        ("kernel", "kernel_", module.kernel_scales),
    ):
        for i in range(scales):
            ours, prefix = f"{head}_up{i}", f"{theirs}up{i + 1}"
            names[ours, "up"] = f"{prefix}.up"
            names[ours, "mix"] = f"{prefix}.feat.0"
            for j in range(2):
                names[ours, "convs", f"conv{j}"] = f"{prefix}.double_conv.{2 * j}"
        for j in range(3):
            names[f"{head}s", f"conv{j}"] = f"{head}s_end.{2 * j}"
    return names


OFFICIAL = Official(
    mark="inc_rgb.0.weight",
    infer=_infer,
    names=_names,
    source="github.com/GuillermoCarbajal/NonUniformBlurKernelEstimation",
)
