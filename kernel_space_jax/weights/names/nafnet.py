"""NAFNet (Chen et al. 2022), with or without its local means."""

from typing import Any

from kernel_space_jax.models.restorers.nafnet import NAFNet
from kernel_space_jax.weights.official import (
    Names,
    Official,
    Shapes,
    count,
    dimension,
)
from kernel_space_jax.weights.rules import free


def _infer(shapes: Shapes) -> dict[str, Any]:
    blocks = lambda part: count(shapes, rf"{part}\.\d+\.conv1\.weight")
    downs = count(shapes, r"downs\.\d+\.weight")
    ups = count(shapes, r"ups\.\d+\.0\.weight")
    return {
        "width": dimension(shapes, "intro.weight", 0),
        "encoder_blocks": tuple(blocks(rf"encoders\.{i}") for i in range(downs)),
        "middle_blocks": blocks("middle_blks"),
        "decoder_blocks": tuple(blocks(rf"decoders\.{i}") for i in range(ups)),
    }


def _names(module: NAFNet) -> Names:
    parts = {"middle": ("middle_blks", module.middle_blocks)}
    names: Names = {}
    for i, blocks in enumerate(module.encoder_blocks):
        names[(f"down{i}",)] = f"downs.{i}"
        parts[f"encoder{i}"] = (f"encoders.{i}", blocks)
    for i, blocks in enumerate(module.decoder_blocks):
        names[(f"up{i}",)] = f"ups.{i}.0"
        parts[f"decoder{i}"] = (f"decoders.{i}", blocks)
    for ours, (theirs, blocks) in parts.items():
        for j in range(blocks):
            names[(f"{ours}_block{j}",)] = f"{theirs}.{j}"
            names[f"{ours}_block{j}", "attention"] = f"{theirs}.{j}.sca.1"
    return names


OFFICIAL = Official(
    mark="intro.weight",
    infer=_infer,
    names=_names,
    layouts={"beta|gamma": free(1, -1, 1, 1)},
    source="github.com/megvii-research/NAFNet, NAFNet-GoPro-width64.pth",
)
