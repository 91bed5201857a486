"""The joint blind search of Tran et al. 2021, many photos at once, beside PyTorch."""

from dataclasses import replace
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import typer
from benchmarks.common import (
    JsonFile,
    Positive,
    Report,
    Write,
    machine,
    pytorch,
    refuse,
)
from benchmarks.rows import LAYOUTS, OURS, Row
from benchmarks.timing import (
    Call,
    Times,
    compiled,
    gigabytes,
    gigaflops,
    peak,
    race,
    their_device,
    theirs,
)
from jax import Array

from kernel_space_jax.models.vgg import VGG19
from kernel_space_jax.priors import Network
from kernel_space_jax.solvers.batch import Way, spread
from kernel_space_jax.solvers.minimise import State
from kernel_space_jax.solvers.search import blind_search, presets
from kernel_space_jax.solvers.search.blind_search import Search
from kernel_space_jax.weights import Weights, from_torch

SIDE = 256
FIRST = "one step"
FULL = presets.PRESETS["full"]
# Of the loss, relative.
ALLOWED = 1e-3


def _rivals(share: int, shallow: bool, y: np.ndarray) -> dict[str, Any]:
    """The search in PyTorch with fresh weights, in each memory layout."""
    import torch
    from benchmarks.torch_blind import VGG19 as Seen
    from benchmarks.torch_blind import ImagePrior, JointSearch, KernelPrior
    from benchmarks.torch_kernel_space import KernelSpace

    rivals, place = dict[str, Any](), their_device()
    front, back, blocks, more, scales = (
        (1, 1, 1, 1, 2) if shallow else (10, 20, 4, FULL.code_blocks, 5)
    )
    width, code = 64 // share, FULL.code_width // share
    for layout in LAYOUTS:
        torch.manual_seed(0)
        form = {"memory_format": getattr(torch, layout)}
        networks: list[Any] = [
            KernelSpace(width, 8 * width, front, back, blocks, tail_width=width),
            Seen(tuple(full // share for full in VGG19.widths)),
            ImagePrior(FULL.width // share, FULL.skip // share, scales),
            KernelPrior(code, code, 8 * width, more),
        ]
        side = SIDE // 4
        z: list[Any] = [
            torch.rand(1, presets.CHANNELS, SIDE, SIDE),
            torch.rand(1, code, side, side),
        ]
        photo = torch.tensor(y).permute(0, 3, 1, 2)
        rivals[f"torch {layout}"] = JointSearch(
            *(network.to(place, **form) for network in networks),
            z=tuple((0.1 * noise).to(place, **form) for noise in z),  # type: ignore[arg-type]
            y=photo.to(place, **form),
        )
    return rivals


def _ours(rival: Any) -> tuple[Search, dict[str, Any]]:
    """Our search with the rival's space and VGG19, and the rival's priors as theta."""
    space, vgg, image, code = (
        from_torch(name, {k: v.cpu() for k, v in network.state_dict().items()})
        for name, network in (
            ("kernel_space", rival.space),
            ("vgg19", rival.vgg),
            ("image_prior", rival.image),
            ("kernel_prior", rival.code),
        )
    )
    z_x, z_k = (
        jnp.asarray(z.detach().permute(0, 2, 3, 1).cpu().numpy()) for z in rival.z
    )
    shape = (1, SIDE, SIDE, 3)
    search = presets.kernel_space(Weights(*space), shape, FULL, vgg=Weights(*vgg))
    search = search.replace(  # type: ignore[attr-defined]
        x=Network(image[0], z_x.shape), k=Network(code[0], z_k.shape)
    )
    theta = {
        "x": {"weights": image[1]["params"], "z": z_x},
        "k": {"weights": code[1]["params"], "z": z_k},
    }
    return search, theta


def _difference(search: Search, theta: dict[str, Any], y: Array, rival: Any) -> float:
    """How far our loss is from the rival's for the same weights, over the rival's."""

    def loss(search: Search, theta: dict[str, Any], y: Array) -> Array:
        x, k = search.x.apply(theta["x"]), search.k.apply(theta["k"])
        blurred = search.operator(x, k)
        return search.objective(x, k, blurred, search.objective.target(y))[0]

    jitter, rival.jitter = rival.jitter, 0
    theirs = float(rival.loss().detach())
    rival.jitter = jitter
    return abs(float(jax.jit(loss)(search, theta, y)) / theirs - 1)


def _state(search: Search, theta: dict[str, Any], count: int) -> State:
    """The states of `count` searches before their first step, all from theta."""
    fresh = jax.eval_shape(blind_search.begin, search, jax.random.key(0))
    # Whatever else a search carries, Adam's moments among it, starts from zero.
    state = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), fresh)
    one = state._replace(params=theta)
    return jax.tree.map(lambda leaf: jnp.stack([leaf] * count), one)


def advance(shared: tuple[Search, Array], y: Array, key: Array, state: State) -> State:
    """A piece of the search, as `deblur` runs it."""
    search, until = shared
    found = blind_search.advance(search, y, key, state, until)
    assert isinstance(found, State)
    return found


def counts_of(text: str) -> list[int]:
    """The numbers of a list such as 1,8,32."""
    counts = text.split(",")
    if not all(count.isdecimal() and int(count) for count in counts):
        raise typer.BadParameter(f"--batches {text} is not a list such as 1,8,32")
    return [int(count) for count in counts]


def blind(
    batches: Annotated[
        str, typer.Option(help="Photos solved at once, such as 1,8,32.")
    ] = "1",
    steps: Annotated[int, typer.Option(min=1, help="Timed steps a round.")] = 2,
    share: Annotated[
        int, typer.Option(min=1, max=8, help="All widths over this; 1 as published.")
    ] = 1,
    shallow: Annotated[
        bool, typer.Option("--shallow", help="One block, two scales.")
    ] = False,
    vmap: Annotated[
        bool, typer.Option("--vmap", help="Also all photos of a batch as one.")
    ] = False,
    rounds: Positive = 3,
    json_file: JsonFile = None,
    write: Write = False,
) -> None:
    """A step of the joint blind search of many photos: JAX against eager PyTorch.

    PyTorch takes one photo at a time, so a batch is as many times one photo. Ours is
    the search as `deblur` runs it, less the time of a call of one step. Both start from
    the same weights. Photos are noise of 256x256.
    """
    torch = pytorch()
    small = f", widths over {share}" if share > 1 or shallow else ""
    say = Report(f"blind{small}")
    counts = counts_of(batches)
    random = np.random.default_rng(0)
    photos = random.random((max(counts), 1, SIDE, SIDE, 3), np.float32)
    rivals = _rivals(share, shallow, photos[0])
    search, theta = _ours(rivals["torch contiguous_format"])
    difference = _difference(
        search, theta, jnp.asarray(photos[0]), rivals["torch contiguous_format"]
    )
    if not difference < ALLOWED:
        refuse(f"the losses differ by {difference:.1e}: nothing to time")
    say(
        f"{machine(torch=torch.__version__)}\n\n"
        f"widths 1/{share} of the published, {rounds} rounds; a step is one of all "
        "photos, PyTorch's of one photo times their number\n"
    )
    flops = gigaflops(advance, (search, jnp.int32(1)), *_one(search, theta, photos[0]))
    hours = {}
    for count in counts:
        ways: list[Way] = ["map", "vmap"] if vmap and count > 1 else ["map"]
        for way in ways:
            row = _race(search, theta, photos[:count], way, rivals, steps, rounds)
            together = " together" if way == "vmap" else ""
            name = f"blind search{small}, {count} x {SIDE}x{SIDE}{together}, step"
            total = count * flops
            row = replace(row, name=name, difference=difference, gigaflops=total)
            say.add(row)
            hours[name] = row.ms[OURS] * FULL.steps / 3.6e6 / count
    told = ", ".join(f"{name} {taken:.2f}" for name, taken in hours.items())
    say(f"\nHours a photo of {FULL.steps} steps: {told}")
    say.close(json_file, write, {"share": share, "hours": hours})


def _one(search: Search, theta: dict[str, Any], y: np.ndarray) -> tuple[Any, ...]:
    """A photo, a key, and where its search starts."""
    state = jax.tree.map(lambda leaf: leaf[0], _state(search, theta, 1))
    return jnp.asarray(y), jax.random.key(0), state


def _race(
    search: Search,
    theta: dict[str, Any],
    photos: np.ndarray,
    way: Way,
    rivals: dict[str, Any],
    steps: int,
    rounds: int,
) -> Row:
    """A step of all photos, ours and the rivals'."""
    count = len(photos)
    stack, keys = jnp.asarray(photos), jax.random.split(jax.random.key(0), count)
    start = _state(search, theta, count)
    shared = (search, jnp.int32(0))
    run, compile_s = compiled(spread(advance, way), shared, stack, keys, start)

    def call(until: int) -> object:
        shared = (search, jnp.int32(until))
        return jax.block_until_ready(run(shared, stack, keys, start))

    calls: dict[str, Call] = {OURS: lambda: call(1 + steps), FIRST: lambda: call(1)}
    for name, rival in rivals.items():
        calls[name] = theirs(lambda rival=rival: [rival.step() for _ in range(steps)])
    found = race(calls, rounds)
    # Once a piece, of which a search has few, ours looks at the photo with VGG19 and
    # asks for its memory.
    first = found.pop(FIRST)
    times: Times = {
        name: [count * ms / steps for ms in rounds_] for name, rounds_ in found.items()
    }
    pairs = zip(found[OURS], first, strict=True)
    times[OURS] = [(ms - once) / steps for ms, once in pairs]
    return Row("", times, 0.0, compile_s, gigabytes(run), peak=peak())
