"""Restorers, x = R(y): one paper a file, and the table of presets.

Every restorer maps y (N, H, W, 3), of any size, to x of the same size, and with
`every=True` to all that the paper's network gives, if that is more. Its file here and
its rows in the tables below make it known to `train`, `import-weights`,
`deblur --method`, `evaluate` and the benchmark. They apply it by `applied`: some
networks take and give other numbers than colours in [0, 1] (face.py).
"""

from typing import Any, NamedTuple

import flax.linen as nn

from kernel_space_jax.errors import unknown
from kernel_space_jax.models.restorers.compact import Compact
from kernel_space_jax.models.restorers.face import applied, initial
from kernel_space_jax.models.restorers.maxim import MAXIM
from kernel_space_jax.models.restorers.nafnet import NAFNet

__all__ = [
    "MAXIM",
    "NETWORKS",
    "PRESETS",
    "Compact",
    "NAFNet",
    "Preset",
    "applied",
    "initial",
    "restorer",
]

# What `config.model.network` and weight files call them.
NETWORKS: dict[str, type[nn.Module]] = {
    "compact": Compact,
    "maxim": MAXIM,
    "nafnet": NAFNet,
}


class Preset(NamedTuple):
    """A network in a published size: its name in `NETWORKS`, and its options."""

    network: str
    options: dict[str, Any]
    says: str


PRESETS: dict[str, Preset] = {
    "compact": Preset("compact", {}, "a small U-Net of this project"),
    **{
        f"maxim-{size}{stages}": Preset(
            "maxim",
            {"features": width, "stages": stages},
            f"MAXIM-{stages}{size.upper()} (Tu 2022)",
        )
        for size, width in (("s", 32), ("m", 64))
        for stages in (1, 2, 3)
    },
    "nafnet-32": Preset("nafnet", {"width": 32}, "NAFNet of width 32 (Chen 2022)"),
    "nafnet-64": Preset("nafnet", {"width": 64}, "NAFNet of width 64 (Chen 2022)"),
}


def restorer(name: str, **options: Any) -> nn.Module:
    """The network of a preset, or of a name in `NETWORKS`, with options on top."""
    if name in PRESETS:
        preset = PRESETS[name]
        return NETWORKS[preset.network](**{**preset.options, **options})
    if name not in NETWORKS:
        raise unknown("restorer", name, dict.fromkeys([*PRESETS, *NETWORKS]))
    return NETWORKS[name](**options)
