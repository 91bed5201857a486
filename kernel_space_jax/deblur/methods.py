"""The table of methods: what deblurs a photo, by name.

`ks.deblur`, `kernel-space deblur` with its help, and `evaluate --method` derive from
`METHODS`. A new method is its file beside this one and a row here; from outside a row
is added by `METHODS[name] = Method(...)`. Each preset of the restorer networks
(`models/restorers`) is a row by itself.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from numbers import Integral, Real
from typing import Any

from kernel_space_jax.deblur.automatic import deblur_automatically
from kernel_space_jax.deblur.by_generator import search_latents
from kernel_space_jax.deblur.by_network import check_preset, deblur_by_network
from kernel_space_jax.deblur.by_search import search_codes, search_kernels
from kernel_space_jax.deblur.field import FINDERS
from kernel_space_jax.deblur.network import read_once
from kernel_space_jax.deblur.options import (
    ANY_CAMERA,
    CAMERA,
    KERNEL_SIZE,
    PLACES,
    PRESET,
    RESIZE,
    RESTORER,
    SATURATES,
    SEED,
    SOLVER,
    SPACE,
    STARTS,
    STARTS_OF_FACE,
    TILING,
    TRANSLATOR,
    VGG,
    WATCH,
)
from kernel_space_jax.deblur.per_pixel import deblur_per_pixel
from kernel_space_jax.deblur.row import Method, Option, Shape
from kernel_space_jax.deblur.uniform import LOCAL_SIDE, deblur_locally, deblur_uniform
from kernel_space_jax.errors import UserError, nearest, unknown
from kernel_space_jax.models.generators import Generator
from kernel_space_jax.models.kernel_space import KernelSpace
from kernel_space_jax.models.per_pixel.judge import Judge
from kernel_space_jax.models.per_pixel.mender import Mender
from kernel_space_jax.models.restorers import NETWORKS, PRESETS, names_of
from kernel_space_jax.solvers.search import presets
from kernel_space_jax.solvers.search.blind_search import Nested
from kernel_space_jax.weights import Weights, installed

DEFAULT = "auto"
# What a value of each type of option is called, and looks like.
KINDS: dict[Any, tuple[str, type]] = {
    int: ("a whole number", Integral),
    float: ("a number", Real),
    str: ("a name", str),
    bool: ("True or False", bool),
    Weights: ("weights, as kernel_space_jax.load gives them", Weights),
}

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
            "searches the image of a generator, such as of faces, and its blur",
            search_latents,
            (*SEARCHED, STARTS_OF_FACE, PLACES, SPACE, RESIZE),
            (Generator,),
            installed=("stylegan2", "stylegan"),
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
