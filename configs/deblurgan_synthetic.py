"""A narrow DeblurGAN on dead leaves under camera shakes: minutes on two cores.

    kernel-space train --config configs/deblurgan_synthetic.py --workdir runs/alone
    kernel-space train --config configs/deblurgan_synthetic.py:critic --workdir runs/gan

The first trains the generator alone, by the mean absolute error; the second the same
generator beside a critic, as Kupyn et al. do (CVPR 2018), and takes three times as
long. Their curves of validation scores can be compared: all else is alike. The weights
know dead leaves and small shakes only.
"""

from typing import Literal

from kernel_space_jax.training.config import Config, defaults


def get_config(players: Literal["generator", "critic"] = "generator") -> Config:
    if players == "critic":
        config = defaults("adversarial", network="deblurgan", critic="deblurgan-critic")
        config.model.critic_options.width = 16
        config.players.critic = {"ema": 0.0, "b1": 0.5}
    else:
        config = defaults("supervised", network="deblurgan")
    config.model.width = 16
    config.model.blocks = 3
    # Half of so few features is too little to learn from.
    config.model.dropout = 0.0
    config.model.losses = {"l1": 1.0}
    config.data.crop = 96
    config.data.kernel_size = 15
    config.data.noise = 0.005
    config.data.validation_size = 16
    config.batch_size = 4
    config.steps = 2000
    config.learning_rate = 1e-3
    config.schedule = "cosine"
    config.ema = 0.99
    config.log_every = 20
    config.evaluate_every = 100
    config.checkpoint_every = 100
    return config
