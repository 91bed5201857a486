"""A run of the tiny task: seconds."""

import tiny_task  # noqa: F401

from kernel_space_jax.training.config import defaults


def get_config():
    config = defaults("tiny")
    config.steps = 12
    config.batch_size = 8
    config.data.crop = 24
    config.data.blur = "none"
    config.data.workers = 0
    config.data.validation_size = 11
    config.learning_rate = 1e-2
    config.log_every = 2
    config.evaluate_every = 6
    config.checkpoint_every = 4
    return config
