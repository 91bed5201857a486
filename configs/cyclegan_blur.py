"""CycleGAN between blurry and sharp photos (Zhu et al., ICCV 2017), on GoPro unpaired.

    kernel-space train --config configs/cyclegan_blur.py --workdir runs/cyclegan

The recipe is the authors': the ResNet generator of nine blocks, critics of patches of
70 pixels, least squares, weights of 10 for cycles and 5 for identity, pools of 50
images, Adam with a rate of 2e-4 and b1 = 0.5 for 100 epochs and 100 more in which the
rate falls to zero, one crop of 256 pixels a step. An epoch is the 2103 photos.

Blurry and sharp photos are drawn each by themselves, so they show the same places but
never at once. For Blur2Blur's folders, whose places differ:

    --config.data.streams.blurry_photos.train="('blur2blur:DIR?part=A&split=train',)"
    --config.data.streams.sharp_photos.train="('blur2blur:DIR?part=B&split=train',)"

This project has not run it.
"""

from kernel_space_jax.training.config import Config, defaults

EPOCH = 2103


def get_config() -> Config:
    config = defaults("cycle", network="deblurgan", critic="cyclegan-critic")
    config.model.residual = False
    config.model.dropout = 0.0
    config.data.train = ()
    config.data.streams = {
        "blurry_photos": {
            "train": ("gopro:data/GOPRO?split=train&keep=blurry",),
            # Pairs: validation scores what it knows the truth of.
            "validation": "gopro:data/GOPRO?split=test",
        },
        "sharp_photos": {
            "train": ("gopro:data/GOPRO?split=train&keep=sharp",),
            "validation": "gopro:data/GOPRO?split=test&keep=sharp",
        },
    }
    config.data.validation_size = 64
    config.data.crop = 256
    config.data.blur = "none"
    config.batch_size = 1
    config.steps = 200 * EPOCH
    config.learning_rate = 2e-4
    config.b1, config.b2 = 0.5, 0.999
    config.schedule = "constant_then_linear"
    config.schedule_options.constant = 100
    config.schedule_options.decay = 100
    config.schedule_options.epoch_steps = EPOCH
    config.log_every = 200
    config.evaluate_every = 5 * EPOCH
    config.checkpoint_every = 5 * EPOCH
    return config
