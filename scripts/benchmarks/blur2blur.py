"""A training step of Blur2Blur beside PyTorch."""

from dataclasses import replace
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import typer
from benchmarks.adversarial import (
    ALLOWED,
    RATE,
    apart,
    first,
    in_torch,
    load_tensors,
    ours,
    placed,
    tensor,
)
from benchmarks.common import JsonFile, Positive, Report, Write, machine, pytorch
from benchmarks.rows import LAYOUTS, OURS
from benchmarks.timing import theirs

from kernel_space_jax import weights
from kernel_space_jax.models.kernel_space import KernelSpace
from kernel_space_jax.models.vgg import VGG16
from kernel_space_jax.training.config import build_task, defaults
from kernel_space_jax.training.content import SEER, Content
from kernel_space_jax.training.tasks.blur2blur import SPACE


def blur2blur(
    width: Positive = 32,
    blocks: Positive = 8,
    size: Annotated[int, typer.Option(min=256, help="A multiple of 128.")] = 256,
    batch: Positive = 1,
    rounds: Positive = 2,
    json_file: JsonFile = None,
    write: Write = False,
) -> None:
    """A whole training step of Blur2Blur: JAX against PyTorch.

    MIMO-UNet, one critic on three scales with its penalty, VGG16, and the known blur
    through a published kernel space. `width` is that of MIMO-UNet; the critic and the
    kernel space have twice of it. Weights are random, the same on both sides, images
    are noise.
    """
    pytorch()
    from benchmarks.torch_blur2blur import VGG16 as Seen
    from benchmarks.torch_blur2blur import Blur2BlurStep
    from benchmarks.torch_kernel_space import KernelSpace as Space

    say = Report("blur2blur")
    say(f"{machine()}\n\nwidth {width}, {batch} x {size}x{size}, {rounds} rounds\n")
    space = KernelSpace(width=2 * width, code_width=16 * width)
    seer = VGG16()
    image = jnp.zeros((1, size, size, 3))
    frozen: dict[str, Any] = {
        SPACE: jax.jit(space.init)(jax.random.key(1), image, image),
        SEER: jax.jit(seer.init)(jax.random.key(2), image[:, :64, :64]),
    }
    config = defaults("blur2blur", network="mimo-unet")
    config.model.width, config.model.blocks = width, blocks
    config.model.critic_options.width = 2 * width
    config.model.losses = {"l1": 1.0}
    config.learning_rate, config.b1 = RATE, 0.5
    config.data.train, config.data.crop = (), size
    streams = ("blurry_photos", "sharp_photos")
    config.data.streams = {name: {"train": ("synthetic",)} for name in streams}
    plain: Any = build_task(config)
    task = replace(
        plain,
        content=Content({"translation": 0.8}, vgg=seer),
        given={SPACE: space},
        frozen=frozen,
    )
    images = np.random.default_rng(0).random((4, batch, size, size, 3), np.float32)
    y, x, *pair = images
    seen: dict[str, Any] = {
        "number": jnp.arange(batch),
        "blurry_photos": {"blurry": y},
        "sharp_photos": {"sharp": x},
        "known_pairs": {"sharp": pair[0], "blurry": pair[1]},
    }
    state = first(task)
    call, said, costs = ours(task, state, jax.tree.map(jnp.asarray, seen))
    calls, found = {OURS: call}, []
    key = jax.random.key(0)
    shares = jax.vmap(lambda n: jax.random.uniform(jax.random.fold_in(key, n)))
    for layout in LAYOUTS:
        networks = in_torch(task, state, layout)
        see, rival = Seen(), Space(2 * width, 16 * width, 10, 20, 4)
        named = weights.to_torch(seer, frozen[SEER])
        wanted = see.state_dict().keys()
        load_tensors(see, {k: v for k, v in named.items() if k in wanted})
        load_tensors(rival, weights.to_torch(space, frozen[SPACE]))
        step = Blur2BlurStep(
            networks["translator"],
            networks["critic"],
            placed(see, layout),
            placed(rival, layout),
            RATE,
        )
        given = [tensor(one, layout) for one in images]
        drawn = np.asarray(shares(jnp.arange(batch))).reshape(-1, 1, 1, 1)
        arguments = (*given[:2], tuple(given[2:]), tensor(drawn, layout))
        run = lambda step=step, arguments=arguments: step(*arguments)
        found.append(run())
        calls[f"torch {layout}"] = theirs(run)
    say.compare(
        "Blur2Blur, training step",
        calls,
        rounds,
        difference=apart(said, *found),
        allowed=ALLOWED,
        **costs,
    )
    say.close(json_file, write)
