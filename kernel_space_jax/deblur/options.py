"""The options of the methods: what each means, and which values it may have."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from kernel_space_jax.deblur.automatic import BEST, NONE, named
from kernel_space_jax.deblur.by_generator import STARTS as STARTS_OF_LATENTS
from kernel_space_jax.deblur.by_search import Watch, unwatched
from kernel_space_jax.deblur.per_pixel import SOLVERS, find_solver
from kernel_space_jax.deblur.result import TILE
from kernel_space_jax.deblur.row import Option, Shape
from kernel_space_jax.errors import UserError
from kernel_space_jax.models.kernel_space import KernelSpace
from kernel_space_jax.models.restorers import NETWORKS
from kernel_space_jax.models.vgg import VGG19
from kernel_space_jax.operators.camera import GAMMA
from kernel_space_jax.solvers.search import presets
from kernel_space_jax.solvers.uniform import starts
from kernel_space_jax.weights import Weights

LEAST_GAMMA, MOST_GAMMA = 0.1, 10.0
LEAST_TILE, MOST_TILE = 64, 2**16
MOST_SEED = 2**32 - 1

# What options may be.


def fits_photo(kernel_size: int, shape: Shape) -> None:
    """An odd size of a kernel, no larger than half of the photo."""
    most = min(shape[:2]) // 2
    if kernel_size % 2 == 0 or not 3 <= kernel_size <= most:
        raise UserError(
            f"a kernel of {kernel_size} pixels does not fit a photo of "
            f"{shape[1]}x{shape[0]}; give an odd size from 3 to {most}"
        )


def between(least: float, most: float, what: str) -> Callable[[Any, Shape], None]:
    """No less and no more than these."""

    def check(value: float, shape: Shape) -> None:
        if not least <= value <= most:
            raise UserError(f"{what} is {value}; give a value from {least} to {most}")

    return check


def known_solver(solver: str, shape: Shape) -> None:
    """The name of a non-blind solver."""
    find_solver(solver)


def known_preset(preset: str, shape: Shape) -> None:
    """The name of a cost."""
    presets.find_preset(preset)


def known_starts(preset: str, shape: Shape) -> None:
    """The name of a number of starts."""
    starts.find_preset(preset)


def known_restorer(restorer: str, shape: Shape) -> None:
    """The name of installed weights, or a word in its place."""
    named(restorer)


def of_vgg(vgg: Weights, shape: Shape) -> None:
    """Weights of VGG19."""
    if not isinstance(vgg.module, VGG19):
        kind = type(vgg.module).__name__
        raise UserError(f"these weights are of a {kind}; vgg needs those of VGG19")


def of_translator(translator: Weights, shape: Shape) -> None:
    """Weights of a network that makes images of images."""
    if not isinstance(translator.module, tuple(NETWORKS.values())):
        kind = type(translator.module).__name__
        raise UserError(f"these weights are of a {kind}, which translates no blur")


def of_space(space: Weights, shape: Shape) -> None:
    """Weights of a kernel space."""
    if not isinstance(space.module, KernelSpace):
        kind = type(space.module).__name__
        raise UserError(f"these weights are of a {kind}; space needs a KernelSpace")


# The options.

KERNEL_SIZE = Option(
    "kernel_size",
    int,
    "The largest side of the kernel, an odd number of pixels. Give it if you know how "
    "far the blur reaches; without it several sizes are tried.",
    check=fits_photo,
)
CAMERA = Option(
    "gamma",
    float,
    "How the camera made numbers of light: light = number^gamma. Give 1 for a photo "
    f"that was not processed for a screen. Without it {GAMMA}, but 1 for a grey photo; "
    f"of basis always {GAMMA}.",
    check=between(LEAST_GAMMA, MOST_GAMMA, "gamma"),
)
# Networks of per-pixel kernels have learned from cameras' photos, in colour and grey.
ANY_CAMERA = replace(CAMERA, default=GAMMA)
TILING = Option(
    "tile",
    int,
    "Photos with more pixels a side than this are cut into tiles, which are blended. "
    "Give less if memory is short.",
    TILE,
    check=between(LEAST_TILE, MOST_TILE, "tile"),
)
SOLVER = Option(
    "solver",
    str,
    "How the sharp image is found once the kernels are known, "
    f"{' or '.join(SOLVERS)}; without it what the network was trained with.",
    check=known_solver,
)
SATURATES = Option(
    "saturates",
    bool,
    "Clipped (white) pixels count as at least that bright. Turn it off if the white "
    "areas of the photo are no brighter than white.",
    True,
    flag="--saturation/--no-saturation",
)
PRESET = Option(
    "preset",
    str,
    f"How long the search takes, {', '.join(presets.PRESETS)}: 5000 steps of large "
    "networks as in the papers, 1500 of smaller ones, or 400 for a first look.",
    "quick",
    check=known_preset,
    choices=tuple(presets.PRESETS),
)
STARTS = Option(
    "preset",
    str,
    f"How many starts the search for one kernel has, {', '.join(starts.PRESETS)}: "
    f"{', '.join(str(p.count) for p in starts.PRESETS.values())}. More of "
    "them take longer and miss the kernel less often.",
    starts.QUICK,
    check=known_starts,
    choices=tuple(starts.PRESETS),
)
RESTORER = Option(
    "restorer",
    str,
    "The restorer that may do better: the name of installed weights (see the verb "
    f"weights), {BEST} for the first of those that score best, or {NONE}.",
    BEST,
    check=known_restorer,
)
TRANSLATOR = Option(
    "translator",
    Weights,
    "A weight file of a translator (Blur2Blur), which turns the blur of your camera "
    "into one that the network knows, before the network takes it out.",
    check=of_translator,
)
SEED = Option(
    "seed",
    int,
    "The random start of the search: the same number gives the same result.",
    0,
    check=between(0, MOST_SEED, "seed"),
)
VGG = Option(
    "vgg",
    Weights,
    "A weight file of VGG19, to compare photos by its features as the paper does; "
    "without it by their pixels and their structure.",
    check=of_vgg,
)
STARTS_OF_FACE = Option(
    "starts",
    int,
    "How many times the search begins, each from other latents; the best is kept.",
    STARTS_OF_LATENTS,
    check=between(1, 1000, "starts"),
)
SPACE = Option(
    "space",
    Weights,
    "The weight file of a kernel space: the blur is one of its codes, not one kernel.",
    check=of_space,
)
PLACES = Option(
    "places",
    int,
    "Along each side, how many places have a kernel of their own; the pixels between "
    "them mix these.",
    1,
    check=between(1, 16, "places"),
)
RESIZE = Option(
    "resize",
    bool,
    "Fit the photo to the size of the generator's images, and the answer to the "
    "photo's.",
    False,
    flag="--resize",
)
WATCH = Option("watch", Watch, "Sees the search a few times.", unwatched)
