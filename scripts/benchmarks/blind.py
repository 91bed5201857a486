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
    compiled,
    machine,
    pytorch,
    race,
    store,
)
from jax import Array

from kernel_space_jax.models.vgg import VGG19
from kernel_space_jax.solvers import blind_search, presets
from kernel_space_jax.solvers.batch import Way, spread
from kernel_space_jax.solvers.blind_search import Search
from kernel_space_jax.weights import Weights, from_torch

SIDE = 256
FULL = presets.PRESETS["full"]


def _rivals(share: int, shallow: bool, y: np.ndarray) -> dict[str, Any]:
    """The search in PyTorch with fresh weights, in each memory layout."""
    import torch
    from benchmarks.torch_blind import VGG19 as Seen
    from benchmarks.torch_blind import ImagePrior, JointSearch, KernelPrior
    from benchmarks.torch_kernel_space import KernelSpace

    rivals: dict[str, Any] = {}
    front, back, blocks = (1, 1, 1) if shallow else (10, 20, 4)
    width, code = 64 // share, FULL.code_width // share
    for layout in ("contiguous_format", "channels_last"):
        torch.manual_seed(0)
        form = {"memory_format": getattr(torch, layout)}
        networks = [
            KernelSpace(width, 8 * width, front, back, blocks, tail_width=width),
            Seen(tuple(full // share for full in VGG19.widths)),
            ImagePrior(FULL.width // share, FULL.skip // share),
            KernelPrior(code, code, 8 * width, 1 if shallow else FULL.code_blocks),
        ]
        side = SIDE // 4
        z = [
            torch.rand(1, presets.CHANNELS, SIDE, SIDE),
            torch.rand(1, code, side, side),
        ]
        photo = torch.tensor(y).permute(0, 3, 1, 2)
        rivals[f"torch {layout}"] = JointSearch(
            *(network.to(**form) for network in networks),
            tuple((0.1 * noise).contiguous(**form) for noise in z),
            photo.contiguous(**form),
        )
    return rivals


def _ours(rival: Any) -> tuple[Search, dict[str, Any]]:
    """Our search with the rival's space and VGG19, and the rival's priors as theta."""
    space, vgg, image, code = (
        from_torch(name, network.state_dict())
        for name, network in (
            ("kernel_space", rival.space),
            ("vgg19", rival.vgg),
            ("image_prior", rival.image),
            ("kernel_prior", rival.code),
        )
    )
    preset = FULL._replace(
        width=image[0].width,  # type: ignore[attr-defined]
        skip=image[0].skip,  # type: ignore[attr-defined]
        code_width=code[0].width,  # type: ignore[attr-defined]
        code_blocks=code[0].blocks,  # type: ignore[attr-defined]
        warm_up=0,
    )
    shape = (1, SIDE, SIDE, 3)
    search = presets.kernel_space(Weights(*space), shape, preset, vgg=Weights(*vgg))
    z_x, z_k = (jnp.asarray(z.permute(0, 2, 3, 1).numpy()) for z in rival.z)
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


def _part(shared: tuple[Search, Array], y: Array, key: Array) -> tuple[Array, Array]:
    """The search as `blind_search.solve` runs it, cut after `until` evaluations."""
    search, until = shared
    state = blind_search.begin(search, key)
    state = blind_search.advance(search, y, key, state, until)
    found = blind_search.finish(search, y, state)
    return found.x, found.k


def _counts(text: str) -> list[int]:
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
    shallow: Annotated[bool, typer.Option("--shallow", help="One block.")] = False,
    vmap: Annotated[
        bool, typer.Option("--vmap", help="Also all photos of a batch as one.")
    ] = False,
    rounds: Positive = 3,
    json_file: JsonFile = None,
) -> None:
    """Seconds a step and photo of the joint blind search: JAX against eager PyTorch.

    PyTorch takes one photo at a time, so a batch is as many times one photo. Ours is
    the whole search cut short; what it costs to begin and to end is taken off. Photos
    are noise of 256x256.
    """
    torch = pytorch()
    counts = _counts(batches)
    random = np.random.default_rng(0)
    photos = random.random((max(counts), 1, SIDE, SIDE, 3), np.float32)
    rivals = _rivals(share, shallow, photos[0])
    search, theta = _ours(rivals["torch contiguous_format"])
    difference = _difference(
        search, theta, jnp.asarray(photos[0]), rivals["torch contiguous_format"]
    )
    device = machine(torch=torch.__version__)
    typer.echo(f"{device}\nall widths / {share}, {SIDE}x{SIDE}, {rounds} rounds\n")
    typer.echo(
        f"| batch | | s a step and photo | h a photo, {FULL.steps} steps "
        "| best torch / it | compilation, s | memory of the program, GB |"
    )
    typer.echo("|---:|---|" + "---:|" * 5)
    figures: dict[str, Any] = {
        "machine": device,
        "share": share,
        "difference": difference,
        "batches": {},
    }
    for count in counts:
        ways: list[Way] = ["map", "vmap"] if vmap and count > 1 else ["map"]
        found = _race(search, photos[:count], ways, rivals, steps, rounds)
        best = min(found["seconds"][name] for name in rivals)
        found["ratio"] = {n: best / value for n, value in found["seconds"].items()}
        figures["batches"][str(count)] = found
        for name, seconds in found["seconds"].items():
            cells = [
                f"{found[k][name]:.1f}" if name in found[k] else "-" for k in COSTS
            ]
            typer.echo(
                f"| {count} | {name} | {seconds:.3g} | {seconds * FULL.steps / 3600:.2f} "
                f"| {found['ratio'][name]:.2f} | {' | '.join(cells)} |"
            )
    typer.echo(f"\nrelative difference of the loss {difference:.1e}")
    store(json_file, figures)


COSTS = ("compile_s", "program_gb")


def _race(
    search: Search,
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
    for way in ways:
        name = f"ours, {way}"
        shared = (search, jnp.int32(1))
        run, compile_s[name] = compiled(spread(_part, way), shared, stack, keys)
        sizes = run.memory_analysis()  # type: ignore[attr-defined]
        parts = ("argument", "output", "temp")
        program_gb[name] = (
            sum(getattr(sizes, f"{p}_size_in_bytes") for p in parts) / 1e9
        )

        def call(until: int, run: Any = run) -> object:
            return jax.block_until_ready(run((search, jnp.int32(until)), stack, keys))

        calls[f"{name} start"] = lambda call=call: call(1)
        calls[name] = lambda call=call: call(1 + steps)
    for name, rival in rivals.items():
        calls[name] = lambda rival=rival: [rival.step() for _ in range(steps)]
    times = race(calls, rounds)
    seconds = {
        name: (times[name] - times[f"{name} start"]) / len(photos)
        if name in compile_s
        else times[name]
        for name in [*compile_s, *rivals]
    }
    return {
        "seconds": {name: time / steps / 1e3 for name, time in seconds.items()},
        "compile_s": compile_s,
        "program_gb": program_gb,
    }
