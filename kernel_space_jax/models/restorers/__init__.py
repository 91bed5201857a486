"""Restorers, x = R(y): one paper a file, and the table of presets.

Every restorer maps y (N, H, W, 3), of any size, to x of the same size, and with
`every=True` to all that the paper's network gives, if that is more. Its file here and
its rows in the tables below make it known to `train`, `import-weights`,
`deblur --method`, `evaluate` and the benchmark. They apply it by `applied`: some
networks take and give other numbers than colours in [0, 1] (face.py).
"""

from typing import Any

import flax.linen as nn

from kernel_space_jax.errors import unknown
from kernel_space_jax.models.preset import Preset
from kernel_space_jax.models.restorers.compact import Compact
from kernel_space_jax.models.restorers.deblurgan import DeblurGAN
from kernel_space_jax.models.restorers.deblurgan_v2 import DeblurGANv2
from kernel_space_jax.models.restorers.face import applied, check_restorer, initial
from kernel_space_jax.models.restorers.maxim import MAXIM
from kernel_space_jax.models.restorers.mimo_unet import MIMOUNet
from kernel_space_jax.models.restorers.nafnet import NAFNet
from kernel_space_jax.models.restorers.restormer import Restormer
from kernel_space_jax.models.restorers.srn import SRN

__all__ = [
    "MAXIM",
    "NETWORKS",
    "PRESETS",
    "SRN",
    "Compact",
    "MIMOUNet",
    "DeblurGAN",
    "DeblurGANv2",
    "NAFNet",
    "Preset",
    "Restormer",
    "applied",
    "check_restorer",
    "initial",
    "names_of",
    "restorer",
]

# What `config.model.network` and weight files call them.
NETWORKS: dict[str, type[nn.Module]] = {
    "compact": Compact,
    "deblurgan": DeblurGAN,
    "deblurgan_v2": DeblurGANv2,
    "maxim": MAXIM,
    "nafnet": NAFNet,
    "srn": SRN,
    "restormer": Restormer,
    "mimo_unet": MIMOUNet,
}


PRESETS: dict[str, Preset] = {
    "compact": Preset("compact", {}, "a small U-Net of this project"),
    "deblurgan": Preset("deblurgan", {}, "DeblurGAN's generator (Kupyn 2018)"),
    "deblurgan-v2-mobile": Preset(
        "deblurgan_v2", {}, "DeblurGAN-v2's FPN-MobileNet (Kupyn 2019)"
    ),
    "deblurgan-v2-resnet": Preset(
        "deblurgan", {}, "DeblurGAN-v2's ResNet generator (Kupyn 2019)"
    ),
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
    "srn-color": Preset(
        "srn",
        {"width": 32, "channels": 3, "lstm": False},
        "SRN of the three colours (Tao 2018)",
    ),
    "srn-gray": Preset(
        "srn",
        {"width": 32, "channels": 1, "lstm": False},
        "SRN of one colour at a time (Tao 2018)",
    ),
    "srn-lstm": Preset(
        "srn",
        {"width": 32, "channels": 1, "lstm": True},
        "SRN of one colour at a time, with an LSTM (Tao 2018)",
    ),
    "restormer": Preset("restormer", {}, "Restormer (Zamir 2022)"),
    "mimo-unet": Preset("mimo_unet", {"blocks": 8}, "MIMO-UNet (Cho 2021)"),
    "mimo-unet-plus": Preset(
        "mimo_unet", {"blocks": 20, "dropout": 0.1}, "MIMO-UNet+ (Cho 2021)"
    ),
}


def names_of(network: str) -> list[str]:
    """What weights of a network may be called: its own name, and its presets, largest
    first."""
    of_it = [name for name, preset in PRESETS.items() if preset.network == network]
    return [*dict.fromkeys([network, *reversed(of_it)])]


def restorer(name: str, **options: Any) -> nn.Module:
    """The network of a preset, or of a name in `NETWORKS`, with options on top."""
    if name in PRESETS:
        preset = PRESETS[name]
        return NETWORKS[preset.network](**{**preset.options, **options})
    if name not in NETWORKS:
        raise unknown("restorer", name, dict.fromkeys([*PRESETS, *NETWORKS]))
    return NETWORKS[name](**options)
