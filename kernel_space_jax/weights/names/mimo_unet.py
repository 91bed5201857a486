"""MIMO-UNet and MIMO-UNet+ (Cho et al. 2021); dropout has no weights."""

from typing import Any

from kernel_space_jax.models.restorers.mimo_unet import LEVELS, MIMOUNet
from kernel_space_jax.weights.official import (
    Names,
    Official,
    Shapes,
    count,
    dimension,
)

MARK = "feat_extract.0.main.0.weight"
# Our levels, 0 the finest; their numbers are the order of their program.
LAYERS = {
    "intro": "feat_extract.0",
    "down0": "feat_extract.1",
    "down1": "feat_extract.2",
    "up1": "feat_extract.3",
    "up0": "feat_extract.4",
    "answer0": "feat_extract.5",
    "answer2": "ConvsOut.0",
    "answer1": "ConvsOut.1",
    "reduce1": "Convs.0",
    "reduce0": "Convs.1",
    "attend2": "FAM1.merge",
    "attend1": "FAM2.merge",
}


def _infer(shapes: Shapes) -> dict[str, Any]:
    return {
        "width": dimension(shapes, MARK, 0),
        "blocks": count(shapes, r"Encoder\.0\.layers\.\d+\.main\.0\.main\.0\.weight"),
    }


def _names(module: MIMOUNet) -> Names:
    names: Names = {(ours,): f"{theirs}.main.0" for ours, theirs in LAYERS.items()}
    for level in range(LEVELS):
        coarser = LEVELS - 1 - level
        for part, theirs in (("encoder", level), ("decoder", coarser)):
            for j in range(module.blocks):
                block = f"{part.title()}.{theirs}.layers.{j}"
                for i in range(2):
                    ours = f"{part}{level}_block{j}", f"conv{i + 1}"
                    names[ours] = f"{block}.main.{i}.main.0"
    for level in range(LEVELS - 1):
        for i in range(2):
            names[f"fuse{level}", f"conv{i}"] = f"AFFs.{level}.conv.{i}.main.0"
    for level in range(1, LEVELS):
        theirs = f"SCM{LEVELS - level}"
        names[f"shallow{level}", "last"] = f"{theirs}.conv.main.0"
        for i in range(4):
            names[f"shallow{level}", f"conv{i}"] = f"{theirs}.main.{i}.main.0"
    return names


OFFICIAL = Official(
    mark=MARK,
    infer=_infer,
    names=_names,
    source="github.com/chosj95/MIMO-UNet",
)
