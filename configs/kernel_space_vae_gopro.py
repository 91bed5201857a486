"""The variational blur-operator space on GoPro, started from the plain one.

Its codes can be drawn: y = F(x, 1.2 N(0, I)) is a new blur (Tran et al., CVPR 2021).

    kernel-space export runs/gopro -o gopro.safetensors
    kernel-space train --config configs/kernel_space_vae_gopro.py \\
        --workdir runs/vae_gopro --config.init_from=gopro.safetensors \\
        --config.data.train="('gopro:/data/GOPRO?split=train',)" \\
        --config.data.validation="gopro:/data/GOPRO?split=test"
"""

from kernel_space_jax.training.config import Config, defaults


def get_config() -> Config:
    config = defaults("kernel_space")
    config.model.variational = True
    config.model.kl_weight = 10.0
    config.data.train = ("gopro:data/GOPRO?split=train",)
    config.data.validation = "gopro:data/GOPRO?split=test"
    config.data.validation_size = 100
    config.data.crop = 256
    config.data.blur = "none"
    config.batch_size = 8
    config.steps = 600_000
    config.learning_rate = 1e-4
    config.b1, config.b2 = 0.9, 0.99
    config.schedule = "cosine_restarts"
    config.schedule_options.periods = (50_000, 100_000, 150_000, 150_000, 150_000)
    config.schedule_options.minimum = 1e-8
    config.log_every = 100
    config.evaluate_every = 5_000
    config.checkpoint_every = 5_000
    return config
