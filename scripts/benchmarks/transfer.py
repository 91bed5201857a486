"""Blur transfer, y' = F(x', G(x, y)), beside the same network in PyTorch."""

import re
from copy import deepcopy
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import typer
from benchmarks.common import (
    Call,
    JsonFile,
    Positive,
    Report,
    Write,
    compiled,
    machine,
    pytorch,
    race,
    their_device,
    theirs,
)
from jax import Array

from kernel_space_jax import weights
from kernel_space_jax.models.kernel_space import KernelSpace
from kernel_space_jax.operators import Learned

SHIPPED = "kernel-space"
SIZES = ["256x256", "1280x720"]


def _rival(module: KernelSpace, variables: dict[str, Any]) -> Any:
    """The network in PyTorch, with the same weights."""
    import torch
    from benchmarks.torch_kernel_space import KernelSpace as Rival

    model = Rival(
        module.width,
        module.code_width,
        module.front_blocks,
        module.back_blocks,
        module.code_blocks,
        padding=module.padding,  # type: ignore[arg-type]
        tail_width=module.tail_width,
    )
    tensors = weights.to_torch(module, variables)
    model.load_state_dict({k: torch.tensor(v) for k, v in tensors.items()})
    return model


def _pixels(text: str) -> tuple[int, int]:
    """(height, width) of WIDTHxHEIGHT."""
    parts = re.fullmatch(r"(\d+)x(\d+)", text)
    if not parts or min(int(side) for side in parts.groups()) < 128:
        raise typer.BadParameter(f"--size {text} is not WIDTHxHEIGHT of 128 or more")
    return int(parts[2]), int(parts[1])


def transfer(
    sizes: Annotated[
        list[str] | None, typer.Option("--size", help="WIDTHxHEIGHT; may be repeated.")
    ] = None,
    published: Annotated[
        bool,
        typer.Option("--published", help="The published width 64, fresh weights."),
    ] = False,
    rounds: Positive = 5,
    json_file: JsonFile = None,
    write: Write = False,
) -> None:
    """Images a second of blur transfer with the shipped network: JAX against PyTorch.

    Timed is what one image costs: G on a pair, F on the target, clipping; the pair and
    the target are of one size, different, and in memory. No file is read or written.
    """
    torch = pytorch()
    say = Report("transfer, published width" if published else "transfer")
    if published:
        image = jnp.zeros((1, 256, 256, 3))
        module = KernelSpace()
        variables: Any = jax.jit(module.init)(jax.random.key(0), image, image)
    else:
        loaded, variables = weights.load(SHIPPED)
        assert isinstance(loaded, KernelSpace)
        module = loaded
    model = _rival(module, variables)

    def program(variables, x: Array, y: Array, target: Array) -> Array:
        k = module.apply(variables, x, y, method="extract")[0]
        return jnp.clip(Learned(module, variables)(target, k), 0, 1)  # type: ignore[arg-type]

    device = machine(torch=torch.__version__)
    say(f"{device}\n\nwidth {module.width}, {rounds} rounds\n")
    say(
        "| images/s | ours | torch contiguous_format | torch channels_last "
        "| ours / best torch | compilation, s |\n|---" + "|---:" * 5 + "|"
    )
    figures: dict[str, Any] = {"machine": device, "width": module.width, "sizes": {}}
    for size in sizes or SIZES:
        random = np.random.default_rng(0)
        images = [random.random((1, *_pixels(size), 3), np.float32) for _ in range(3)]
        ours = [jnp.asarray(image) for image in images]
        run, seconds = compiled(program, variables, *ours)
        entrants: dict[str, Call] = {
            "ours": lambda run=run, ours=ours: jax.block_until_ready(
                run(variables, *ours)
            )
        }
        for layout in ("contiguous_format", "channels_last"):
            entrants[f"torch {layout}"] = _their_call(model, layout, images)
        found = np.asarray(run(variables, *ours))
        rival: Any = entrants["torch contiguous_format"]()
        difference = np.abs(found - rival.permute(0, 2, 3, 1).cpu().numpy()).max()
        times = race(entrants, rounds)
        speeds = {name: 1e3 / time for name, time in times.items()}
        ratio = speeds["ours"] / max(list(speeds.values())[1:])
        cells = " | ".join(f"{speed:.3g}" for speed in speeds.values())
        say(f"| {size} | {cells} | {ratio:.2f} | {seconds:.1f} |")
        figures["sizes"][size] = {
            "images_per_second": speeds,
            "ratio": ratio,
            "compile_s": seconds,
            "difference": float(difference),
        }
    most = max(found["difference"] for found in figures["sizes"].values())
    say(f"\nlargest difference of a pixel {most:.1e}")
    say.close(figures, json_file, write)


def _their_call(model: Any, layout: str, images: list[np.ndarray]) -> Call:
    """Transfer in PyTorch, with a copy of the model in one memory layout."""
    import torch

    form, place = {"memory_format": getattr(torch, layout)}, their_device()
    fixed = deepcopy(model).to(place, **form)
    tensors = [
        torch.tensor(image, device=place).permute(0, 3, 1, 2).contiguous(**form)
        for image in images
    ]
    return theirs(torch.no_grad()(lambda: fixed.transfer(*tensors)))
