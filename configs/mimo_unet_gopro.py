"""MIMO-UNet and MIMO-UNet+ on GoPro as published (Cho et al., ICCV 2021).

They score 31.73 and 32.45 dB.

    kernel-space data prepare gopro:data/GOPRO -o data/gopro --tile 512
    kernel-space train --config configs/mimo_unet_gopro.py --workdir runs/mimo-unet
    kernel-space train --config configs/mimo_unet_gopro.py:plus --workdir runs/mimo-plus

The recipe follows the paper and the authors' program: L1 at three scales and 0.1 times
the L1 of its Fourier transform, Adam with a rate of 1e-4 that halves every 500 of 3000
epochs, 4 crops of 256 pixels a step. An epoch is the 2103 pairs of GoPro, 526 steps.
This project has not run it.
"""

from typing import Literal

from kernel_space_jax.training.config import Config, defaults

EPOCH = 526


def get_config(size: Literal["plain", "plus"] = "plain") -> Config:
    network = "mimo-unet" if size == "plain" else "mimo-unet-plus"
    config = defaults("supervised", network=network)
    config.model.losses = {"l1": 1.0, "frequency": 0.1}
    config.data.train = ("prepared:data/gopro?split=train",)
    config.data.validation = "gopro:data/GOPRO?split=test"
    config.data.validation_size = 64
    config.data.crop = 256
    config.data.blur = "none"
    config.batch_size = 4
    config.steps = 3000 * EPOCH
    config.learning_rate = 1e-4
    config.schedule = "multistep_restarts"
    config.schedule_options.milestones = tuple(
        epoch * EPOCH + 1 for epoch in range(500, 3000, 500)
    )
    config.schedule_options.decay = 0.5
    config.log_every = 200
    config.evaluate_every = 10 * EPOCH
    config.checkpoint_every = 10 * EPOCH
    return config
