"""Restorers, x = R(y), and a training step of each, beside PyTorch."""

import math
import re
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from importlib import import_module
from typing import Annotated, Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import typer
from benchmarks.common import JsonFile, Positive, Report, Write, machine, pytorch
from benchmarks.rows import LAYOUTS, OURS, difference
from benchmarks.timing import Call, compiled, gigabytes, gigaflops, their_device, theirs
from jax import Array

from kernel_space_jax import weights
from kernel_space_jax.models.restorers import PRESETS, initial, restorer
from kernel_space_jax.models.restorers.face import face_of

# The networks of `models.restorers` that have a rival in PyTorch: its file and class
# here, and the options of ours that it takes.
NAF_BLOCKS = ("encoder_blocks", "middle_blocks", "decoder_blocks")
TWINS = {
    "nafnet": ("torch_nafnet:NAFNet", ("width", *NAF_BLOCKS, "train_size")),
    "restormer": (
        "torch_restormer:Restormer",
        ("width", "blocks", "refinement", "heads", "expansion"),
    ),
    "mimo_unet": ("torch_mimo_unet:MIMOUNet", ("width", "blocks")),
    "deblurgan": (
        "torch_deblurgan:DeblurGAN",
        (
            *("width", "blocks", "convolutions", "dropout"),
            *("residual", "norm", "statistics"),
        ),
    ),
    "deblurgan_v2": (
        "torch_deblurgan_v2:FPNMobileNet",
        ("width", "pyramid", "statistics"),
    ),
}
# What --shallow leaves of them.
SHALLOW: dict[str, dict[str, Any]] = {
    "nafnet": {"encoder_blocks": (1, 1, 1, 1)},
    "restormer": {"blocks": (1, 0, 0, 1), "refinement": 0},
    "mimo_unet": {"blocks": 1},
    "deblurgan": {"blocks": 1},
    "deblurgan_v2": {"pyramid": 8},
}
SIZES = ["256x256", "1280x720"]
# Larger ones take minutes a photo of the second size.
LARGE = ("nafnet-32",)
# Training steps of these take minutes in all; they are measured where they are named.
SLOW = ("restormer", "mimo-unet-plus")
# Training takes crops of up to this many pixels; whole photos would fill the memory.
CROP = 256 * 256
RATE = 1e-4
COMPILED = "compiled"
OUTPUTS, GRADIENTS, ROUNDING = 1e-4, 1e-3, 1e-3


def rival(module: nn.Module, variables: dict[str, Any]) -> Any:
    """The network in PyTorch, with the same weights, as it restores."""
    import torch

    place, fields = TWINS[weights.network_name(module)]
    file, _, name = place.partition(":")
    build = getattr(import_module(f"benchmarks.{file}"), name)
    model = build(**{field: getattr(module, field) for field in fields})
    tensors = weights.to_torch(module, variables)
    # How many batches a norm has seen; no weight of ours.
    counts = {k: v for k, v in model.state_dict().items() if k.endswith("_tracked")}
    model.load_state_dict(counts | {k: torch.tensor(v) for k, v in tensors.items()})
    return model.eval()


def _weights(module: nn.Module) -> dict[str, Any]:
    """Random weights; beta and gamma too, whose zeros would switch the blocks off.

    They are as large as PyTorch's: twice that, and networks without norms overflow.
    """
    shapes: Any = jax.eval_shape(partial(initial, module), jax.random.key(0))
    random = np.random.default_rng(0)

    def drawn(path: Any, leaf: jax.ShapeDtypeStruct) -> Array:
        inputs = math.prod(leaf.shape[:-1]) if len(leaf.shape) == 4 else 33
        values = random.normal(scale=(3 * inputs) ** -0.5, size=leaf.shape)
        # Norms of almost nothing, one after the other, would leave only rounding.
        mean = 1.0 if path[-1].key == "scale" else 0.0
        return jnp.asarray(mean + values, leaf.dtype)

    return jax.tree_util.tree_map_with_path(drawn, shapes)


def _loss(module: nn.Module) -> Callable[..., Array]:
    return lambda variables, y, x: jnp.mean(jnp.abs(module.apply(variables, y) - x))


def _in_double(module: nn.Module, variables: Any, *images: np.ndarray) -> Any:
    """Our gradient in double precision, by the names of PyTorch."""
    with jax.enable_x64(True):
        double = partial(np.asarray, dtype=np.float64)
        wide = jax.tree.map(double, (variables, *images))
        return weights.to_torch(module, jax.jit(jax.grad(_loss(module)))(*wide))


