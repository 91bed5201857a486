"""A small StyleGAN2 of 64x64 on dead leaves, for two cores.

    kernel-space train --config configs/generator_synthetic.py --workdir runs/leaves

Any folder of images will do:

    --config.data.train="('images:DIR?resize=64',)" \\
    --config.data.validation='images:DIR?resize=64'

Images of one kind, all placed alike, are what `deblur --method face` is for: it looks
for the image of the generator that explains a blurry photo.
"""

from kernel_space_jax.training.config import Config, defaults


def get_config() -> Config:
    config = defaults("generator", network="stylegan2", critic="patchgan")
    config.model.widths = (64, 64, 64, 48, 32)
    config.model.style = 64
    config.model.mapping = 4
    config.model.critic_options.width = 32
    config.model.critic_options.layers = 3
    config.model.penalty_weight = 1.0
    config.data.crop = 64
    config.data.augment = "mirror"
    config.data.blur = "none"
    config.data.validation_size = 16
    config.batch_size = 8
    config.steps = 6000
    config.learning_rate = 2e-3
    config.b1, config.b2 = 0.0, 0.99
    config.ema = 0.998
    config.best = ""
    config.log_every = 20
    config.evaluate_every = 500
    config.checkpoint_every = 500
    return config
