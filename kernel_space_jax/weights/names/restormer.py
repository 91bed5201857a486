"""Restormer (Zamir et al. 2022), as BasicSR saves it."""

import math
from typing import Any

from kernel_space_jax.errors import UserError
from kernel_space_jax.models.restorers.restormer import Restormer
from kernel_space_jax.weights.official import (
    Names,
    Official,
    Shapes,
    count,
    dimension,
)
from kernel_space_jax.weights.rules import free

# Ours, and what they call it: the encoder from fine to coarse, and what follows.
PARTS = {
    "encoder0": "encoder_level1",
    "encoder1": "encoder_level2",
    "encoder2": "encoder_level3",
    "latent": "latent",
    "decoder2": "decoder_level3",
    "decoder1": "decoder_level2",
    "decoder0": "decoder_level1",
    "refinement": "refinement",
}
LEVELS = list(PARTS.values())[:4]


def _infer(shapes: Shapes) -> dict[str, Any]:
    blocks = lambda part: count(shapes, rf"{part}\.\d+\.attn\.qkv\.weight")
    first = f"{LEVELS[0]}.0"
    return {
        "width": dimension(shapes, "patch_embed.proj.weight", 0),
        "blocks": tuple(blocks(part) for part in LEVELS),
        "refinement": blocks("refinement"),
        "heads": tuple(
            dimension(shapes, f"{part}.0.attn.temperature", 0) for part in LEVELS
        ),
        "expansion": _expansion(shapes),
        "use_bias": f"{first}.attn.qkv.bias" in shapes,
        "norm": "with-bias" if f"{first}.norm1.body.bias" in shapes else "bias-free",
    }


def _expansion(shapes: Shapes) -> float:
    """The shortest decimal fraction e with int(width e) hidden channels at each level.

    Shapes leave a short range of them, all of the same network: 2.659 to 2.661.
    """
    least, most = 0.0, math.inf
    for part in LEVELS:
        key = f"{part}.0.ffn.project_out.weight"
        width, hidden = dimension(shapes, key, 0), dimension(shapes, key, 1)
        least, most = max(least, hidden / width), min(most, (hidden + 1) / width)
    for digits in range(7):
        found = math.ceil(least * 10**digits) / 10**digits
        if found < most:
            return found
    raise UserError("the feed-forward layers have widths that fit no one expansion")


def _names(module: Restormer) -> Names:
    names: Names = {("intro",): "patch_embed.proj", ("ending",): "output"}
    for level in range(3):
        names[(f"down{level}",)] = f"down{level + 1}_{level + 2}.body.0"
        names[(f"up{level}",)] = f"up{level + 2}_{level + 1}.body.0"
        names[(f"reduce{level}",)] = f"reduce_chan_level{level + 1}"
    counts = [*module.blocks, *module.blocks[2::-1], module.refinement]
    for (ours, theirs), blocks in zip(PARTS.items(), counts, strict=True):
        for j in range(blocks):
            block, their_block = f"{ours}_block{j}", f"{theirs}.{j}"
            for norm in ("norm1", "norm2"):
                names[(f"{block}_{norm}",)] = f"{their_block}.{norm}.body"
            for layer, its in _ATTENTION.items():
                names[f"{block}_attention", layer] = f"{their_block}.attn.{its}"
            for layer, its in _FEED_FORWARD.items():
                names[f"{block}_feed_forward", layer] = f"{their_block}.ffn.{its}"
    return names


_ATTENTION = {
    "qkv": "qkv",
    "qkv_depthwise": "qkv_dwconv",
    "temperature": "temperature",
    "out": "project_out",
}
_FEED_FORWARD = {"in": "project_in", "depthwise": "dwconv", "out": "project_out"}

OFFICIAL = Official(
    mark="patch_embed.proj.weight",
    infer=_infer,
    names=_names,
    layouts={"temperature": free(-1, 1, 1)},
    source="github.com/swz30/Restormer, motion_deblurring.pth",
)
