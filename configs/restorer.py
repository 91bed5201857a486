"""A small restorer on pairs, to learn what data is worth: minutes on two CPU cores.

    kernel-space train --config configs/restorer.py --workdir runs/restorer \\
        --config.data.train="('pairs:/data/train',)" \\
        --config.data.validation=pairs:/data/test

`scripts/evaluate.py blur-swap` trains it on several data sets and compares
(docs/protocols/blur-swap.md).
"""

from kernel_space_jax.training.config import Config, defaults


def get_config() -> Config:
    config = defaults("restorer")
    config.data.train = ("gopro:data/GOPRO?split=train",)
    config.data.validation = "gopro:data/GOPRO?split=test"
    config.data.validation_size = 16
    config.data.crop = 128
    config.model.width = 24
    config.model.blocks = 1
    config.batch_size = 8
    config.steps = 300
    config.learning_rate = 2e-3
    config.schedule = "cosine"
    config.clip_norm = 1.0
    config.ema = 0.99
    config.log_every = 25
    config.evaluate_every = 50
    config.checkpoint_every = 50
    return config
