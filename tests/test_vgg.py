"""VGG19 and the losses on its features against the original programs."""

import re
from functools import partial

import jax
import pytest
from golden import Golden, largest_difference, relative_error

from kernel_space_jax.losses import (
    content,
    content_and_colours,
    perceptual,
    style,
)
from kernel_space_jax.losses.perceptual import SEEN
from kernel_space_jax.models.vgg import CONTENT_LAYERS, STYLE_LAYERS
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


def test_blur2blurs_loss_of_vgg16_agrees():
    golden = Golden("loss_vgg16_blur2blur_div8")
    weights = {k.removeprefix("vgg16."): v for k, v in golden.weights().items()}
    module, variables = from_torch("vgg16", weights)
    x, y = golden.image("in/x"), golden.image("in/y")

    def loss_fn(x, variables):
        see = lambda images: module.apply(variables, images)
        return SEEN["translation"].loss(see, x, y), (see(x), see(y))

    value_and_grad = jax.jit(jax.value_and_grad(loss_fn, has_aux=True))
    (loss, (seen, other)), gradient = value_and_grad(x, variables)
    assert abs(loss / golden["out/vggloss"] - 1) < 1e-4
    assert relative_error(gradient, golden.image("out/vggloss_grad")) < 1e-3
    # All are after their ReLU, but the last is before it.
    for number, layer in enumerate(module.layers):
        apart = abs(seen[layer] - other[layer]).mean()
        assert abs(apart / golden[f"out/l1_{number}"] - 1) < 1e-4
        least = golden[f"out/feat{number}_min"]
        assert abs(seen[layer].min() - least) < 1e-4 * max(1, abs(least))


def test_style_loss_agrees():
    golden = Golden("loss_perceptual_vgg19_div8")
    weights = torchvision_names(golden.weights())
    module, variables = from_torch("vgg19", weights, layers=STYLE_LAYERS)
    seen = [jax.jit(module.apply)(variables, golden.image(f"in/{i}")) for i in "xy"]
    assert abs(style(*seen) / golden["out/style"] - 1) < 1e-5


def content_network(golden):
    """VGG19 as far as conv3_3."""
    weights = {k.removeprefix("vgg19."): v for k, v in golden.weights().items()}
    return from_torch("vgg19", weights, layers=CONTENT_LAYERS)


def test_content_loss_agrees():
    """DeblurGAN's, of images in [-1, 1]."""
    golden = Golden("loss_deblurgan_perceptual_div8")
    module, variables = content_network(golden)
    x, y = golden.image("in/fake"), golden.image("in/real")

    def loss_fn(x, variables):
        seen = module.apply(variables, x)
        return content(seen, module.apply(variables, y)), seen

    value_and_grad = jax.jit(jax.value_and_grad(loss_fn, has_aux=True))
    (loss, seen), gradient = value_and_grad(x, variables)
    assert abs(loss / golden["out/perceptual_mse_conv3_3"] - 1) < 1e-5
    assert largest_difference(seen["conv3_3"], golden.image("out/feat_fake")) < 1e-4
    assert relative_error(gradient, golden.image("out/grad")) < 1e-3


def test_content_loss_of_version_2_agrees():
    golden = Golden("loss_deblurganv2_perceptual_div8")
    module, variables = content_network(golden)
    # Theirs are in [-1, 1].
    x, y = ((golden.image(f"in/{name}") + 1) / 2 for name in ("fake", "real"))

    def loss_fn(x, y, variables, first_only):
        see = lambda images: module.apply(variables, images)
        return content_and_colours(see, x, y, first_only=first_only)

    value_and_grad = jax.jit(jax.value_and_grad(loss_fn), static_argnums=3)
    loss, gradient = value_and_grad(x, y, variables, True)
    assert abs(loss / golden["out/loss_batch2"] - 1) < 1e-5
    assert relative_error(gradient / 2, golden.image("out/grad_batch2")) < 1e-3
    # One image alone is normalised by both, and a whole batch as its images.
    right = jax.jit(partial(loss_fn, first_only=False))
    alone = [right(x[i : i + 1], y[i : i + 1], variables) for i in (0, 1)]
    assert abs(alone[0] / golden["out/loss_batch1"] - 1) < 1e-5
    whole = right(x, y, variables)
    assert abs(whole / (sum(alone) / 2) - 1) < 1e-5
    assert abs(whole / loss - 1) > 0.1