def _their_gradients(model: Any, y: Any, x: Any) -> None:
    import torch

    model.zero_grad(set_to_none=True)
    torch.nn.functional.l1_loss(model(y), x).backward()


def _in_layout(model: Any, layout: str, *images: np.ndarray) -> list[Any]:
    """A copy of the model, and the images, in one memory layout."""
    import torch

    form, place = {"memory_format": getattr(torch, layout)}, their_device()
    tensors = [
        torch.tensor(image, device=place).permute(0, 3, 1, 2).contiguous(**form)
        for image in images
    ]
    return [deepcopy(model).to(place, **form), *tensors]


def _forward(
    compile_too: bool,
    module: nn.Module,
    variables: dict[str, Any],
    model: Any,
    y: np.ndarray,
) -> tuple[dict[str, Call], dict[str, float]]:
    """x = R(y) of each; how far apart they are, and what ours costs."""
    import torch

    image = jnp.asarray(y)
    flops = gigaflops(module.apply, variables, image)
    run, seconds = compiled(module.apply, variables, image)
    calls: dict[str, Call] = {
        OURS: lambda: jax.block_until_ready(run(variables, image))
    }
    for layout in LAYOUTS:
        fixed, their_y = _in_layout(model, layout, y)
        calls[f"torch {layout}"] = theirs(
            torch.no_grad()(lambda fixed=fixed, their_y=their_y: fixed(their_y))
        )
    if compile_too:
        fixed, their_y = _in_layout(model, LAYOUTS[-1], y)
        fast = torch.compile(fixed)
        calls[f"torch {COMPILED}"] = theirs(torch.no_grad()(lambda: fast(their_y)))
    return calls, {
        "difference": difference(*(call() for call in calls.values())),
        "compile_s": seconds,
        "gigabytes": gigabytes(run),
        "gigaflops": flops,
    }


def _step(
    compile_too: bool,
    module: nn.Module,
    variables: dict[str, Any],
    model: Any,
    *images: np.ndarray,
) -> tuple[dict[str, Call], dict[str, float]]:
    """The same of a training step: forward, gradient of the mean error, Adam."""
    import torch

    y, x = map(jnp.asarray, images)
    optimiser = optax.adam(RATE)

    def update(learned: Any, state: Any, gradient: Any) -> tuple[Any, Any]:
        updates, state = optimiser.update(gradient, state)
        return optax.apply_updates(learned, updates), state

    slope = jax.grad(_loss(module))
    flops = gigaflops(slope, variables, y, x)
    gradient, gradient_s = compiled(slope, variables, y, x)
    # The donated state is a copy: others start from these weights too.
    learned = jax.tree.map(jnp.copy, variables)
    state = optimiser.init(learned)
    move, move_s = compiled(update, learned, state, learned, donate_argnums=(0, 1))

    def advance() -> None:
        nonlocal learned, state
        moved = move(learned, state, gradient(learned, y, x))
        learned, state = jax.block_until_ready(moved)

    calls: dict[str, Call] = {OURS: advance}
    ours = weights.to_torch(module, gradient(variables, y, x))
    double: Any = None
    differences = []
    for layout in [*LAYOUTS, *([COMPILED] if compile_too else [])]:
        form = LAYOUTS[-1] if layout == COMPILED else layout
        trained, their_y, their_x = _in_layout(model, form, *images)
        if layout == COMPILED:
            trained.compile()
        _their_gradients(trained, their_y, their_x)
        apart = _gradient_difference(ours, trained)
        if apart >= GRADIENTS:
            # A rounding can turn a ReLU on or off: only double precision tells.
            double = double or _in_double(module, variables, *images)
            doubled = [image.astype(np.float64) for image in images]
            wide = _in_layout(deepcopy(model).double(), form, *doubled)
            _their_gradients(*wide)
            apart = _gradient_difference(double, wide[0])
        differences.append(apart)
        adam = torch.optim.Adam(trained.parameters(), lr=RATE)

        def their_step(trained=trained, y=their_y, x=their_x, adam=adam) -> None:
            _their_gradients(trained, y, x)
            adam.step()

        # PyTorch 2.13 has other gradients of instance norms in `channels_last`.
        if apart < GRADIENTS:
            calls[f"torch {layout}"] = theirs(their_step)
    return calls, {
        "difference": min(differences),
        "compile_s": gradient_s + move_s,
        "gigabytes": gigabytes(gradient),
        "gigaflops": flops,
    }


