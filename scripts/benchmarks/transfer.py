"""Blur transfer, y' = F(x', G(x, y)), beside the same network in PyTorch."""

import re
from copy import deepcopy
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import typer
from benchmarks.common import JsonFile, Positive, Report, Write, machine, pytorch
from benchmarks.rows import LAYOUTS, OURS, difference
from benchmarks.timing import Call, compiled, gigabytes, gigaflops, their_device, theirs
from jax import Array

from kernel_space_jax import weights
from kernel_space_jax.models.kernel_space import KernelSpace
from kernel_space_jax.operators import Learned

SHIPPED = "kernel-space"
SIZES = ["256x256", "1280x720"]
ALLOWED = 1e-3  # of a pixel


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
    """Blur transfer with the shipped network: JAX against PyTorch.

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

    say(
        f"{machine(torch=torch.__version__)}\n\nwidth {module.width}, {rounds} rounds\n"
    )
    for size in sizes or SIZES:
        random = np.random.default_rng(0)
        images = [random.random((1, *_pixels(size), 3), np.float32) for _ in range(3)]
        ours = [jnp.asarray(image) for image in images]
        flops = gigaflops(program, variables, *ours)
        run, seconds = compiled(program, variables, *ours)
        calls: dict[str, Call] = {
            OURS: lambda run=run, ours=ours: jax.block_until_ready(
                run(variables, *ours)
            )
        }
        for layout in LAYOUTS:
            calls[f"torch {layout}"] = _their_call(model, layout, images)
        say.compare(
            f"blur transfer, {size}, width {module.width}",
            calls,
            rounds,
            difference=difference(*(call() for call in calls.values())),
            allowed=ALLOWED,
            compile_s=seconds,
            gigabytes=gigabytes(run),
            gigaflops=flops,
        )
    say.close(json_file, write)


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
