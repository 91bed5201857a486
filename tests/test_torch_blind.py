"""The PyTorch rival of the blind search computes what the original does."""

import sys
from pathlib import Path

import pytest
from golden import Golden, relative_error
from test_vgg import torchvision_names

torch = pytest.importorskip("torch")
sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from benchmarks.torch_blind import (  # noqa: E402
    VGG19,
    ImagePrior,
    JointSearch,
    KernelPrior,
)
from benchmarks.torch_kernel_space import KernelSpace  # noqa: E402


def load(model, weights):
    model.load_state_dict({key: torch.tensor(value) for key, value in weights.items()})
    return model


def test_joint_steps():
    """The losses that our own search is held to in test_blind_search.py."""
    golden = Golden("jointdeblur_steps_nf4")
    extractor = Golden("kw_wovae_nf4").group("sd/kernel_extractor.")
    space = golden.group("sd/kernel_wizard.") | {
        f"kernel_extractor.{name}": value for name, value in extractor.items()
    }
    vgg = {f"vgg.{name}": value for name, value in golden.group("sd/vgg.").items()}
    # The record goes on to what the style loss compares.
    seen = {
        name: value
        for name, value in torchvision_names(vgg).items()
        if int(name.split(".")[1]) <= 28
    }
    search = JointSearch(
        load(KernelSpace(4, 32, 1, 2, 2), space),
        load(VGG19((4, 8, 16, 32, 32)), seen),
        load(ImagePrior(8, 4), golden.group("sd/x_dip.")),
        load(KernelPrior(64, 4, 32, 2), golden.group("sd/k_dip.")),
        (torch.tensor(golden["in/dip_zx"]), torch.tensor(golden["in/dip_zk"])),
        torch.tensor(golden["in/y"]),
        jitter=0,
    )
    assert relative_error(search.step(), golden["out/total_0"]) < 1e-5
    # After a step of Adam, to which tiny gradients are as good as large ones.
    assert relative_error(search.step(), golden["out/total_1"]) < 1e-3
