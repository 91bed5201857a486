"""LPIPS as the authors' package saves it (Zhang et al. 2018)."""

from typing import Any

from kernel_space_jax.models.lpips import LPIPS, VGG_STAGES
from kernel_space_jax.weights.official import Names, Official, Shapes, dimension

ALEX_INDICES = (0, 3, 6, 8, 10)


def _infer(shapes: Shapes) -> dict[str, Any]:
    first = dimension(shapes, "net.slice1.0.weight", 2)
    return {"backbone": "alex" if first == 11 else "vgg"}


def _names(module: LPIPS) -> Names:
    names: Names = {(f"lin{layer}",): f"lin{layer}.model.1" for layer in range(5)}
    if module.backbone == "alex":
        for layer, index in enumerate(ALEX_INDICES):
            names[(f"conv{layer}",)] = f"net.slice{layer + 1}.{index}"
        return names
    number = 0
    for stage, (_, convolutions) in enumerate(VGG_STAGES):
        for index in range(convolutions):
            names[(f"conv{stage}_{index}",)] = f"net.slice{stage + 1}.{number}"
            number += 2
        number += 1
    return names


OFFICIAL = Official(
    mark="net.slice1.0.weight",
    infer=_infer,
    names=_names,
    inputs=lambda shapes: ((1, 64, 64, 3),) * 2,
    # Constants, and the linear heads under their second name.
    ignored=r"^(scaling_layer|lins)\.",
    source="the package lpips (docs/protocols/scores.md)",
)
