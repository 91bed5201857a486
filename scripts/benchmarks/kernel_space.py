"""F, G and a training step of the kernel space, beside PyTorch."""

from collections.abc import Callable
from copy import deepcopy
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
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

from kernel_space_jax.losses import charbonnier
from kernel_space_jax.models.kernel_space import STRIDE
from kernel_space_jax.weights import from_torch

PARTS = {"blur": "F (blur)", "extract": "G (extract)", "step": "gradient step"}
Shallow = Annotated[bool, typer.Option("--shallow", help="One block a trunk.")]


def _ours(weights: dict[str, Any], *images: np.ndarray):
    """The three timed parts in JAX, and the seconds that each took to compile."""
    module, variables = from_torch("kernel_space", weights)
    optimiser = optax.adam(1e-4)
    x, y, code = map(jnp.asarray, images)

    def method(name: str) -> Callable:
        return lambda variables, *args: module.apply(variables, *args, method=name)

    def loss(variables, x: Array, y: Array) -> Array:
        return charbonnier(method("reconstruct")(variables, x, y)[0], y)

    def update(state, x: Array, y: Array):
        variables, moments = state
        value, grads = jax.value_and_grad(loss)(variables, x, y)
        updates, moments = optimiser.update(grads, moments)
        return (optax.apply_updates(variables, updates), moments), value

    # The donated state is a copy: the weights that F and G read must outlive it.
    state = jax.tree.map(jnp.copy, (variables, optimiser.init(variables)))
    blur, blur_s = compiled(method("blur"), variables, x, code)
    extract, extract_s = compiled(method("extract"), variables, x, y)
    step, step_s = compiled(update, state, x, y, donate_argnums=0)

    def advance() -> None:
        nonlocal state
        state, _ = jax.block_until_ready(step(state, x, y))

    calls: dict[str, Call] = {
        "blur": lambda: jax.block_until_ready(blur(variables, x, code)),
        "extract": lambda: jax.block_until_ready(extract(variables, x, y)),
        "step": advance,
    }
    return calls, dict(zip(PARTS, (blur_s, extract_s, step_s), strict=True))


def _rival(model: Any, layout: str, *images: np.ndarray) -> dict[str, Call]:
    """The same parts in PyTorch, with copies of the model in one memory layout."""
    import torch
    from benchmarks.torch_kernel_space import training_step

    form, place = {"memory_format": getattr(torch, layout)}, their_device()
    fixed, trained = (deepcopy(model).to(place, **form) for _ in range(2))
    optimiser = torch.optim.Adam(trained.parameters(), lr=1e-4)
    x, y, code = (
        torch.tensor(image, device=place).permute(0, 3, 1, 2).contiguous(**form)
        for image in images
    )
    return {
        "blur": theirs(torch.no_grad()(lambda: fixed.blur(x, code))),
        "extract": theirs(torch.no_grad()(lambda: fixed.extract(x, y))),
        "step": theirs(lambda: training_step(trained, optimiser, x, y)),
    }


def kernel_space(
    width: Positive = 64,
    batch: Positive = 2,
    size: Annotated[int, typer.Option(min=256, help="A multiple of 128.")] = 256,
    rounds: Positive = 5,
    shallow: Shallow = False,
    json_file: JsonFile = None,
    write: Write = False,
) -> None:
    """F, G and a training step of the kernel space: JAX against PyTorch."""
    if size % STRIDE:
        raise typer.BadParameter(f"--size must be a multiple of {STRIDE}")
    torch = pytorch()
    from benchmarks.torch_kernel_space import KernelSpace

    say = Report("kernel-space")
    front, back, blocks = (1, 1, 1) if shallow else (10, 20, 4)
    model = KernelSpace(width, 8 * width, front, back, blocks)
    random, grid = np.random.default_rng(0), size // STRIDE
    shapes = [(batch, size, size, 3)] * 2 + [(batch, grid, grid, 8 * width)]
    images = [random.random(shape, np.float32) for shape in shapes]

    ours, seconds = _ours(model.state_dict(), *images)
    entrants = {"ours": ours}
    for layout in ("contiguous_format", "channels_last"):
        entrants[f"torch {layout}"] = _rival(model, layout, *images)
    ms, ratios = {}, {}
    for part in PARTS:
        ms[part] = race({name: calls[part] for name, calls in entrants.items()}, rounds)
        ratios[part] = min(list(ms[part].values())[1:]) / ms[part]["ours"]
    device = machine(torch=torch.__version__)
    say(f"{device}\n\nwidth {width}, {batch} x {size}x{size}, {rounds} rounds\n")
    say(f"| ms | {' | '.join(entrants)} | best torch / ours | compilation, s |")
    say("|---" + "|---:" * (len(entrants) + 2) + "|")
    for part, label in PARTS.items():
        cells = " | ".join(f"{time:.1f}" for time in ms[part].values())
        say(f"| {label} | {cells} | {ratios[part]:.2f} | {seconds[part]:.1f} |")
    figures = {"ms": ms, "ratio": ratios, "compile_s": seconds, "machine": device}
    say.close(figures, json_file, write)
