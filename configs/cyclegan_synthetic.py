"""A narrow CycleGAN between blurry and sharp dead leaves, for two cores.

    kernel-space train --config configs/cyclegan_synthetic.py --workdir runs/cyclegan

No sharp image is a partner of a blurry one (Zhu et al., ICCV 2017). Both generators
add to their input, as DeblurGAN's does: they begin with images and not with noise.
"""

from kernel_space_jax.training.config import Config, defaults


def get_config() -> Config:
    config = defaults("cycle", network="deblurgan", critic="cyclegan-critic")
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
    config.learning_rate = 4e-4
    config.b1 = 0.5
    config.schedule = "cosine"
    config.log_every = 20
    config.evaluate_every = 100
    config.checkpoint_every = 100
    return config
