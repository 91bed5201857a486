"""A narrow Restormer on dead leaves under camera shakes: minutes on two cores.

    kernel-space train --config configs/restormer_synthetic.py --workdir runs/restormer

It shows that the recipe of configs/restormer_gopro.py learns, crops that grow among it;
its weights know dead leaves and small shakes only.
"""

from kernel_space_jax.training.config import Config, defaults


def get_config() -> Config:
    config = defaults("supervised", network="restormer")
    config.model.width = 16
    config.model.blocks = (1, 1, 1, 2)
    config.model.refinement = 1
    config.model.losses = {"l1": 1.0}
    config.data.crop = 64
    config.data.kernel_size = 9
    config.data.noise = 0.005
    config.data.validation_size = 16
    config.batch_size = 8
    config.stages = ((301, 96, 4),)
    config.steps = 400
    config.optimiser = "adamw"
    config.weight_decay = 1e-4
    config.decays = "all"
    config.learning_rate = 1e-3
    config.schedule = "cosine_restarts"
    config.schedule_options.periods = (100, 300)
    config.schedule_options.minimum = (1e-3, 1e-6)
    config.clip_norm = 0.01
    config.ema = 0.99
    config.log_every = 20
    config.evaluate_every = 100
    config.checkpoint_every = 100
    return config
