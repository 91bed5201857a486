"""Restormer on GoPro as published (Zamir et al., CVPR 2022): 32.92 dB, SSIM 0.961.

    kernel-space data prepare gopro:data/GOPRO -o data/gopro --tile 512
    kernel-space train --config configs/restormer_gopro.py --workdir runs/restormer

The recipe follows the authors' options: L1, AdamW whose decay of 1e-4 acts on all
parameters, a rate of 3e-4 for 92,000 steps and then to 1e-6 by a cosine over 208,000,
gradients clipped to a norm of 0.01. Crops grow from 128 to 384 pixels, and batches
shrink from 64 to 8 (their 8 to 1 on each of 8 GPUs). This project has not run it.
"""

from kernel_space_jax.training.config import Config, defaults


def get_config() -> Config:
    config = defaults("supervised", network="restormer")
    config.model.losses = {"l1": 1.0}
    config.data.train = ("prepared:data/gopro?split=train",)
    config.data.validation = "gopro:data/GOPRO?split=test"
    config.data.validation_size = 64
    config.data.blur = "none"
    config.data.crop = 128
    config.batch_size = 64
    config.stages = (
        (92_001, 160, 40),
        (156_001, 192, 32),
        (204_001, 256, 16),
        (240_001, 320, 8),
        (276_001, 384, 8),
    )
    config.steps = 300_000
    config.optimiser = "adamw"
    config.weight_decay = 1e-4
    config.decays = "all"
    config.learning_rate = 3e-4
    config.schedule = "cosine_restarts"
    config.schedule_options.periods = (92_000, 208_000)
    config.schedule_options.minimum = (3e-4, 1e-6)
    config.clip_norm = 0.01
    config.log_every = 200
    config.evaluate_every = 4000
    config.checkpoint_every = 4000
    return config
