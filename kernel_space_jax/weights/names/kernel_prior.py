"""The untrained network of the code in the blind search (Tran et al. 2021)."""

from typing import Any

from kernel_space_jax.models.priors import KernelPrior
from kernel_space_jax.weights.names.kernel_space import block_padding, encoder_names
from kernel_space_jax.weights.official import (
    Names,
    Official,
    Shapes,
    count,
    dimension,
)


def _infer(shapes: Shapes) -> dict[str, Any]:
    block = r"model\.\d+\.conv_block\."
    return {
        "width": dimension(shapes, "model.1.weight", 0),
        "code_width": dimension(shapes, "model.16.weight", 0),
        "blocks": count(shapes, block + r"\d\.weight") // 2,
        **block_padding(shapes, block + r"0\.weight"),
    }


def _names(module: KernelPrior) -> Names:
    return encoder_names(("encoder",), "model", module.blocks, module.padding)


OFFICIAL = Official(
    mark="model.1.weight",
    infer=_infer,
    names=_names,
    inputs=lambda shapes: ((1, 64, 64, dimension(shapes, "model.1.weight", 1)),),
    source="github.com/VinAIResearch/blur-kernel-space-exploring",
)
