"""Training steps of two players: DeblurGAN's and CycleGAN's, beside PyTorch."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import typer
from benchmarks.common import JsonFile, Positive, Report, Write, machine, pytorch
from benchmarks.restorers import rival
from benchmarks.rows import LAYOUTS, OURS
from benchmarks.timing import Call, compiled, gigabytes, gigaflops, their_device, theirs

from kernel_space_jax import weights
from kernel_space_jax.models.vgg import CONTENT_LAYERS, VGG19
from kernel_space_jax.training.config import Config, build_task, defaults
from kernel_space_jax.training.content import SEER, Content
from kernel_space_jax.training.task import Task

RATE = 1e-4
UPDATES = 5
# Of the losses of the first step, relative.
ALLOWED = 1e-3

Their = Callable[..., Any]  # the step in PyTorch: (x, y) -> both losses


def adversarial(
    width: Positive = 64,
    blocks: Positive = 9,
    size: Annotated[int, typer.Option(min=64, help="A multiple of 32.")] = 256,
    batch: Positive = 1,
    rounds: Positive = 2,
    json_file: JsonFile = None,
    write: Write = False,
) -> None:
    """A whole training step of DeblurGAN and of CycleGAN: JAX against PyTorch.

    DeblurGAN: five updates of the critic with their penalties, VGG19, one update of the
    generator. CycleGAN: both generators, both critics, pools. Without dropout; weights
    are random, the same on both sides, images are noise.
    """
    pytorch()
    say = Report("adversarial")
    say(f"{machine()}\n\nwidth {width}, {batch} x {size}x{size}, {rounds} rounds\n")
    images = np.random.default_rng(0).random((2, batch, size, size, 3), np.float32)
    for name, make in (("DeblurGAN", _deblurgan), ("CycleGAN", _cyclegan)):
        config = _config("adversarial" if make is _deblurgan else "cycle", size)
        config.model.width, config.model.blocks = width, blocks
        config.model.critic_options.width = width
        task, state, their = make(config)
        call, said, costs = ours(task, state, _batch(config.task, *images))
        calls: dict[str, Call] = {OURS: call}
        found = []
        for layout in LAYOUTS:
            step = their(layout, batch)
            x, y = (tensor(2 * image - 1, layout) for image in images)
            found.append(step(x, y))
            calls[f"torch {layout}"] = theirs(lambda step=step, x=x, y=y: step(x, y))
        say.compare(
            f"{name}, training step",
            calls,
            rounds,
            difference=apart(said, *found),
            allowed=ALLOWED,
            **costs,
        )
    say.close(json_file, write)


def apart(said: Sequence[float], *found: Sequence[Any]) -> float:
    """How far losses of others are from ours, relative."""
    return max(
        abs(ours - float(other)) / abs(ours)
        for one in found
        for ours, other in zip(said, one, strict=True)
    )


def _config(task: str, size: int) -> Config:
    config = defaults(task, network="deblurgan")
    config.model.dropout = 0.0
    config.learning_rate, config.b1 = RATE, 0.5
    config.data.crop = size
    if task == "cycle":
        config.model.residual = False
        config.data.train = ()
        config.data.streams = {
            name: {"train": ("synthetic",)}
            for name in ("blurry_photos", "sharp_photos")
        }
    else:
        config.model.adversarial_weight, config.model.critic_updates = 1.0, UPDATES
    return config


def _batch(task: str, x: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    batch: dict[str, Any] = {"sharp": jnp.asarray(x), "blurry": jnp.asarray(y)}
    if task == "cycle":
        batch = {
            "sharp_photos": {"sharp": batch["sharp"]},
            "blurry_photos": {"blurry": batch["blurry"]},
        }
    return batch | {"number": jnp.arange(len(x))}


def ours(
    task: Task, state: Any, batch: dict[str, Any]
) -> tuple[Call, list[float], dict[str, float]]:
    """A step; what its first one says; what it costs beside its time."""
    # The donated state is a copy: others start from this one too.
    state = jax.tree.map(jnp.copy, state)
    learn = lambda state, batch, frozen: task.step(state, batch, _key(), frozen)
    flops = gigaflops(learn, state, batch, task.frozen)
    step, seconds = compiled(learn, state, batch, task.frozen, donate_argnums=0)
    costs = {
        "compile_s": seconds,
        "gigabytes": gigabytes(step),
        "gigaflops": flops,
    }
    state, metrics = step(state, batch, task.frozen)
    said = [float(metrics[name]) for name in ("loss", "critic_loss")]

    def advance() -> None:
        nonlocal state
        state, _ = jax.block_until_ready(step(state, batch, task.frozen))

    return advance, said, costs


def first(task: Task) -> Any:
    return jax.jit(task.init)(_key())


def _deblurgan(config: Config) -> tuple[Task, Any, Their]:
    """DeblurGAN with VGG19's conv3_3 of random weights, and its rival by layout."""
    from benchmarks.torch_adversarial import DeblurGANStep
    from benchmarks.torch_blind import VGG19 as Seen

    module = VGG19(layers=CONTENT_LAYERS)
    variables: Any = jax.jit(module.init)(_key(), jnp.zeros((1, 64, 64, 3)))
    plain: Any = build_task(config)
    task = replace(
        plain,
        content=Content({"content": 100.0}, vgg=module),
        frozen={SEER: variables},
    )
    state = first(task)

    def their(layout: str, batch: int) -> Their:
        networks = in_torch(task, state, layout)
        seen = Seen().features[:15]
        tensors = weights.to_torch(module, variables)
        load_tensors(seen, {k.removeprefix("features."): v for k, v in tensors.items()})
        see = placed(seen, layout)
        step = DeblurGANStep(networks["restorer"], networks["critic"], see, RATE)
        # The mixtures of the penalties, as ours draws them.
        shares = [[_share(turn, n) for n in range(batch)] for turn in range(UPDATES)]
        drawn = [tensor(np.reshape(row, (-1, 1, 1, 1)), layout) for row in shares]
        return lambda x, y: step(x, y, drawn)

    return task, state, their


