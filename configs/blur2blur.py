"""Blur2Blur as published: a camera's blur becomes one that a restorer knows.

    kernel-space train --config configs/blur2blur.py:vgg --workdir runs/blur2blur
    kernel-space export runs/blur2blur -o camera.safetensors
    kernel-space deblur PHOTO -o out --method maxim-s3 --translator camera.safetensors

The recipe of Pham et al. (CVPR 2024): MIMO-UNet, one critic on three scales, hinge,
0.8 times what VGG16 sees, a penalty of 1e-4, Adam with a rate of 2e-4 and b1 = 0.5 for
a million steps of one crop of 256 pixels, of photos whose shorter side is 512; for the
first 200,000 of them the sharper half of the blurry photos.

data/camera is what `kernel-space data split-sharp` makes of a camera's frames: trainA
has blurry ones, trainB sharp ones of other scenes. GoPro's pairs are the known blur; a
kernel space puts it on the sharp photos. VGG16's weights are a download
(docs/weights.md). Without the word `vgg` edges and colours stand in for it, with
weights chosen here.

The kernel space that ships is small; a published one can be imported:
`--config.model.kernel_space=FILE`. This project has not run it.
"""

from typing import Literal

from kernel_space_jax.training.config import Config, defaults


def get_config(content: Literal["edges", "vgg"] = "edges") -> Config:
    config = defaults("blur2blur", network="mimo-unet")
    if content == "vgg":
        config.model.losses = {"translation": 0.8}
        config.model.vgg = "vgg16"
    else:
        config.model.losses = {"edges": 10.0, "l1": 1.0}
    config.model.kernel_space = "kernel-space"
    config.data.train = ()
    config.data.streams = {
        "blurry_photos": {
            "train": ("blur2blur:data/camera?part=A&split=train&resize=512",),
            "validation": "blur2blur:data/camera?part=A&split=train&resize=512",
            "sharpest": 0.5,
        },
        "sharp_photos": {
            "train": ("blur2blur:data/camera?part=B&split=train&resize=512",),
            "validation": "blur2blur:data/camera?part=B&split=train&resize=512",
        },
        "known_pairs": {
            "train": ("gopro:data/GOPRO?split=train",),
            "validation": "gopro:data/GOPRO?split=test",
        },
    }
    config.data.crop = 256
    config.data.blur = "none"
    config.batch_size = 1
    config.steps = 1_000_000
    config.stages = ((200_001, 256, 1),)
    config.learning_rate = 2e-4
    config.b1, config.b2 = 0.5, 0.999
    # No score says which step is best without the truth: the last one is taken.
    config.best = ""
    config.log_every = 200
    config.evaluate_every = 5000
    config.checkpoint_every = 5000
    return config
