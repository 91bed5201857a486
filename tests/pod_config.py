"""Tiny networks, as `scripts/benchmark.py pod` trains them: of files that are not."""

from typing import Literal

from kernel_space_jax.training.config import defaults

PAIRS = {"train": ("gopro:nowhere",)}


def get_config(task: Literal["kernel_space", "supervised", "blur2blur"]):
    if task == "kernel_space":
        config = defaults(task)
        model = config.model
        model.width = model.tail_width = 4
        model.front_blocks = model.back_blocks = model.code_blocks = 1
        config.data.crop = 128
    elif task == "supervised":
        config = defaults(task, network="nafnet-32")
        config.model.width = 4
        config.model.encoder_blocks = config.model.decoder_blocks = (1,)
        config.model.middle_blocks = 1
        config.data.crop = 32
        config.clip_norm = 0.01
    else:
        config = defaults(task, network="mimo-unet")
        config.model.width, config.model.blocks = 4, 1
        config.model.losses = {"l1": 1.0}
        config.model.critic_options.width = 4
        config.model.critic_options.layers = 1
        config.data.streams = {"blurry_photos": PAIRS, "sharp_photos": PAIRS}
        config.data.crop = 64
    config.data.train = () if task == "blur2blur" else PAIRS["train"]
    config.data.validation = "gopro:nowhere"
    config.data.blur = "none"
    return config
