"""A narrow DeblurGAN on dead leaves under camera shakes: minutes on two cores.

    kernel-space train --config configs/deblurgan_synthetic.py --workdir runs/deblurgan

It shows that the generator learns by the mean absolute error alone: the published
training (Kupyn et al., CVPR 2018) has a critic and a perceptual loss instead. Its
weights know dead leaves and small shakes only.
"""

from kernel_space_jax.training.config import Config, defaults


def get_config() -> Config:
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
