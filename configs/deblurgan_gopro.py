"""DeblurGAN on GoPro as published: its row WILD (Kupyn et al., CVPR 2018).

    kernel-space data prepare gopro:data/GOPRO -o data/gopro --tile 512
    kernel-space train --config configs/deblurgan_gopro.py:vgg --workdir runs/deblurgan

The recipe is the authors': a critic with a gradient penalty of weight 10 and five
updates a step, 100 times the squared difference of VGG19's conv3_3, Adam with a rate of
1e-4 and b1 = 0.5 for 150 epochs and 150 more in which the rate falls to zero, one crop
of 256 pixels a step. An epoch is the 2103 pairs of GoPro. VGG19's weights are a
download (docs/weights.md): `kernel-space import-weights vgg19 FILE --install`.

Without the word `vgg` colours and edges stand in for it, with weights chosen here: no
download, and not the published loss. The penalty is that of an image; that of the
authors' program is `--config.model.penalty=pixels`. The row Synth, sharp photos under
random trajectories, and Comb, where two of three pairs get such blur anew:

    ... --config.data.train="('images:/photos',)" --config.data.blur=shake
    ... --config.data.blur=shake --config.data.fresh=0.667

This project has not run it.
"""

from typing import Literal

from kernel_space_jax.training.config import Config, defaults

EPOCH = 2103


def get_config(content: Literal["edges", "vgg"] = "edges") -> Config:
    config = defaults("adversarial", network="deblurgan", critic="deblurgan-critic")
    if content == "vgg":
        config.model.losses = {"content": 100.0}
        config.model.vgg = "vgg19"
    else:
        config.model.losses = {"l1": 1000.0, "edges": 1000.0}
    config.model.adversarial = "wasserstein"
    config.model.adversarial_weight = 1.0
    config.model.penalty_weight = 10.0
    config.model.critic_updates = 5
    config.data.train = ("prepared:data/gopro?split=train",)
    config.data.validation = "gopro:data/GOPRO?split=test"
    config.data.validation_size = 64
    config.data.crop = 256
    config.data.blur = "none"
    config.batch_size = 1
    config.steps = 300 * EPOCH
    config.learning_rate = 1e-4
    config.b1, config.b2 = 0.5, 0.999
    config.schedule = "constant_then_linear"
    config.schedule_options.constant = 150
    config.schedule_options.decay = 150
    config.schedule_options.epoch_steps = EPOCH
    config.log_every = 200
    config.evaluate_every = 5 * EPOCH
    config.checkpoint_every = 5 * EPOCH
    return config
