"""A narrow DualGAN between blurry and sharp dead leaves, for two cores.

    kernel-space train --config configs/dualgan_synthetic.py --workdir runs/dualgan

No sharp image is a partner of a blurry one (Yi et al., ICCV 2017). Both generators add
to their input, as DeblurGAN's does: they begin with images and not with noise.
"""

from kernel_space_jax.training.config import Config, defaults


def get_config() -> Config:
    config = defaults("dual", network="deblurgan", critic="dualgan-critic")
    config.model.width = 16
    config.model.blocks = 3
    config.model.dropout = 0.0
    config.model.critic_options.width = 16
    config.data.train = ()
    config.data.streams = {
        "blurry_photos": {"train": ("synthetic",), "blur": "shake"},
        "sharp_photos": {"train": ("synthetic",), "blur": "none"},
    }
    config.data.crop = 96
    config.data.kernel_size = 15
    config.data.noise = 0.005
    config.data.validation_size = 16
    config.batch_size = 2
    config.steps = 3000
    config.learning_rate = 2e-4
    config.b1, config.b2 = 0.0, 0.9
    config.schedule = "cosine"
    config.log_every = 20
    config.evaluate_every = 100
    config.checkpoint_every = 100
    return config
