"""F, G and a training step of the kernel space, beside PyTorch."""

from collections.abc import Callable
from copy import deepcopy
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import typer
from benchmarks.common import JsonFile, Positive, Report, Write, machine, pytorch
from benchmarks.rows import LAYOUTS, OURS, difference
from benchmarks.timing import (
    Call,
    compiled,
    gigabytes,
    gigaflops,
    their_device,
    theirs,
)
from jax import Array

from kernel_space_jax.losses import charbonnier
from kernel_space_jax.models.kernel_space import STRIDE
from kernel_space_jax.weights import from_torch

PARTS = {
    "blur": "F, blur",
    "extract": "G, extract",
    "step": "kernel space, training step",
}
RATE = 1e-4
# Of the largest entry of the answer, and of the losses of the first two steps.
ALLOWED = 1e-3
Shallow = Annotated[bool, typer.Option("--shallow", help="One block a trunk.")]


def _ours(
    weights: dict[str, Any], *images: np.ndarray
) -> tuple[dict[str, Call], dict[str, dict[str, float]]]:
    """The three timed parts in JAX, and what each costs beside its time."""
    module, variables = from_torch("kernel_space", weights)
    optimiser = optax.adam(RATE)
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
    computed = {
        "blur": (method("blur"), variables, x, code),
        "extract": (method("extract"), variables, x, y),
        "step": (update, state, x, y),
    }
    programs, costs = {}, {}
    for part, (function, *given) in computed.items():
        donated = {"donate_argnums": 0} if part == "step" else {}
        flops = gigaflops(function, *given)
        programs[part], seconds = compiled(function, *given, **donated)
        costs[part] = {
            "compile_s": seconds,
            "gigabytes": gigabytes(programs[part]),
            "gigaflops": flops,
        }

    def advance() -> Array:
        nonlocal state
        state, value = jax.block_until_ready(programs["step"](state, x, y))
        return value

    calls: dict[str, Call] = {
        "blur": lambda: jax.block_until_ready(programs["blur"](variables, x, code)),
        "extract": lambda: jax.block_until_ready(
            programs["extract"](variables, x, y)[0]
        ),
        "step": advance,
    }
    return calls, costs


def _rival(model: Any, layout: str, *images: np.ndarray) -> dict[str, Call]:
    """The same parts in PyTorch, with copies of the model in one memory layout."""
    import torch
    from benchmarks.torch_kernel_space import training_step

    form, place = {"memory_format": getattr(torch, layout)}, their_device()
    fixed, trained = (deepcopy(model).to(place, **form) for _ in range(2))
    optimiser = torch.optim.Adam(trained.parameters(), lr=RATE)
    x, y, code = (
        torch.tensor(image, device=place).permute(0, 3, 1, 2).contiguous(**form)
        for image in images
    )
    return {
        "blur": theirs(torch.no_grad()(lambda: fixed.blur(x, code))),
        "extract": theirs(torch.no_grad()(lambda: fixed.extract(x, y)[0])),
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

    ours, costs = _ours(model.state_dict(), *images)
    rivals = {layout: _rival(model, layout, *images) for layout in LAYOUTS}
    say(
        f"{machine(torch=torch.__version__)}\n\n"
        f"width {width}, {batch} x {size}x{size}, {rounds} rounds\n"
    )
    for part, label in PARTS.items():
        calls = {OURS: ours[part]}
        calls |= {f"torch {layout}": rivals[layout][part] for layout in LAYOUTS}
        # Of training the second losses, which saw the first gradients.
        answers = [[call() for _ in range(2)][-1] for call in calls.values()]
        say.compare(
            label,
            calls,
            rounds,
            difference=difference(*answers),
            allowed=ALLOWED,
            **costs[part],
        )
    say.close(json_file, write)
