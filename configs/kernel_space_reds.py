"""The blur-operator space on REDS (Tran et al., CVPR 2021), plain.

    kernel-space train --config configs/kernel_space_reds.py --workdir runs/reds \\
        --config.data.train="('reds:/data/REDS?split=train',)" \\
        --config.data.validation="reds:/data/REDS?split=val"
"""

from kernel_space_jax.training.config import Config, defaults


def get_config() -> Config:
    config = defaults("kernel_space")
    config.data.train = ("reds:data/REDS?split=train",)
    config.data.validation = "reds:data/REDS?split=val"
    config.data.validation_size = 100
    config.data.crop = 256
    config.data.blur = "none"
    config.batch_size = 13
    config.steps = 600_000
    config.learning_rate = 1e-4
    config.b1, config.b2 = 0.9, 0.99
    config.schedule = "cosine_restarts"
    config.schedule_options.periods = (50_000, 100_000, 150_000, 150_000, 150_000)
    config.schedule_options.minimum = 1e-6
    config.log_every = 100
    config.evaluate_every = 5_000
    config.checkpoint_every = 5_000
    return config
