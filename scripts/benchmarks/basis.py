"""Adaptive basis: the network and a restoration, beside PyTorch."""

from functools import partial
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
import typer
from benchmarks.common import JsonFile, Positive, Report, Write, machine, pytorch
from benchmarks.per_pixel import plain, random_field
from benchmarks.rows import OURS, difference
from benchmarks.timing import compiled, gigabytes, gigaflops, their_device, theirs

from kernel_space_jax.weights import from_torch

BASIS, SIDE = 25, 33
ALLOWED = 1e-3


def basis(
    width: Positive = 64,
    size: Annotated[int, typer.Option(min=32, help="A multiple of 32.")] = 512,
    steps: Positive = 10,
    rounds: Positive = 3,
    json_file: JsonFile = None,
    write: Write = False,
) -> None:
    """The two-headed network and Richardson-Lucy: JAX against eager PyTorch.

    Richardson-Lucy without the prior and the sensor's response, on both sides.
    """
    if size % 32:
        raise typer.BadParameter("--size must be a multiple of 32")
    torch = pytorch()
    from benchmarks import torch_two_heads

    say, place = Report("basis"), their_device()
    model = torch_two_heads.TwoHeads(width, BASIS)
    module, variables = from_torch("two_heads", model.state_dict())
    model.to(place)
    photo = np.random.default_rng(1).random((1, size, size, 3), np.float32)
    y, field = jnp.asarray(photo), random_field(BASIS, SIDE, size, size)
    tensor = lambda array: torch.tensor(np.asarray(array), device=place)
    their_y = tensor(photo).permute(0, 3, 1, 2).contiguous()
    their_kernels = tensor(field.kernels[0])
    their_masks = tensor(field.masks[0]).permute(2, 0, 1).contiguous()

    flops = gigaflops(module.apply, variables, y)
    apply, apply_s = compiled(module.apply, variables, y)
    restore = partial(plain, steps=steps)
    solve, solve_s = compiled(restore, y, field)
    their_apply = torch.no_grad()(lambda: model(their_y))
    their_solve = torch.no_grad()(
        lambda: torch_two_heads.richardson_lucy(
            their_y, their_kernels, their_masks, steps=steps
        )
    )

    kernels, masks = their_apply()
    ours = apply(variables, y)
    flipped = np.flip(np.asarray(ours[0]), (-2, -1))
    say(
        f"{machine(torch=torch.__version__)}\n\n"
        f"width {width}, {size}x{size}, {steps} steps, {rounds} rounds\n"
    )
    say.compare(
        "two heads, network",
        {
            OURS: lambda: jax.block_until_ready(apply(variables, y)),
            "torch": theirs(their_apply),
        },
        rounds,
        difference=max(
            float(np.abs(flipped - kernels.cpu().numpy()).max()),
            difference(ours[1], masks),
        ),
        allowed=ALLOWED,
        compile_s=apply_s,
        gigabytes=gigabytes(apply),
        gigaflops=flops,
    )
    say.compare(
        "per-pixel restoration",
        {
            OURS: lambda: jax.block_until_ready(solve(y, field)),
            "torch": theirs(their_solve),
        },
        rounds,
        difference=difference(solve(y, field), their_solve()),
        allowed=ALLOWED,
        compile_s=solve_s,
        gigabytes=gigabytes(solve),
    )
    say.close(json_file, write)
