"""The blur-operator space on REDS and GoPro, mixed 1:10 (Tran et al., CVPR 2021).

    kernel-space train --config configs/kernel_space_mix.py --workdir runs/mix \\
        --config.data.train="('reds:/data/REDS?split=train',
                              'gopro:/data/GOPRO?split=train')" \\
        --config.data.validation="gopro:/data/GOPRO?split=test"
"""

from kernel_space_jax.training.config import Config, defaults


def get_config() -> Config:
    config = defaults("kernel_space")
    config.data.train = ("reds:data/REDS?split=train", "gopro:data/GOPRO?split=train")
    config.data.weights = (1.0, 10.0)
    config.data.validation = "gopro:data/GOPRO?split=test"
    config.data.validation_size = 100
    config.data.crop = 256
    config.data.blur = "none"
    config.batch_size = 16
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
