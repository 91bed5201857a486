"""StyleGAN as its PyTorch port names it (lernapparat's, which PULSE reads too)."""

from typing import Any

from kernel_space_jax.models.generators import StyleGAN
from kernel_space_jax.weights.official import (
    Names,
    Official,
    Shapes,
    count,
    dimension,
)
from kernel_space_jax.weights.rules import IMAGE

FIRST = "g_synthesis.blocks.4x4"


def _block(i: int) -> str:
    return f"g_synthesis.blocks.{4 * 2**i}x{4 * 2**i}"


def _infer(shapes: Shapes) -> dict[str, Any]:
    blocks = count(shapes, r"g_synthesis\.blocks\.\d+x\d+\.conv1\.weight")
    widths = (
        dimension(shapes, f"{_block(i)}.conv1.weight", 0) for i in range(1, 1 + blocks)
    )
    return {
        "widths": (dimension(shapes, f"{FIRST}.conv.weight", 0), *widths),
        "style": dimension(shapes, "g_mapping.dense0.weight", 0),
        "mapping": count(shapes, r"g_mapping\.dense\d+\.weight"),
    }


def _inputs(shapes: Shapes) -> tuple[tuple[int, ...], ...]:
    module = StyleGAN(**_infer(shapes))
    return ((1, *module.latents), *module.noise_shapes())


def _names(module: StyleGAN) -> Names:
    names: Names = {
        ("const",): f"{FIRST}.const",
        ("bias",): f"{FIRST}.bias",
        ("conv",): f"{FIRST}.conv",
        ("to_rgb",): "g_synthesis.torgb",
    }
    names |= {(f"dense_{i}",): f"g_mapping.dense{i}" for i in range(module.mapping)}
    for i in range(1, len(module.widths)):
        names[(f"ups_{i - 1}",)] = f"{_block(i)}.conv0_up"
        names[(f"convs_{i - 1}",)] = f"{_block(i)}.conv1"
    for i in range(module.latents[0]):
        epilogue = f"{_block(i // 2)}.epi{i % 2 + 1}"
        names[(f"styled_{i}", "noise")] = f"{epilogue}.top_epi.noise"
        names[(f"styled_{i}", "style")] = f"{epilogue}.style_mod.lin"
    return names


OFFICIAL = Official(
    mark=f"{FIRST}.const",
    infer=_infer,
    names=_names,
    inputs=_inputs,
    # The filter [1, 2, 1], and the mean style of a truncation.
    ignored=r"intermediate\.kernel$|avg_latent$",
    layouts={"const": IMAGE},
    source="github.com/lernapparat/lernapparat",
)
