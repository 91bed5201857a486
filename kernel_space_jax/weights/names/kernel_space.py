"""The blur-operator space of Tran et al. (2021): F, G and the features they share."""

from typing import Any

from kernel_space_jax.models.kernel_space import KernelSpace
from kernel_space_jax.weights.official import (
    Names,
    Official,
    Shapes,
    count,
    dimension,
)


def block_padding(shapes: Shapes, pattern: str) -> dict[str, Any]:
    """Zero padding shows in the numbering of the layers; other kinds look alike."""
    return {"padding": "zero"} if count(shapes, pattern) else {}


def encoder_names(
    ours: tuple[str, ...], theirs: str, blocks: int, padding: str
) -> Names:
    """The six convolutions and the blocks of a `KernelEncoder`."""
    names = {(*ours, f"conv{i}"): f"{theirs}.{1 + 3 * i}" for i in range(6)}
    # A layer of padding stands before each convolution, unless it pads with zeros.
    first, second = (0, 3) if padding == "zero" else (1, 5)
    for i in range(blocks):
        block = f"{theirs}.{19 + i}.conv_block"
        names[(*ours, f"block{i}", "conv1")] = f"{block}.{first}"
        names[(*ours, f"block{i}", "conv2")] = f"{block}.{second}"
    return names


def _infer(shapes: Shapes) -> dict[str, Any]:
    innermost = "adapter.model" + ".submodule" * 4
    extractor = r"kernel_extractor\.model\.\d+\.conv_block\."
    encoded = dimension(shapes, "kernel_extractor.model.16.weight", 0)
    joined = dimension(shapes, f"{innermost}.up.1.weight", 0)
    code_width = joined - dimension(shapes, f"{innermost}.down.1.weight", 0)
    back_blocks = count(shapes, r"recon_trunk\.\d+\.conv1\.weight")
    return {
        "width": dimension(shapes, "feature_extractor.0.weight", 0),
        "tail_width": dimension(shapes, f"recon_trunk.{back_blocks + 6}.weight", 0),
        "code_width": code_width,
        "front_blocks": count(shapes, r"feature_extractor\.\d+\.conv1\.weight"),
        "back_blocks": back_blocks,
        "code_blocks": count(shapes, extractor + r"\d\.weight") // 2,
        "variational": encoded == 2 * code_width,
        "norm": "instance" if "kernel_extractor.model.1.bias" in shapes else "none",
        **block_padding(shapes, extractor + r"0\.weight"),
    }


def _names(module: KernelSpace) -> Names:
    names: Names = {
        ("features", f"conv{i}"): f"feature_extractor.{2 * i}" for i in range(3)
    }
    for i in range(module.front_blocks):
        names["features", f"block{i}"] = f"feature_extractor.{6 + i}"
    names |= encoder_names(
        ("extractor",), "kernel_extractor.model", module.code_blocks, module.padding
    )
    level_prefix = "adapter.model"
    for level in range(5):
        down = "down.1" if level else "down.0"
        names["unet", f"down{level}"] = f"{level_prefix}.{down}"
        names["unet", f"up{level}"] = f"{level_prefix}.up.1"
        level_prefix += ".submodule"
    back = module.back_blocks
    for i in range(back):
        names["reconstruction", f"block{i}"] = f"recon_trunk.{i}"
    for ours, offset in (("up0", 0), ("up1", 3), ("conv0", 6), ("conv1", 8)):
        names["reconstruction", ours] = f"recon_trunk.{back + offset}"
    return names


OFFICIAL = Official(
    mark="feature_extractor.0.weight",
    infer=_infer,
    names=_names,
    inputs=lambda shapes: ((1, 256, 256, 3),) * 2,
    source="github.com/VinAIResearch/blur-kernel-space-exploring",
)
