"""DualGAN between blurry and sharp photos (Yi et al., ICCV 2017), on GoPro unpaired.

    kernel-space train --config configs/dualgan_blur.py --workdir runs/dualgan

The recipe follows the paper: Wasserstein critics of patches of 70 pixels whose weights
are clipped to 0.01, three updates of them a step, cycles with a weight of 200, dropout
in the generators, one crop of 256 pixels a step. Adam without momentum stands in for
RMSProp, with the rate of Wasserstein's GAN, 5e-5. The paper's generators are U-Nets;
here they are CycleGAN's, so that the two methods differ in their losses alone. Data and
length are those of configs/cyclegan_blur.py. This project has not run it.
"""

from kernel_space_jax.training.config import Config, defaults

EPOCH = 2103


def get_config() -> Config:
    config = defaults("dual", network="deblurgan", critic="dualgan-critic")
    config.model.residual = False
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
    config.learning_rate = 5e-5
    config.b1, config.b2 = 0.0, 0.9
    config.log_every = 200
    config.evaluate_every = 5 * EPOCH
    config.checkpoint_every = 5 * EPOCH
    return config
