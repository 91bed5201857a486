"""DeblurGAN-v2's FPN-MobileNet generator (Kupyn et al. 2019).

Running statistics in a file are read with the option statistics=running.
"""

import re
from typing import Any

from kernel_space_jax.models.restorers.deblurgan_v2 import SCALES, DeblurGANv2
from kernel_space_jax.weights.official import (
    Names,
    Official,
    Shapes,
    dimension,
    statistics,
)

# Their numbers of a block's layers, behind each of which is its norm.
LAYERS = {"expand": 0, "depthwise": 3, "project": 6}
# The trunk's layers from which each scale of the pyramid has its own second names.
STARTS = (0, 2, 4, 7, 11)


def _infer(shapes: Shapes) -> dict[str, Any]:
    return {
        "width": dimension(shapes, "final.weight", 1) * 2,
        "pyramid": dimension(shapes, "fpn.lateral4.weight", 0),
    }


def _names(module: DeblurGANv2) -> Names:
    names: Names = {
        ("stem",): "fpn.features.0.0",
        ("stem_norm",): "fpn.features.0.1",
        ("smooth",): "smooth.0",
        ("smooth_norm",): "smooth.1",
        ("smooth2",): "smooth2.0",
        ("smooth2_norm",): "smooth2.1",
    }
    blocks = [block for scale in SCALES for block in scale]
    for number, (widening, *_) in enumerate(blocks, start=1):
        # Without the first layer the others move up.
        shift = 0 if widening > 1 else 3
        for layer, place in LAYERS.items():
            theirs = f"fpn.features.{number}.conv"
            names[f"block{number}", layer] = f"{theirs}.{place - shift}"
            names[f"block{number}", f"{layer}_norm"] = f"{theirs}.{place - shift + 1}"
    for step in range(1, 4):
        names[(f"merge{step}",)] = f"fpn.td{step}.0"
        names[(f"merge{step}_norm",)] = f"fpn.td{step}.1"
    for scale in range(5):
        names[(f"lateral{scale}",)] = f"fpn.lateral{scale}"
        for part in range(2):
            names[(f"head{scale}_conv{part}",)] = f"head{scale}.block{part}"
    return names | statistics(names)


def _first_name(key: str) -> str:
    """fpn.features.5.conv.0.weight of fpn.enc2.1.conv.0.weight, the same array."""
    found = re.match(r"fpn\.enc([0-4])\.(\d+)\.", key)
    if not found:
        return key
    number = STARTS[int(found[1])] + int(found[2])
    return f"fpn.features.{number}.{key[found.end() :]}"


OFFICIAL = Official(
    mark="fpn.lateral4.weight",
    infer=_infer,
    names=_names,
    # The end of MobileNetV2, which the pyramid does not see.
    ignored=r"^fpn\.features\.1[678]\.",
    first_name=_first_name,
    otherwise="deblurgan",
    source="github.com/VITA-Group/DeblurGANv2",
)
