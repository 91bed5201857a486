"""MAXIM-3S on GoPro as published (Tu et al., CVPR 2022): 32.86 dB, SSIM 0.961.

    kernel-space data prepare gopro:data/GOPRO -o data/gopro --tile 512
    kernel-space train --config configs/maxim_gopro.py --workdir runs/maxim

As the paper states it: Charbonnier and 0.1 of the frequency loss over the answers of
all stages and scales, 64 random crops of 256x256 a batch, Adam with a rate from 2e-4 to
1e-7 by a cosine. The number of steps is our choice. This project has not run it.
"""

from kernel_space_jax.training.config import Config, defaults


def get_config() -> Config:
    config = defaults("supervised", network="maxim-s3")
    config.model.losses = {"charbonnier": 1.0, "frequency": 0.1}
    config.data.train = ("prepared:data/gopro?split=train",)
    config.data.validation = "gopro:data/GOPRO?split=test"
    config.data.validation_size = 64
    config.data.crop = 256
    config.data.blur = "none"
    config.batch_size = 64
    config.steps = 600_000
    config.learning_rate = 2e-4
    config.schedule = "cosine"
    config.schedule_options.alpha = 5e-4
    config.log_every = 200
    config.evaluate_every = 5000
    config.checkpoint_every = 5000
    return config
