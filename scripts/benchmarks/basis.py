"""Adaptive basis: the network and a restoration, beside PyTorch."""

from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
import typer
from benchmarks.common import (
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

from kernel_space_jax.operators import KernelField
from kernel_space_jax.solvers import richardson_lucy
from kernel_space_jax.weights import from_torch

BASIS, SIDE = 25, 33


def _field(size: int) -> KernelField:
    """Random kernels and masks, smooth enough to be a blur."""
    random = np.random.default_rng(0)
    kernels = random.random((1, BASIS, SIDE, SIDE), np.float32) ** 8
    masks = random.random((1, size, size, BASIS), np.float32) ** 4
    return KernelField(
        jnp.asarray(kernels / kernels.sum((2, 3), keepdims=True)),
        jnp.asarray(masks / masks.sum(-1, keepdims=True)),
    )


def basis(
    width: Positive = 64,
    size: Annotated[int, typer.Option(min=32, help="A multiple of 32.")] = 512,
    steps: Positive = 10,
    rounds: Positive = 3,
    json_file: JsonFile = None,
    write: Write = False,
) -> None:
    """The two-headed network and Richardson-Lucy: JAX against eager PyTorch."""
    if size % 32:
        raise typer.BadParameter("--size must be a multiple of 32")
    torch = pytorch()
    from benchmarks import torch_two_heads

    say, place = Report("basis"), their_device()
    model = torch_two_heads.TwoHeads(width, BASIS)
    module, variables = from_torch("two_heads", model.state_dict())
    model.to(place)
    photo = np.random.default_rng(1).random((1, size, size, 3), np.float32)
    y, field = jnp.asarray(photo), _field(size)
    tensor = lambda array: torch.tensor(np.asarray(array), device=place)
    their_y = tensor(photo).permute(0, 3, 1, 2).contiguous()
    their_kernels = tensor(field.kernels[0])
    their_masks = tensor(field.masks[0]).permute(2, 0, 1).contiguous()

    apply, apply_s = compiled(module.apply, variables, y)
    # The prior and the sensor's response cost little; the rival goes without them.
    solve, solve_s = compiled(
        lambda y, field: richardson_lucy(y, field, steps=steps).x, y, field
    )

    @torch.no_grad()
    def their_apply() -> None:
        model(their_y)

    @torch.no_grad()
    def their_solve() -> None:
        torch_two_heads.richardson_lucy(
            their_y, their_kernels, their_masks, steps=steps
        )

    calls = {
        "network": {
            "ours": lambda: jax.block_until_ready(apply(variables, y)),
            "torch": theirs(their_apply),
        },
        "restoration": {
            "ours": lambda: jax.block_until_ready(solve(y, field)),
            "torch": theirs(their_solve),
        },
    }
    with torch.no_grad():
        kernels, masks = (found.cpu() for found in model(their_y))
    ours = apply(variables, y)
    difference = max(
        float(np.abs(np.flip(np.asarray(ours[0]), (-2, -1)) - kernels.numpy()).max()),
        float(np.abs(np.moveaxis(np.asarray(ours[1]), -1, 1) - masks.numpy()).max()),
    )
    ms = {part: race(both, rounds) for part, both in calls.items()}
    ratios = {part: times["torch"] / times["ours"] for part, times in ms.items()}
    seconds = {"network": apply_s, "restoration": solve_s}
    device = machine(torch=torch.__version__)
    say(f"{device}\n\nwidth {width}, {size}x{size}, {steps} steps, {rounds} rounds")
    say(f"\nlargest difference of kernels and masks {difference:.1e}\n")
    say("| ms | ours | torch | torch / ours | compilation, s |")
    say("|---|---:|---:|---:|---:|")
    for part, times in ms.items():
        cells = f"{times['ours']:.0f} | {times['torch']:.0f} | {ratios[part]:.2f}"
        say(f"| {part} | {cells} | {seconds[part]:.1f} |")
    figures = {"ms": ms, "ratio": ratios, "difference": difference, "machine": device}
    say.close(figures | {"compile_s": seconds}, json_file, write)