def _key() -> jax.Array:
    """Of all that is drawn; made when asked for, for a platform is chosen first."""
    return jax.random.key(0)


def _share(turn: int, example: int) -> np.ndarray:
    key = jax.random.fold_in(jax.random.fold_in(_key(), turn), example)
    return np.asarray(jax.random.uniform(key))


def _cyclegan(config: Config) -> tuple[Task, Any, Their]:
    from benchmarks.torch_adversarial import CycleGANStep

    task = build_task(config)
    state = first(task)

    def their(layout: str, batch: int) -> Their:
        return CycleGANStep(in_torch(task, state, layout), RATE)

    return task, state, their


def in_torch(task: Task, state: Any, layout: str) -> dict[str, Any]:
    """The networks of a state, in PyTorch."""
    from benchmarks.torch_adversarial import PatchGAN

    found = {}
    for name, (made, variables) in task.networks(state).items():
        module: Any = made
        if weights.network_name(module) == "patchgan":
            network = PatchGAN(module.width, module.layers, module.padding)
            load_tensors(network, weights.to_torch(module, variables))
        else:
            network = rival(module, variables)
        found[name] = placed(network, layout)
    return found


def load_tensors(network: Any, tensors: dict[str, np.ndarray]) -> None:
    import torch

    network.load_state_dict({k: torch.tensor(v) for k, v in tensors.items()})


def placed(network: Any, layout: str) -> Any:
    import torch

    return network.to(their_device(), memory_format=getattr(torch, layout))


def tensor(image: np.ndarray, layout: str) -> Any:
    """(N, H, W, C) as PyTorch's (N, C, H, W), in one memory layout."""
    import torch

    found = torch.tensor(image, dtype=torch.float32, device=their_device())
    form = getattr(torch, layout)
    return found.permute(0, 3, 1, 2).contiguous(memory_format=form)
