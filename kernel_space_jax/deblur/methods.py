"""The table of methods: what deblurs a photo, by name.

`ks.deblur`, `kernel-space deblur` with its help, and `evaluate --method` derive from
`METHODS`. A new method is its file beside this one and a row here; from outside a row
is added by `METHODS[name] = Method(...)`. Each preset of the restorer networks
(`models/restorers`) is a row by itself.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from numbers import Integral, Real
from typing import Any

from kernel_space_jax.deblur.automatic import BEST, NONE, deblur_automatically, named
from kernel_space_jax.deblur.by_generator import STARTS as STARTS_OF_LATENTS
from kernel_space_jax.deblur.by_generator import search_latents
from kernel_space_jax.deblur.by_network import check_preset, deblur_by_network
from kernel_space_jax.deblur.by_search import (
    Watch,
    search_codes,
    search_kernels,
    unwatched,
)
from kernel_space_jax.deblur.field import FINDERS
from kernel_space_jax.deblur.network import read_once
from kernel_space_jax.deblur.per_pixel import SOLVERS, deblur_per_pixel, find_solver
from kernel_space_jax.deblur.result import TILE
from kernel_space_jax.deblur.row import Method, Option, Shape
from kernel_space_jax.deblur.uniform import LOCAL_SIDE, deblur_locally, deblur_uniform
from kernel_space_jax.errors import UserError, nearest, unknown
from kernel_space_jax.models.generators import StyleGAN2
from kernel_space_jax.models.kernel_space import KernelSpace
from kernel_space_jax.models.per_pixel.judge import Judge
from kernel_space_jax.models.per_pixel.mender import Mender
from kernel_space_jax.models.restorers import NETWORKS, PRESETS, names_of
from kernel_space_jax.models.vgg import VGG19
from kernel_space_jax.operators.camera import GAMMA
from kernel_space_jax.solvers.search import presets
from kernel_space_jax.solvers.search.blind_search import Nested
from kernel_space_jax.solvers.uniform import starts
from kernel_space_jax.weights import Weights, installed

DEFAULT = "auto"
LEAST_GAMMA, MOST_GAMMA = 0.1, 10.0
LEAST_TILE, MOST_TILE = 64, 2**16
MOST_SEED = 2**32 - 1
# What a value of each type of option is called, and looks like.
KINDS: dict[Any, tuple[str, type]] = {
    int: ("a whole number", Integral),
    float: ("a number", Real),
    str: ("a name", str),
    bool: ("True or False", bool),
    Weights: ("weights, as kernel_space_jax.load gives them", Weights),
}

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
RESIZE = Option(
    "resize",
    bool,
    "Fit the photo to the size of the generator's images, and the answer to the "
    "photo's.",
    False,
    flag="--resize",
)
WATCH = Option("watch", Watch, "Sees the search a few times.", unwatched)

# The methods.

ONE_KERNEL = (KERNEL_SIZE, STARTS, CAMERA, TILING)
SEARCHED = (KERNEL_SIZE, PRESET, SEED, WATCH)
METHODS: dict[str, Method] = {
    row.name: row
    for row in (
        Method(
            "auto",
            "takes map, an installed restorer or basis, whichever fits the photo",
            deblur_automatically,
            (*ONE_KERNEL, RESTORER),
            (Mender, Judge),
            "mender",
        ),
        Method(
            "map",
            "finds one kernel for the whole photo: right for camera shake",
            deblur_uniform,
            ONE_KERNEL,
        ),
        Method(
            "map-local",
            "finds one kernel for each tile of the photo",
            deblur_locally,
            (KERNEL_SIZE, STARTS, CAMERA, replace(TILING, default=LOCAL_SIDE)),
        ),
        Method(
            "basis",
            "finds a kernel for each pixel with a network: right for moving things",
            deblur_per_pixel,
            (SOLVER, SATURATES, ANY_CAMERA, TILING),
            FINDERS,
            "mender",
        ),
        Method(
            "selfdeblur",
            "searches the sharp image and one kernel, a network for each (Ren 2020)",
            partial(search_kernels, make=presets.self_deblur),
            (*SEARCHED, TILING),
            together=True,
        ),
        Method(
            "pixel-kernel",
            "the same search, with the pixels of the kernel themselves",
            partial(search_kernels, make=presets.pixel_kernel),
            (*SEARCHED, TILING),
            together=True,
        ),
        Method(
            "kernel-space",
            "searches the sharp image and a code of a learned blur (Tran 2021)",
            search_codes,
            (*SEARCHED, VGG),
            (KernelSpace,),
            "kernel-space",
            together=True,
        ),
        Method(
            "face",
            "searches the image of a generator, such as of faces, and one kernel",
            search_latents,
            (*SEARCHED, STARTS_OF_FACE, SPACE, RESIZE),
            (StyleGAN2,),
            installed=("stylegan2",),
            together=True,
        ),
        Method(
            "nested",
            "the same, the code anew at each step of the image (Tran 2021)",
            partial(search_codes, nested=Nested()),
            (*SEARCHED, VGG),
            (KernelSpace,),
            "kernel-space",
            together=True,
        ),
    )
}


def table() -> dict[str, Method]:
    """All methods by name: `METHODS`, and rows for the restorers.

    A network has a row for each of its presets, and one for weights of any size.
    """
    by_network = partial(
        Method, run=deblur_by_network, options=(TILING, TRANSLATOR), together=True
    )
    presets = {
        name: by_network(
            name,
            preset.says,
            networks=(NETWORKS[preset.network],),
            installed=(name, preset.network),
            fits=partial(check_preset, name),
        )
        for name, preset in PRESETS.items()
        if name not in NETWORKS
    }
    networks = {
        name: by_network(
            name,
            f"a {name} network of any size",
            networks=(kind,),
            installed=tuple(names_of(name)),
        )
        for name, kind in NETWORKS.items()
    }
    return {**METHODS, **presets, **networks}


def find_method(name: str) -> Method:
    """The row of a name."""
    rows = table()
    if name not in rows:
        raise unknown("method", name, rows)
    return rows[name]


def with_option(option: str) -> list[Method]:
    """The methods that have an option of that name."""
    return [row for row in table().values() if row.has(option)]


def refuse_lacking(
    method: Method, given: Iterable[str], *, flags: bool = False
) -> None:
    """A `UserError` that names the first option given which the method lacks.

    With `flags` options are called what the command line calls them.
    """
    for name in given:
        if method.has(name):
            continue
        having = with_option(name)
        own = ", ".join(option.name for option in method.options) or "none"
        if not having:
            names = [option.name for row in table().values() for option in row.options]
            raise UserError(
                f"no method has the option {name}{nearest(name, names)}; "
                f"{method.name} has {own}"
            )
        called = having[0].option(name).flags.split("/")[0] if flags else name
        names = _either([row.name for row in having])
        raise UserError(
            f"{called} is for the method {names}; {method.name} has no such option"
        )


def settle(method: Method, given: Mapping[str, Any], shape: Shape) -> dict[str, Any]:
    """All options of a method for photos of a shape (H, W, C), checked.

    None is an option that is not given.
    """
    refuse_lacking(method, given)
    options = {}
    for option in method.options:
        value = given.get(option.name)
        value = option.default if value is None else value
        if value is not None:
            _check_kind(option, value)
            option.check(value, shape)
        options[option.name] = value
    return options


def _check_kind(option: Option, value: Any) -> None:
    """A `UserError` where a value is of another type than the option."""
    says, kind = KINDS.get(option.kind, ("", object))
    of_kind = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
    if not of_kind:
        raise UserError(f"{option.name} is {value!r}; give {says}")


def network_of(method: Method, given: Weights | None = None) -> Weights | None:
    """The weights for a method: those given, if they will do, shipped or installed."""
    if given is None:
        name = at_hand(method)
        given = None if name is None else read_once(name)
    if not method.networks:
        if given is not None:
            raise UserError(f"the method {method.name} uses no weights")
        return None
    names = _either([kind.__name__ for kind in method.networks])
    if given is None:
        raise UserError(
            f"no weights for {method.name} are at hand; give those of a {names} "
            "(--weights FILE), or see how they are had: kernel-space weights"
        )
    if not isinstance(given.module, method.networks):
        raise UserError(
            f"these weights are of a {type(given.module).__name__}; "
            f"the method {method.name} needs those of a {names}"
        )
    method.fits(given.module)
    return given


def at_hand(method: Method) -> str | None:
    """The name of the weights that a method takes where none are given."""
    if method.ships is not None:
        return method.ships
    there = installed()
    return next((name for name in method.installed if name in there), None)


def _either(names: list[str]) -> str:
    """a, b or c."""
    return " or ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
