"""VGG19 and the losses on its features against the original programs."""

import re

import jax
import pytest
from golden import Golden, largest_difference, relative_error

from kernel_space_jax.losses import perceptual, style
from kernel_space_jax.models.vgg import STYLE_LAYERS
from kernel_space_jax.weights import from_torch


def torchvision_names(weights):
    """{"vgg.relu1_1.0.weight": ...} as {"features.0.weight": ...}."""
    return {
        re.sub(r"^vgg\.relu\d_\d\.", "features.", key): value
        for key, value in weights.items()
    }


@pytest.mark.parametrize(
    "name", ["loss_perceptual_vgg19_div8", "loss_perceptual_vgg19_full_detweights"]
)
def test_perceptual_loss_agrees(name):
    golden = Golden(name)
    module, variables = from_torch("vgg19", torchvision_names(golden.weights()))
    x, y = golden.image("in/x"), golden.image("in/y")

    # Weights that are closed over are constants, which take longer to compile.
    def loss_fn(x, variables):
        seen_x, seen_y = module.apply(variables, x), module.apply(variables, y)
        return perceptual(seen_x, seen_y), seen_x

    value_and_grad = jax.jit(jax.value_and_grad(loss_fn, has_aux=True))
    (loss, seen), gradient = value_and_grad(x, variables)
    assert abs(loss / golden["out/perceptual"] - 1) < 1e-5
    assert largest_difference(seen["relu5_1"], golden.image("out/feat_relu5_1")) < 1e-4
    if "out/perceptual_grad" in golden.keys():
        assert relative_error(gradient, golden.image("out/perceptual_grad")) < 1e-3
        for layer, features in seen.items():
            expected = golden[f"out/mean_{layer}"]
            assert abs(features.mean() / expected - 1) < 1e-5


def test_style_loss_agrees():
    golden = Golden("loss_perceptual_vgg19_div8")
    weights = torchvision_names(golden.weights())
    module, variables = from_torch("vgg19", weights, layers=STYLE_LAYERS)
    seen = [jax.jit(module.apply)(variables, golden.image(f"in/{i}")) for i in "xy"]
    assert abs(style(*seen) / golden["out/style"] - 1) < 1e-5
