"""NAFNet on GoPro as published (Chen et al., ECCV 2022): 33.69 dB at width 64.

    kernel-space data prepare gopro:data/GOPRO -o data/gopro --tile 512
    kernel-space train --config configs/nafnet_gopro.py --workdir runs/nafnet-32
    kernel-space train --config configs/nafnet_gopro.py:64 --workdir runs/nafnet-64

The recipe follows the authors' options for width 32: PSNR loss, AdamW without decay and
with both betas 0.9, a rate from 1e-3 to 1e-7 by a cosine, 200,000 steps of 32 crops of
256 pixels. Those options do not state how gradients are clipped; 0.01 is our
choice. This project has not run it.
"""

from typing import Literal

from kernel_space_jax.training.config import Config, defaults


def get_config(width: Literal["32", "64"] = "32") -> Config:
    config = defaults("supervised", network=f"nafnet-{width}")
    config.model.losses = {"psnr": 1.0}
    config.data.train = ("prepared:data/gopro?split=train",)
    config.data.validation = "gopro:data/GOPRO?split=test"
    config.data.validation_size = 64
    config.data.crop = 256
    config.data.blur = "none"
    config.batch_size = 32
    config.steps = 200_000
    config.optimiser = "adamw"
    config.learning_rate = 1e-3
    config.b1 = config.b2 = 0.9
    config.schedule = "cosine"
    config.schedule_options.alpha = 1e-4
    config.clip_norm = 0.01
    config.log_every = 200
    config.evaluate_every = 5000
    config.checkpoint_every = 5000
    return config
