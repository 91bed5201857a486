"""A step of a generator's latents beside PyTorch."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import typer
from benchmarks.adversarial import apart
from benchmarks.common import JsonFile, Positive, Report, Write, machine, pytorch
from benchmarks.rows import LAYOUTS, OURS
from benchmarks.timing import compiled, gigabytes, gigaflops, theirs

from kernel_space_jax import weights
from kernel_space_jax.models.generators import StyleGAN2
from kernel_space_jax.models.layers.convolution import LAYOUT, convolve
from kernel_space_jax.priors.latents import TRAINED, Latents
from kernel_space_jax.solvers.sphere import on_sphere

RATE = 0.2
# Of the loss, relative, at the first step and after one.
ALLOWED = 1e-3
# In one convolution, to compare its two forms.
FACES = 4


def face(
    width: Annotated[int, typer.Option(min=4, help="Features at 4x4.")] = 512,
    style: Positive = 512,
    rounds: Positive = 3,
    json_file: JsonFile = None,
    write: Write = False,
) -> None:
    """A step of `deblur --method face` at 256x256: JAX against PyTorch.

    The published StyleGAN2, forward and backward to latents and noise, geocross, and
    Adam on the sphere. Weights are random, the same on both sides.
    """
    torch = pytorch()
    from benchmarks import torch_generator as rival

    say = Report("face")
    widths = tuple(max(width // shrink, 2) for shrink in (1, 1, 1, 1, 1, 2, 4))
    module = StyleGAN2(widths=widths, style=style, mapping=1)
    say(f"{machine()}\n\nfeatures {widths}, {rounds} rounds\n")
    variables = jax.jit(module.init)(jax.random.key(0), *module.inputs())
    # Noise must count: its weights begin at zero.
    variables = jax.tree_util.tree_map_with_path(
        lambda path, leaf: leaf + 0.1 if "noise" in str(path) else leaf, variables
    )
    rng = np.random.default_rng(0)
    mean, deviation = (rng.random(style, np.float32) for _ in range(2))
    prior = Latents(module, variables, jnp.asarray(mean), jnp.asarray(deviation))
    theta = prior.init(jax.random.key(1))
    y = jnp.asarray(rng.random((1, module.size, module.size, 3), np.float32))
    descent = on_sphere(optax.adam(RATE))

    def step(theta: Any, state: Any, prior: Latents) -> Any:
        def loss(theta: Any) -> jax.Array:
            error = jnp.mean(jnp.square(prior.apply(theta) - y))
            return 100 * error + prior.penalty(theta)

        value, gradient = jax.value_and_grad(loss)(theta)
        updates, state = descent.update(gradient, state, theta)
        return optax.apply_updates(theta, updates), state, value

    flops = gigaflops(step, theta, descent.init(theta), prior)
    program, seconds = compiled(step, theta, descent.init(theta), prior)
    now = [theta, descent.init(theta)]

    def advance() -> float:
        *now[:], value = jax.block_until_ready(program(*now, prior))
        return float(value)

    said, found = [advance(), advance()], []
    calls: dict[str, Callable[[], object]] = {OURS: advance}
    named = {k: np.array(v) for k, v in weights.to_torch(module, variables).items()}
    kept = {k: torch.from_numpy(v) for k, v in named.items() if k[:6] != "style."}
    maps = [*theta["noise"], *theta["fixed"]]
    for layout in LAYOUTS:
        memory_format = getattr(torch, layout)
        generator = rival.StyleGAN2(widths, style)
        generator.load_state_dict(kept)
        generator.requires_grad_(False)
        given = [torch.from_numpy(np.array(n).transpose(0, 3, 1, 2)) for n in maps]
        truth = torch.from_numpy(np.array(y).transpose(0, 3, 1, 2))
        run = rival.LatentStep(
            generator,
            torch.from_numpy(np.array(theta["latents"])),
            [n.contiguous() for n in given],
            TRAINED,
            torch.from_numpy(mean),
            torch.from_numpy(deviation),
            truth.contiguous(memory_format=memory_format),
            RATE,
        )
        found.append([run(), run()])
        calls[f"torch {layout}"] = theirs(run)
    say.compare(
        "StyleGAN2, a step of its latents",
        calls,
        rounds,
        difference=apart(said, *found),
        allowed=ALLOWED,
        compile_s=seconds,
        gigabytes=gigabytes(program),
        gigaflops=flops,
    )
    modulation(say, width, rounds)
    say.close(json_file, write)


def modulation(say: Report, width: int, rounds: int) -> None:
    """A modulated convolution of FACES faces by scaled features, and in groups.

    Either each face has kernels of its own, scaled by its style, in one convolution of
    groups; or the features are scaled, and all faces share one convolution.
    """
    keys = jax.random.split(jax.random.key(2), 3)
    x = jax.random.normal(keys[0], (FACES, 32, 32, width))
    weight = jax.random.normal(keys[1], (3, 3, width, width)) / (3 * width**0.5)
    style = 1 + 0.1 * jax.random.normal(keys[2], (FACES, width))

    def scaled(x: jax.Array, style: jax.Array) -> jax.Array:
        return convolve(x * style[:, None, None], weight, 1, 1)

    def grouped(x: jax.Array, style: jax.Array) -> jax.Array:
        own = (style[:, None, None, :, None] * weight).transpose(1, 2, 3, 0, 4)
        wide = x.transpose(1, 2, 0, 3).reshape(1, 32, 32, FACES * width)
        y = jax.lax.conv_general_dilated(
            wide,
            own.reshape(3, 3, width, FACES * width),
            (1, 1),
            "SAME",
            dimension_numbers=LAYOUT,
            feature_group_count=FACES,
        )
        return y.reshape(32, 32, FACES, width).transpose(2, 0, 1, 3)

    def gradients(convolution: Any) -> Any:
        total = lambda x, style: jnp.sum(jnp.sin(convolution(x, style)))
        return jax.jit(jax.value_and_grad(total, argnums=(0, 1)))

    runs = {OURS: gradients(scaled), "in groups": gradients(grouped)}
    answers = [jax.tree.leaves(run(x, style)) for run in runs.values()]
    difference = max(
        float(jnp.linalg.norm(ours - other) / jnp.linalg.norm(ours))
        for ours, other in zip(*answers, strict=True)
    )
    say.compare(
        f"modulated convolution of {FACES} faces, {width} features, with gradients",
        {who: partial(_run, run, x, style) for who, run in runs.items()},
        rounds,
        difference=difference,
        allowed=ALLOWED,
    )


def _run(run: Any, *args: jax.Array) -> None:
    jax.block_until_ready(run(*args))
