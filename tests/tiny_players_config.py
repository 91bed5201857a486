"""A run of the two tiny players: seconds."""

import tiny_players  # noqa: F401

from kernel_space_jax.training.config import defaults


def get_config():
    config = defaults("tiny_players")
    config.steps = 12
    config.batch_size = 8
    config.data.train = ()
    config.data.crop = 24
    config.data.blur = "none"
    config.data.validation_size = 11
    config.optimiser = "adamw"
    config.learning_rate = 1e-2
    config.warm_up = 3
    config.weight_decay = 1e-3
    config.ema = 0.9
    config.players.critic = {"optimiser": "sgd", "momentum": 0.9, "weight_decay": 0.0}
    config.log_every = 2
    config.evaluate_every = 6
    config.checkpoint_every = 4
    return config
