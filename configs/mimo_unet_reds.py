"""MIMO-UNet and MIMO-UNet+ on REDS, by their recipe for GoPro (Cho et al., ICCV 2021).

    kernel-space train --config configs/mimo_unet_reds.py --workdir runs/mimo-reds
    kernel-space train --config configs/mimo_unet_reds.py:plus --workdir runs/plus-reds

The paper has no score on REDS. As many steps as on GoPro are 263 epochs of the 24,000
pairs here; the rate halves as often. Validation is on REDS-val-300, each tenth frame.
This project has not run it.
"""

from typing import Literal

from kernel_space_jax.training.config import Config, load_config


def get_config(size: Literal["plain", "plus"] = "plain") -> Config:
    config = load_config(f"configs/mimo_unet_gopro.py:{size}").unlock()
    config.data.train = ("reds:data/REDS?split=train",)
    config.data.validation = "reds:data/REDS?split=val&every=10"
    return config
