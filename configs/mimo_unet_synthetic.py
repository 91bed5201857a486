"""A narrow MIMO-UNet+ on dead leaves under camera shakes: minutes on two cores.

    kernel-space train --config configs/mimo_unet_synthetic.py --workdir runs/mimo-unet

It shows that the recipe of configs/mimo_unet_gopro.py learns; its weights know dead
leaves and small shakes only.
"""

from kernel_space_jax.training.config import Config, defaults


def get_config() -> Config:
    config = defaults("supervised", network="mimo-unet-plus")
    config.model.width = 16
    config.model.blocks = 2
    config.model.losses = {"l1": 1.0, "frequency": 0.1}
    config.data.crop = 96
    config.data.kernel_size = 9
    config.data.noise = 0.005
    config.data.validation_size = 16
    config.batch_size = 4
    config.steps = 400
    config.learning_rate = 1e-3
    config.schedule = "multistep_restarts"
    config.schedule_options.milestones = (200, 300, 350)
    config.ema = 0.99
    config.log_every = 20
    config.evaluate_every = 100
    config.checkpoint_every = 100
    return config
