"""DeblurGAN-v2's two critics (Kupyn et al. 2019), "patch" and "full"."""

from typing import Any

from kernel_space_jax.models.critics import DoubleScale
from kernel_space_jax.weights.names.patchgan import (
    INPUTS,
    LAYOUTS,
    depth,
    inferred,
    layer_names,
)
from kernel_space_jax.weights.official import Names, Official, Shapes


def _infer(shapes: Shapes) -> dict[str, Any]:
    return {
        "layers": depth(shapes, "patch.model"),
        "full_layers": depth(shapes, "full.model"),
        **inferred(shapes, "patch.model"),
    }


def _names(module: DoubleScale) -> Names:
    patch = layer_names(module.layers, module.norm, "patch.model", "patch")
    return patch | layer_names(module.full_layers, module.norm, "full.model", "full")


OFFICIAL = Official(
    mark="patch.model.0.bias",
    infer=_infer,
    names=_names,
    inputs=lambda shapes: INPUTS,
    layouts=LAYOUTS,
    source="github.com/VITA-Group/DeblurGANv2",
)
