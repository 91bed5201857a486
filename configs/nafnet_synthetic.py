"""A narrow NAFNet on dead leaves under camera shakes: minutes on two cores.

    kernel-space train --config configs/nafnet_synthetic.py --workdir runs/nafnet

It shows that the recipe of configs/nafnet_gopro.py learns; its weights know dead leaves
and small shakes only.
"""

from kernel_space_jax.training.config import Config, defaults


def get_config() -> Config:
    config = defaults("supervised", network="nafnet")
    config.model.width = 16
    config.model.encoder_blocks = (1, 1, 4)
    config.model.decoder_blocks = (1, 1, 1)
    config.model.losses = {"psnr": 1.0}
    config.data.crop = 96
    config.data.kernel_size = 9
    config.data.noise = 0.005
    config.data.validation_size = 16
    config.batch_size = 4
    config.steps = 400
    config.optimiser = "adamw"
    config.learning_rate = 2e-3
    config.b1 = config.b2 = 0.9
    config.schedule = "cosine"
    config.schedule_options.alpha = 1e-4
    config.clip_norm = 0.01
    config.ema = 0.99
    config.log_every = 20
    config.evaluate_every = 100
    config.checkpoint_every = 100
    return config
