"""A narrow Blur2Blur on dead leaves, for two cores: moving things to camera shakes.

    kernel-space train --config configs/blur2blur_synthetic.py --workdir runs/blur2blur

The unknown blur is that of scenes whose objects all move differently, with a camera's
noise and saturation; the known one is one shake for the image. No image is another's
partner. With a restorer that knows shakes, validation scores what it makes of
translated images: --config.model.restorer=FILE.
"""

from kernel_space_jax.training.config import Config, defaults


def get_config() -> Config:
    config = defaults("blur2blur", network="mimo-unet")
    config.model.width = 16
    config.model.blocks = 2
    config.model.losses = {"edges": 2.0, "l1": 0.5}
    config.model.critic_options.width = 16
    config.model.critic_options.layers = 2
    config.data.train = ()
    config.data.streams = {
        "blurry_photos": {"train": ("synthetic",), "blur": "scene"},
        "sharp_photos": {"train": ("synthetic",), "blur": "shake", "noise": 0.01},
    }
    config.data.crop = 96
    config.data.kernel_size = 15
    config.data.validation_size = 16
    config.batch_size = 4
    config.steps = 2000
    config.learning_rate = 3e-4
    config.players.critic = {"learning_rate": 1e-3}
    config.clip_norm = 1.0
    config.b1, config.b2 = 0.5, 0.999
    config.best = ""
    config.log_every = 20
    config.evaluate_every = 200
    config.checkpoint_every = 200
    return config
