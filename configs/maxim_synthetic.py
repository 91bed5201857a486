"""A narrow MAXIM on dead leaves under camera shakes: minutes on two cores.

    kernel-space train --config configs/maxim_synthetic.py --workdir runs/maxim

It shows that the recipe of configs/maxim_gopro.py learns; its weights know dead leaves
and small shakes only.
"""

from kernel_space_jax.training.config import Config, defaults


def get_config() -> Config:
    config = defaults("supervised", network="maxim")
    config.model.features = 8
    config.model.stages = 1
    config.model.groups = 1
    config.model.bottlenecks = 1
    config.model.scales = 2
    config.model.blocks = (8, 8, 4)
    config.model.grids = (8, 8, 4)
    config.model.losses = {"charbonnier": 1.0}
    config.data.crop = 64
    config.data.kernel_size = 9
    config.data.noise = 0.005
    config.data.validation_size = 16
    config.batch_size = 8
    config.steps = 1500
    config.learning_rate = 2e-3
    config.schedule = "cosine"
    config.schedule_options.alpha = 1e-4
    config.ema = 0.99
    config.log_every = 20
    config.evaluate_every = 300
    config.checkpoint_every = 300
    return config
