"""A narrow SRN on dead leaves under camera shakes: minutes on two cores.

    kernel-space train --config configs/srn_synthetic.py --workdir runs/srn
    kernel-space train --config configs/srn_synthetic.py:lstm --workdir runs/srn-lstm

It shows that the recipe of configs/srn_gopro.py learns, at a higher rate; its weights
know dead leaves and small shakes only.
"""

from typing import Literal

from kernel_space_jax.training.config import Config, defaults


def get_config(kind: Literal["color", "gray", "lstm"] = "color") -> Config:
    config = defaults("supervised", network=f"srn-{kind}")
    config.model.width = 8
    config.model.losses = {"l2": 1.0}
    config.data.crop = 96
    config.data.kernel_size = 9
    config.data.noise = 0.005
    config.data.validation_size = 16
    config.batch_size = 4
    config.steps = 1200
    config.learning_rate = 2e-3
    config.schedule = "polynomial"
    config.schedule_options.end_value = 1e-6
    config.schedule_options.power = 0.3
    config.ema = 0.99
    config.log_every = 50
    config.evaluate_every = 200
    config.checkpoint_every = 200
    return config
