"""How fast the networks run on this machine's CPU, beside stock XLA and PyTorch.

    python scripts/benchmark.py conv | kernel-space

What is compared takes turns, round by round, so that a busy machine slows every
contestant alike. Figures are medians of warm rounds in milliseconds.
"""

import json
import os
import platform
import re
import time
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import typer
from jax import Array, lax

from kernel_space_jax.losses import charbonnier
from kernel_space_jax.models.convolution import LAYOUT, convolve
from kernel_space_jax.models.kernel_space import STRIDE
from kernel_space_jax.weights import from_torch

CONVOLUTIONS = 4
TARGET_RATIO, TARGET_DIFFERENCE = 5.0, 1e-5

Call = Callable[[], object]
PARTS = {"blur": "F (blur)", "extract": "G (extract)", "step": "gradient step"}
Positive = Annotated[int, typer.Option(min=1)]
Shallow = Annotated[bool, typer.Option("--shallow", help="One block a trunk.")]
JsonFile = Annotated[
    Path | None, typer.Option("--json", help="Also write the figures to this file.")
]

app = typer.Typer(help="Time the networks on CPU.", add_completion=False)
jax.config.update("jax_platforms", "cpu")


def race(calls: dict[str, Call], rounds: int) -> dict[str, float]:
    """Median milliseconds of each call; the calls take turns, after one warm-up."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for warm in (False, *[True] * rounds):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if warm:
                times[name].append(1e3 * (time.perf_counter() - start))
    return {name: median(values) for name, values in times.items()}


def compiled(function: Callable, *args: Any, **options: Any) -> tuple[Callable, float]:
    """The program of `function` for these arguments, and the seconds it took."""
    lowered = jax.jit(function, **options).lower(*args)
    start = time.perf_counter()
    return lowered.compile(), time.perf_counter() - start


def machine(**versions: str) -> str:
    """One line: device, cores and versions."""
    names = {"Python": platform.python_version(), "jax": jax.__version__, **versions}
    listed = ", ".join(f"{name} {version}" for name, version in names.items())
    info = Path("/proc/cpuinfo")
    cpu = re.search("model name\\s*: (.+)", info.read_text() if info.exists() else "")
    return f"{cpu[1] if cpu else platform.machine()}, {os.cpu_count()} cores; {listed}"


def _store(path: Path | None, figures: dict[str, Any]) -> None:
    if path:
        path.write_text(json.dumps(figures, indent=2) + "\n")


def _stock(x: Array, w: Array, stride: int, pad: int) -> Array:
    """`convolve` as one would write it without this package."""
    options = {"padding": [(pad, pad)] * 2, "dimension_numbers": LAYOUT}
    return lax.conv_general_dilated(x, w, (stride, stride), **options)


def _train(convolution: Callable, steps: int, weights: list[Array], x: Array, y: Array):
    """The weights after `steps` of Adam on the mean squared error, in a while loop."""
    optimiser = optax.adam(1e-3)

    def loss(weights: list[Array]) -> Array:
        hidden = x
        for w in weights[:-1]:
            hidden = jax.nn.relu(convolution(hidden, w, 1, 1))
        return jnp.mean((convolution(hidden, weights[-1], 1, 1) - y) ** 2)

    def step(carry: tuple) -> tuple:
        index, weights, state = carry
        updates, state = optimiser.update(jax.grad(loss)(weights), state)
        return index + 1, optax.apply_updates(weights, updates), state

    start = (0, weights, optimiser.init(weights))
    return lax.while_loop(lambda carry: carry[0] < steps, step, start)[1]


@app.command()
def conv(
    size: Annotated[int, typer.Option(min=4, help="Side of the image.")] = 64,
    width: Positive = 64,
    batch: Positive = 1,
    steps: Annotated[int, typer.Option(min=1, help="Steps in one loop.")] = 3,
    rounds: Positive = 3,
    json_file: JsonFile = None,
) -> None:
    """A training step in a `while_loop`: stock XLA convolutions against ours."""
    keys = jax.random.split(jax.random.key(0), CONVOLUTIONS + 2)
    x, y = (jax.random.normal(key, (batch, size, size, width)) for key in keys[:2])
    he = jax.nn.initializers.he_normal()
    weights = [he(key, (3, 3, width, width)) for key in keys[2:]]

    programs, seconds = {}, {}
    for name, convolution in {"stock": _stock, "ours": convolve}.items():
        train = partial(_train, convolution, steps)
        programs[name], seconds[name] = compiled(train, weights, x, y)
    calls = {
        name: lambda run=run: jax.block_until_ready(run(weights, x, y))
        for name, run in programs.items()
    }
    ms = {name: total / steps for name, total in race(calls, rounds).items()}
    ratio = ms["stock"] / ms["ours"]
    ends = [programs[name](weights, x, y) for name in ("stock", "ours")]
    difference = max(float(abs(a - b).max()) for a, b in zip(*ends, strict=True))

    typer.echo(
        f"{machine()}\n{CONVOLUTIONS} convolutions 3x3, {batch} x {size}x{size} x "
        f"{width}, {steps} steps of Adam in a while_loop, {rounds} rounds\n"
    )
    typer.echo("| | ms/step | compilation, s |\n|---|---:|---:|")
    for name in ms:
        typer.echo(f"| {name} | {ms[name]:.2f} | {seconds[name]:.2f} |")
    typer.echo(
        f"\nratio {ratio:.1f} (goal: at least {TARGET_RATIO:g}), largest difference "
        f"of the weights {difference:.1e} (goal: below {TARGET_DIFFERENCE:.0e})"
    )
    figures = {"ms_per_step": ms, "ratio": ratio, "difference": difference}
    _store(json_file, figures | {"compile_s": seconds, "machine": machine()})


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
    from torch_kernel_space import training_step

    form = {"memory_format": getattr(torch, layout)}
    fixed, trained = (deepcopy(model).to(**form) for _ in range(2))
    optimiser = torch.optim.Adam(trained.parameters(), lr=1e-4)
    x, y, code = (
        torch.tensor(image).permute(0, 3, 1, 2).contiguous(**form) for image in images
    )
    return {
        "blur": torch.no_grad()(lambda: fixed.blur(x, code)),
        "extract": torch.no_grad()(lambda: fixed.extract(x, y)),
        "step": lambda: training_step(trained, optimiser, x, y),
    }


@app.command()
def kernel_space(
    width: Positive = 64,
    batch: Positive = 2,
    size: Annotated[int, typer.Option(min=256, help="A multiple of 128.")] = 256,
    rounds: Positive = 5,
    shallow: Shallow = False,
    json_file: JsonFile = None,
) -> None:
    """F, G and a training step of the kernel space: JAX against PyTorch."""
    if size % STRIDE:
        raise typer.BadParameter(f"--size must be a multiple of {STRIDE}")
    if not find_spec("torch"):
        typer.echo("no PyTorch: pip install 'kernel-space-jax[torch]'", err=True)
        raise typer.Exit(2)
    import torch
    from torch_kernel_space import KernelSpace

    torch.set_num_threads(os.cpu_count() or 1)
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
    typer.echo(f"{device}\nwidth {width}, {batch} x {size}x{size}, {rounds} rounds\n")
    typer.echo(f"| ms | {' | '.join(entrants)} | best torch / ours | compilation, s |")
    typer.echo("|---" + "|---:" * (len(entrants) + 2) + "|")
    for part, label in PARTS.items():
        cells = " | ".join(f"{time:.1f}" for time in ms[part].values())
        typer.echo(f"| {label} | {cells} | {ratios[part]:.2f} | {seconds[part]:.1f} |")
    figures = {"ms": ms, "ratio": ratios, "compile_s": seconds, "machine": device}
    _store(json_file, figures)


if __name__ == "__main__":
    app()
