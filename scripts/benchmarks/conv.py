"""A training step inside a `while_loop`: stock XLA convolutions against ours."""

from collections.abc import Callable
from functools import partial
from typing import Annotated

import jax
import jax.numpy as jnp
import optax
import typer
from benchmarks.common import JsonFile, Positive, Report, Write, machine, only_on
from benchmarks.rows import OURS
from benchmarks.timing import compiled, gigabytes, gigaflops
from jax import Array, lax

from kernel_space_jax.models.layers.convolution import LAYOUT, convolve

CONVOLUTIONS = 4
ALLOWED = 1e-3


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


def conv(
    size: Annotated[int, typer.Option(min=4, help="Side of the image.")] = 64,
    width: Positive = 64,
    batch: Positive = 1,
    steps: Annotated[int, typer.Option(min=1, help="Steps in one loop.")] = 3,
    rounds: Positive = 3,
    json_file: JsonFile = None,
    write: Write = False,
) -> None:
    """A training step in a `while_loop`: stock XLA convolutions against ours."""
    only_on("cpu", "elsewhere our convolutions are those of stock XLA")
    say = Report("conv")
    keys = jax.random.split(jax.random.key(0), CONVOLUTIONS + 2)
    x, y = (jax.random.normal(key, (batch, size, size, width)) for key in keys[:2])
    he = jax.nn.initializers.he_normal()
    weights = [he(key, (3, 3, width, width)) for key in keys[2:]]

    programs, seconds = {}, {}
    for name, convolution in {OURS: convolve, "stock XLA": _stock}.items():
        train = partial(_train, convolution, steps)
        programs[name], seconds[name] = compiled(train, weights, x, y)
    ends = [run(weights, x, y) for run in programs.values()]
    say(
        f"{machine()}\n\n{CONVOLUTIONS} convolutions 3x3, {batch} x {size}x{size} x "
        f"{width}, {steps} steps of Adam in a while_loop, {rounds} rounds\n"
    )
    say.compare(
        "convolutions that learn in a loop",
        {
            name: lambda run=run: jax.block_until_ready(run(weights, x, y))
            for name, run in programs.items()
        },
        rounds,
        # Adam makes a step of the rounding of a gradient that is almost zero.
        difference=max(float(abs(a - b).max()) for a, b in zip(*ends, strict=True)),
        allowed=ALLOWED,
        compile_s=seconds[OURS],
        gigabytes=gigabytes(programs[OURS]),
        # The body of a loop counts once.
        gigaflops=steps * gigaflops(partial(_train, _stock, steps), weights, x, y),
    )
    say.close(json_file, write)
