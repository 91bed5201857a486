"""What each PyTorch checkpoint is: its options read off its tensors, and its names.

An architecture is one row of `ARCHITECTURES`. `infer` finds the options of our
module in the state dict; `names` says which PyTorch prefix each of our layers has.
A new network joins by one more row.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jax import Array

from kernel_space_jax.errors import UserError
from kernel_space_jax.models.kernel_space import KernelSpace
from kernel_space_jax.models.lpips import ALEX_WIDTHS, LPIPS, VGG_STAGES
from kernel_space_jax.models.per_pixel.judge import Judge
from kernel_space_jax.models.per_pixel.mender import Mender
from kernel_space_jax.models.per_pixel.two_heads import TwoHeads
from kernel_space_jax.models.priors import ImagePrior, KernelPrior
from kernel_space_jax.models.restorers.compact import Compact
from kernel_space_jax.models.vgg import STAGES, VGG19

Shapes = Mapping[str, tuple[int, ...]]
Names = dict[tuple[str, ...], str]


@dataclass(frozen=True)
class Architecture:
    """One kind of network: how its PyTorch weights become ours."""

    module: type[nn.Module]
    infer: Callable[[Shapes], dict[str, Any]]
    names: Callable[[nn.Module], Names]
    inputs: Callable[[Shapes], tuple[Array, ...]]
    ignored: str = r"num_batches_tracked$"


def count(shapes: Shapes, pattern: str) -> int:
    """How many keys match the whole of `pattern`."""
    return sum(re.fullmatch(pattern, key) is not None for key in shapes)


def _dimension(shapes: Shapes, key: str, axis: int) -> int:
    if key not in shapes:
        raise UserError(f"the weights have no '{key}', which this architecture needs")
    if axis >= len(shapes[key]):
        raise UserError(f"'{key}' has the unexpected shape {shapes[key]}")
    return shapes[key][axis]


def _block_padding(shapes: Shapes, pattern: str) -> dict[str, Any]:
    """Zero padding shows in the numbering of the layers; other kinds look alike."""
    return {"padding": "zero"} if count(shapes, pattern) else {}


# The kernel space: F, G and the features that they share.


def _infer_kernel_space(shapes: Shapes) -> dict[str, Any]:
    innermost = "adapter.model" + ".submodule" * 4
    extractor = r"kernel_extractor\.model\.\d+\.conv_block\."
    encoded = _dimension(shapes, "kernel_extractor.model.16.weight", 0)
    joined = _dimension(shapes, f"{innermost}.up.1.weight", 0)
    code_width = joined - _dimension(shapes, f"{innermost}.down.1.weight", 0)
    back_blocks = count(shapes, r"recon_trunk\.\d+\.conv1\.weight")
    return {
        "width": _dimension(shapes, "feature_extractor.0.weight", 0),
        "tail_width": _dimension(shapes, f"recon_trunk.{back_blocks + 6}.weight", 0),
        "code_width": code_width,
        "front_blocks": count(shapes, r"feature_extractor\.\d+\.conv1\.weight"),
        "back_blocks": back_blocks,
        "code_blocks": count(shapes, extractor + r"\d\.weight") // 2,
        "variational": encoded == 2 * code_width,
        "norm": "instance" if "kernel_extractor.model.1.bias" in shapes else "none",
        **_block_padding(shapes, extractor + r"0\.weight"),
    }


def _encoder_names(
    ours: tuple[str, ...], theirs: str, blocks: int, zero: bool
) -> Names:
    names = {(*ours, f"conv{i}"): f"{theirs}.{1 + 3 * i}" for i in range(6)}
    first, second = (0, 3) if zero else (1, 5)
    for i in range(blocks):
        block = f"{theirs}.{19 + i}.conv_block"
        names[(*ours, f"block{i}", "conv1")] = f"{block}.{first}"
        names[(*ours, f"block{i}", "conv2")] = f"{block}.{second}"
    return names


def _residual_names(ours: str, theirs: str, blocks: int, first: int) -> Names:
    return {
        (ours, f"block{i}", conv): f"{theirs}.{first + i}.{conv}"
        for i in range(blocks)
        for conv in ("conv1", "conv2")
    }


def _kernel_space_names(module: nn.Module) -> Names:
    assert isinstance(module, KernelSpace)
    names = {("features", f"conv{i}"): f"feature_extractor.{2 * i}" for i in range(3)}
    names |= _residual_names("features", "feature_extractor", module.front_blocks, 6)
    names |= _encoder_names(
        ("extractor",),
        "kernel_extractor.model",
        module.code_blocks,
        module.padding == "zero",
    )
    level_prefix = "adapter.model"
    for level in range(5):
        down = "down.1" if level else "down.0"
        names["unet", f"down{level}"] = f"{level_prefix}.{down}"
        names["unet", f"up{level}"] = f"{level_prefix}.up.1"
        level_prefix += ".submodule"
    back = module.back_blocks
    names |= _residual_names("reconstruction", "recon_trunk", back, 0)
    for ours, offset in (("up0", 0), ("up1", 3), ("conv0", 6), ("conv1", 8)):
        names["reconstruction", ours] = f"recon_trunk.{back + offset}"
    return names


# The untrained priors of the blind search.


def _infer_kernel_prior(shapes: Shapes) -> dict[str, Any]:
    block = r"model\.\d+\.conv_block\."
    return {
        "width": _dimension(shapes, "model.1.weight", 0),
        "code_width": _dimension(shapes, "model.16.weight", 0),
        "blocks": count(shapes, block + r"\d\.weight") // 2,
        **_block_padding(shapes, block + r"0\.weight"),
    }


def _kernel_prior_names(module: nn.Module) -> Names:
    assert isinstance(module, KernelPrior)
    return _encoder_names(
        ("encoder",), "model", module.blocks, module.padding == "zero"
    )


def _infer_image_prior(shapes: Shapes) -> dict[str, Any]:
    # A reflecting layer before each convolution shifts its number from 0 to 1.
    reflects = "model.1.0.1.1.weight" in shapes
    conv = 1 if reflects else 0
    return {
        "width": _dimension(shapes, f"model.3.{conv}.weight", 0),
        "skip": _dimension(shapes, f"model.1.0.1.{conv}.weight", 0),
        "scales": count(shapes, rf"model(\.1\.1\.[78])*\.3\.{conv}\.weight"),
        "channels": _dimension(shapes, f"model.9.{conv}.weight", 0),
        "padding": "reflect" if reflects else "zero",
    }


def _image_prior_channels(shapes: Shapes) -> int:
    conv = 1 if "model.1.0.1.1.weight" in shapes else 0
    return _dimension(shapes, f"model.1.0.1.{conv}.weight", 1)


def _image_prior_names(module: nn.Module) -> Names:
    assert isinstance(module, ImagePrior)
    conv = 1 if module.padding == "reflect" else 0
    names: Names = {("image",): f"model.9.{conv}"}
    ours, theirs = ("scale",), "model"
    for scale in range(module.scales):
        inside = f"{theirs}.1.1"
        # The non-local block, from the third scale on, shifts the numbers by one.
        late = 1 if scale > 1 else 0
        layers = {
            "skip": (f"{theirs}.1.0.1", f"{theirs}.1.0.2"),
            "down": (f"{inside}.1", f"{inside}.2"),
            "deep": (f"{inside}.{4 + late}", f"{inside}.{5 + late}"),
            "up": (f"{theirs}.3", f"{theirs}.4"),
            "mix": (f"{theirs}.6", f"{theirs}.7"),
        }
        for layer, (convolution, norm) in layers.items():
            names[(*ours, layer, "conv")] = f"{convolution}.{conv}"
            names[(*ours, layer, "norm")] = norm
        names[(*ours, "norm")] = f"{theirs}.2"
        if late:
            for layer, theirs_layer in (
                ("theta", "theta"),
                ("phi", "phi.0"),
                ("g", "g.0"),
                ("out", "W.0"),
                ("norm", "W.1"),
            ):
                names[(*ours, "nonlocal", layer)] = f"{inside}.4.{theirs_layer}"
        ours, theirs = (*ours, "inner"), f"{inside}.{7 + late}"
    return names


# VGG19 as torchvision numbers it.


def _vgg19_indices() -> dict[str, int]:
    indices, number = {}, 0
    for stage, convolutions in enumerate(STAGES, start=1):
        for index in range(1, convolutions + 1):
            indices[f"conv{stage}_{index}"] = number
            number += 2
        number += 1
    return indices


def _infer_vgg19(shapes: Shapes) -> dict[str, Any]:
    indices = _vgg19_indices()
    firsts = (f"features.{indices[f'conv{stage}_1']}.weight" for stage in range(1, 6))
    return {"widths": tuple(_dimension(shapes, key, 0) for key in firsts)}


# LPIPS as the authors' package saves it.


def _infer_lpips(shapes: Shapes) -> dict[str, Any]:
    first = _dimension(shapes, "net.slice1.0.weight", 2)
    return {"backbone": "alex" if first == 11 else "vgg"}


def _lpips_names(module: nn.Module) -> Names:
    assert isinstance(module, LPIPS)
    names = {(f"lin{layer}",): f"lin{layer}.model.1" for layer in range(5)}
    if module.backbone == "alex":
        indices = (0, 3, 6, 8, 10)
        for layer, index in zip(range(len(ALEX_WIDTHS)), indices, strict=True):
            names[(f"conv{layer}",)] = f"net.slice{layer + 1}.{index}"
        return names
    number = 0
    for stage, (_, convolutions) in enumerate(VGG_STAGES):
        for index in range(convolutions):
            names[(f"conv{stage}_{index}",)] = f"net.slice{stage + 1}.{number}"
            number += 2
        number += 1
    return names


# The two-headed network of per-pixel kernels.


def _infer_two_heads(shapes: Shapes) -> dict[str, Any]:
    return {
        "width": _dimension(shapes, "inc_rgb.0.weight", 0),
        "basis": _dimension(shapes, "masks_end.4.weight", 0),
        "kernel_scales": count(shapes, r"kernel_up\d\.up\.weight"),
    }


def _two_heads_names(module: nn.Module) -> Names:
    assert isinstance(module, TwoHeads)
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


def _infer_none(shapes: Shapes) -> dict[str, Any]:
    raise UserError(
        "this network is the project's own; no PyTorch weights belong to it"
    )


def _image(channels: int, side: int) -> Array:
    return jnp.zeros((1, side, side, channels))


ARCHITECTURES: dict[str, Architecture] = {
    "kernel_space": Architecture(
        KernelSpace,
        _infer_kernel_space,
        _kernel_space_names,
        lambda shapes: (_image(3, 256), _image(3, 256)),
    ),
    "kernel_prior": Architecture(
        KernelPrior,
        _infer_kernel_prior,
        _kernel_prior_names,
        lambda shapes: (_image(_dimension(shapes, "model.1.weight", 1), 64),),
    ),
    "image_prior": Architecture(
        ImagePrior,
        _infer_image_prior,
        _image_prior_names,
        lambda shapes: (_image(_image_prior_channels(shapes), 64),),
    ),
    "two_heads": Architecture(
        TwoHeads,
        _infer_two_heads,
        _two_heads_names,
        lambda shapes: (_image(3, 32),),
    ),
    "restorer": Architecture(
        Compact, _infer_none, lambda module: {}, lambda shapes: (_image(3, 32),)
    ),
    "judge": Architecture(
        Judge, _infer_none, lambda module: {}, lambda shapes: (_image(3, 32),)
    ),
    "mender": Architecture(
        Mender,
        _infer_none,
        lambda module: {},
        lambda shapes: (_image(3, 32), _image(1, 32)),
    ),
    "vgg19": Architecture(
        VGG19,
        _infer_vgg19,
        lambda module: {
            (name,): f"features.{index}" for name, index in _vgg19_indices().items()
        },
        lambda shapes: (_image(3, 32),),
        ignored=r"^classifier\.",
    ),
    "lpips": Architecture(
        LPIPS,
        _infer_lpips,
        _lpips_names,
        lambda shapes: (_image(3, 64), _image(3, 64)),
        # Constants, and the linear heads under their second name.
        ignored=r"^(scaling_layer|lins)\.",
    ),
}


def architecture(name: str) -> Architecture:
    """The row of the table, or a sentence that lists the rows."""
    if name not in ARCHITECTURES:
        known = ", ".join(sorted(ARCHITECTURES))
        raise UserError(f"there is no architecture '{name}'; choose one of {known}")
    return ARCHITECTURES[name]