def _gradient_difference(ours: dict[str, np.ndarray], model: Any) -> float:
    """The largest difference of a leaf, relative to its largest entry."""
    leaves = {
        name: leaf.grad.cpu().numpy()
        for name, leaf in model.named_parameters()
        if leaf.grad is not None
    }
    # A bias before a norm has no gradient but for rounding, which may differ.
    least = ROUNDING * max(np.abs(leaf).max() for leaf in leaves.values())
    return max(
        float(np.abs(ours[name] - leaf).max() / max(np.abs(leaf).max(), least))
        for name, leaf in leaves.items()
    )


def _pixels(text: str) -> tuple[int, int]:
    """(height, width) of WIDTHxHEIGHT."""
    parts = re.fullmatch(r"(\d+)x(\d+)", text)
    if not parts or min(int(side) for side in parts.groups()) < 16:
        raise typer.BadParameter(f"--size {text} is not WIDTHxHEIGHT of 16 or more")
    return int(parts[2]), int(parts[1])


def _names(presets: list[str] | None, shallow: bool) -> list[str]:
    having = [name for name in PRESETS if PRESETS[name].network in TWINS]
    for name in presets or []:
        if name not in having:
            raise typer.BadParameter(
                f"--preset {name} has no network in PyTorch to be compared with; "
                f"choose one of {', '.join(having)}"
            )
    return presets or _distinct(
        [n for n in having if shallow or n not in SLOW], shallow
    )


def _distinct(names: list[str], shallow: bool) -> list[str]:
    """The first name of each network: some presets differ in nothing but dropout."""
    found: dict[str, str] = {}
    for name in names:
        network, options, _ = PRESETS[name]
        left = SHALLOW[network] if shallow else {}
        found.setdefault(repr((network, options | left | {"dropout": 0})), name)
    return [*found.values()]


def restorers(
    presets: Annotated[
        list[str] | None,
        typer.Option(
            "--preset",
            help="May be repeated; by default all with a rival but the slowest, which "
            "--shallow has too.",
        ),
    ] = None,
    sizes: Annotated[
        list[str] | None, typer.Option("--size", help="WIDTHxHEIGHT; may be repeated.")
    ] = None,
    width: Annotated[
        int | None, typer.Option(min=1, help="Instead of the preset's own.")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Of the training step.")] = 1,
    shallow: Annotated[
        bool, typer.Option("--shallow", help="At most one block at each scale.")
    ] = False,
    torch_compile: Annotated[
        bool,
        typer.Option("--torch-compile", help="Also torch.compile: minutes a network."),
    ] = False,
    rounds: Positive = 3,
    json_file: JsonFile = None,
    write: Write = False,
) -> None:
    """Restorers on one photo, and a training step on crops: JAX against PyTorch.

    Weights are random, the same on both sides; images are noise, in memory.
    """
    names, torch = _names(presets, shallow), pytorch()
    own: dict[str, Any] = {} if width is None else {"width": width}
    kind = ["shallow"] if shallow else []
    say = Report(", ".join(["restorers", *(presets or []), *kind]))
    say(
        f"{machine(torch=torch.__version__)}\n\n"
        f"{rounds} rounds, training in batches of {batch}\n"
    )
    random = np.random.default_rng(1)
    for name in names:
        less = SHALLOW[PRESETS[name].network] if shallow else {}
        module = restorer(name, **own, **less)
        variables = _weights(module)
        entrants = module, variables, rival(module, variables)
        usual = SIZES if name in LARGE else SIZES[:1]
        for size in sizes or usual:
            shape = _pixels(size)
            pair = random.random((2, batch, *shape, 3), np.float32)
            y, x = (np.asarray(face_of(module).into(image)) for image in pair)
            parts = {"forward": partial(_forward, torch_compile, *entrants, y[:1])}
            if math.prod(shape) <= CROP:
                parts["training step"] = partial(_step, torch_compile, *entrants, y, x)
            for part, prepare in parts.items():
                calls, costs = prepare()
                allowed = OUTPUTS if part == "forward" else GRADIENTS
                row = f"{name}{', shallow' if shallow else ''}, {size}, {part}"
                say.compare(row, calls, rounds, allowed=allowed, **costs)
    if any(len(row.times) <= len(LAYOUTS) for row in say.rows):
        say("\nWhere a layout has no figure, its gradients are not those of the other.")
    say(
        "\nA training step's difference is that of a gradient, over its largest entry; "
        "where single precision gives more than 1e-3, that in double precision."
    )
    say.close(json_file, write)
