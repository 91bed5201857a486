"""A narrow DeblurGAN on dead leaves under camera shakes: minutes on two cores.

    kernel-space train --config configs/deblurgan_synthetic.py --workdir runs/alone
    kernel-space train --config configs/deblurgan_synthetic.py:critic --workdir runs/gan

The first trains the generator alone, by PSNR; the second the same generator beside a
critic, as Kupyn et al. do (CVPR 2018), and takes three times as long. Their curves of
validation scores can be compared: all else is alike. The weights know dead leaves and
small shakes only.
"""

from typing import Literal

from kernel_space_jax.training.config import Config, defaults


def get_config(players: Literal["generator", "critic"] = "generator") -> Config:
    if players == "critic":
        config = defaults("adversarial", network="deblurgan", critic="deblurgan-critic")
        config.model.critic_options.width = 16
        config.model.adversarial_weight = 0.1
        config.players.critic = {
            "optimiser": "adam",
            "learning_rate": 5e-4,
            "b1": 0.5,
            "b2": 0.999,
            "weight_decay": 0.0,
            "clip_norm": 0.0,
            "ema": 0.0,
        }
    else:
        config = defaults("supervised", network="deblurgan")
    config.model.width = 16
    config.model.blocks = 3
    # Half of so few features is too little to learn from.
    config.model.dropout = 0.0
    # By the mean absolute error it learns to give y back, and little more.
    config.model.losses = {"psnr": 1.0}
    config.data.crop = 96
    config.data.kernel_size = 9
    config.data.noise = 0.002
    config.data.validation_size = 16
    config.batch_size = 4
    config.steps = 2000
    config.optimiser = "adamw"
    config.learning_rate = 2e-3
    config.b1 = config.b2 = 0.9
    config.clip_norm = 0.01
    config.schedule = "cosine"
    config.ema = 0.99
    config.log_every = 20
    config.evaluate_every = 100
    config.checkpoint_every = 100
    return config
