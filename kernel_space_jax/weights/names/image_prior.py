"""The untrained network of the image in the blind search (Tran et al. 2021)."""

from typing import Any

from kernel_space_jax.models.priors import ImagePrior
from kernel_space_jax.weights.official import (
    Names,
    Official,
    Shapes,
    count,
    dimension,
)


def _conv(shapes: Shapes) -> int:
    """A reflecting layer before each convolution shifts its number from 0 to 1."""
    return 1 if "model.1.0.1.1.weight" in shapes else 0


def _infer(shapes: Shapes) -> dict[str, Any]:
    conv = _conv(shapes)
    return {
        "width": dimension(shapes, f"model.3.{conv}.weight", 0),
        "skip": dimension(shapes, f"model.1.0.1.{conv}.weight", 0),
        "scales": count(shapes, rf"model(\.1\.1\.[78])*\.3\.{conv}\.weight"),
        "channels": dimension(shapes, f"model.9.{conv}.weight", 0),
        "padding": "reflect" if conv else "zero",
    }


def _inputs(shapes: Shapes) -> tuple[tuple[int, ...], ...]:
    channels = dimension(shapes, f"model.1.0.1.{_conv(shapes)}.weight", 1)
    return ((1, 64, 64, channels),)


def _names(module: ImagePrior) -> Names:
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


OFFICIAL = Official(
    mark="model.2.weight",
    infer=_infer,
    names=_names,
    inputs=_inputs,
    source="github.com/VinAIResearch/blur-kernel-space-exploring",
)
