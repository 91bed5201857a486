"""The networks that weight files know, by name, and which have official weights.

A restorer is known by its row in `models/restorers`, a generator by its row in
`models/generators`, a critic by its row in `models/critics.py`, any other network by
its row here; official weights by a file of the network's name in `names/`.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

import flax.linen as nn

from kernel_space_jax.errors import UserError, unknown
from kernel_space_jax.models import critics, restorers
from kernel_space_jax.models.generators import GENERATORS
from kernel_space_jax.models.kernel_space import KernelSpace
from kernel_space_jax.models.lpips import LPIPS
from kernel_space_jax.models.per_pixel.judge import Judge
from kernel_space_jax.models.per_pixel.mender import Mender
from kernel_space_jax.models.per_pixel.two_heads import TwoHeads
from kernel_space_jax.models.preset import Preset
from kernel_space_jax.models.priors import ImagePrior, KernelPrior
from kernel_space_jax.models.vgg import VGG16, VGG19
from kernel_space_jax.weights.official import Official

OTHERS: dict[str, type[nn.Module]] = {
    "kernel_space": KernelSpace,
    "kernel_prior": KernelPrior,
    "image_prior": ImagePrior,
    "two_heads": TwoHeads,
    "judge": Judge,
    "mender": Mender,
    "vgg16": VGG16,
    "vgg19": VGG19,
    "lpips": LPIPS,
}
# What older weight files call a network.
OLD_NAMES = {"restorer": "compact"}


class Network(NamedTuple):
    """A network by name, and the options that a preset of it fixes."""

    name: str
    module: type[nn.Module]
    preset: dict[str, Any]


def networks() -> dict[str, type[nn.Module]]:
    """Every network that a weight file may hold."""
    return OTHERS | GENERATORS | critics.NETWORKS | restorers.NETWORKS


def presets() -> dict[str, Preset]:
    """The published sizes of them."""
    return restorers.PRESETS | critics.PRESETS


def network(name: str) -> Network:
    """The network of a name or of a preset, or a sentence that lists them."""
    known = networks()
    name = OLD_NAMES.get(name, name)
    if name in known:
        return Network(name, known[name], {})
    if name in presets():
        preset = presets()[name]
        return Network(preset.network, known[preset.network], preset.options)
    raise unknown("architecture", name, sorted(known.keys() | presets()))


def network_name(module: nn.Module) -> str:
    """What weight files call a module."""
    for name, kind in networks().items():
        if kind is type(module):
            return name
    raise UserError(
        f"no weight file can hold a {type(module).__name__}: "
        "it is not in the table of networks"
    )


def official(name: str) -> Official:
    """How the official checkpoints of a network look; a sentence if it has none."""
    if not _has_names(name):
        raise UserError(
            f"{name} is the project's own; no official weights belong to it"
        )
    return import_module(f"{__package__}.names.{name}").OFFICIAL


def importable() -> list[str]:
    """The networks with official weights, and their presets."""
    named = [name for name in networks() if _has_names(name)]
    return named + [
        name
        for name, preset in presets().items()
        if preset.network in named and name != preset.network
    ]


def source(name: str) -> str:
    """Where the authors' weights of a network are, and how they become ours."""
    return official(name).source


def _has_names(name: str) -> bool:
    return find_spec(f"{__package__}.names.{name}") is not None
