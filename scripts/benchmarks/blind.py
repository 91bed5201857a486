"""The joint blind search of Tran et al. 2021, many photos at once, beside PyTorch."""

from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import typer
from benchmarks.common import (
    Call,
    JsonFile,
    Positive,
    Report,
    Write,
    compiled,
    machine,
    program_gigabytes,
    pytorch,
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
FULL = presets.PRESETS["full"]
COSTS = ("compile_s", "program_gb")


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
    for layout in ("contiguous_format", "channels_last"):
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
    """Seconds a step and photo of the joint blind search: JAX against eager PyTorch.

    PyTorch takes one photo at a time, so a batch is as many times one photo. Ours is
    the search as `deblur` runs it, less the time of a call of no step. Both start from
    the same weights. Photos are noise of 256x256.
    """
    torch = pytorch()
    small = share > 1 or shallow
    say = Report(f"blind, widths over {share}" if small else "blind")
    counts = counts_of(batches)
    random = np.random.default_rng(0)
    photos = random.random((max(counts), 1, SIDE, SIDE, 3), np.float32)
    rivals = _rivals(share, shallow, photos[0])
    search, theta = _ours(rivals["torch contiguous_format"])
    difference = _difference(
        search, theta, jnp.asarray(photos[0]), rivals["torch contiguous_format"]
    )
    device = machine(torch=torch.__version__)
    say(f"{device}\n")
    say(f"widths 1/{share} of the published, {SIDE}x{SIDE}, {rounds} rounds\n")
    say(
        f"| batch | | s a step and photo | h a photo, {FULL.steps} steps "
        "| best torch / it | compilation, s | memory of the program, GB |"
    )
    say("|---:|---|" + "---:|" * 5)
    figures: dict[str, Any] = {
        "machine": device,
        "share": share,
        "difference": difference,
        "batches": {},
    }
    for count in counts:
        ways: list[Way] = ["map", "vmap"] if vmap and count > 1 else ["map"]
        found = _race(search, theta, photos[:count], ways, rivals, steps, rounds)
        best = min(found["seconds"][name] for name in rivals)
        found["ratio"] = {n: best / value for n, value in found["seconds"].items()}
        figures["batches"][str(count)] = found
        for name, seconds in found["seconds"].items():
            costs = [
                f"{found[k][name]:.1f}" if name in found[k] else "-" for k in COSTS
            ]
            hours = seconds * FULL.steps / 3600
            say(
                f"| {count} | {name} | {seconds:.3g} | {hours:.2f} "
                f"| {found['ratio'][name]:.2f} | {' | '.join(costs)} |"
            )
    say(f"\nrelative difference of the loss {difference:.1e}")
    say.close(figures, json_file, write)


def _race(
    search: Search,
    theta: dict[str, Any],
    photos: np.ndarray,
    ways: list[Way],
    rivals: dict[str, Any],
    steps: int,
    rounds: int,
) -> dict[str, dict[str, float]]:
    """Seconds a step and photo of each; what ours cost to compile, and its memory."""
    calls: dict[str, Call] = {}
    compile_s, program_gb = {}, {}
    stack, keys = jnp.asarray(photos), jax.random.split(jax.random.key(0), len(photos))
    start = _state(search, theta, len(photos))
    for way in ways:
        name = f"ours, {way}"
        shared = (search, jnp.int32(0))
        run, compile_s[name] = compiled(
            spread(advance, way), shared, stack, keys, start
        )
        program_gb[name] = program_gigabytes(run)

        def call(until: int, run: Any = run) -> object:
            shared = (search, jnp.int32(until))
            return jax.block_until_ready(run(shared, stack, keys, start))

        calls[f"{name}, no step"] = lambda call=call: call(0)
        calls[name] = lambda call=call: call(steps)
    for name, rival in rivals.items():
        calls[name] = theirs(lambda rival=rival: [rival.step() for _ in range(steps)])
    times = race(calls, rounds)
    # Ours looks at the photo with VGG19 once a piece, of which a search has few.
    seconds = {
        name: (times[name] - times[f"{name}, no step"]) / len(photos)
        if name in compile_s
        else times[name]
        for name in [*compile_s, *rivals]
    }
    return {
        "seconds": {name: time / steps / 1e3 for name, time in seconds.items()},
        "compile_s": compile_s,
        "program_gb": program_gb,
    }
