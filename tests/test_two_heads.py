"""The two-headed network: the recorded numbers, and what holds for any photo."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden import Golden, by_torch_name, largest_difference

from kernel_space_jax import UserError
from kernel_space_jax.models.per_pixel.two_heads import TwoHeads, even_contrast
from kernel_space_jax.operators import Basis, KernelField
from kernel_space_jax.weights import from_torch


@pytest.mark.slow
def test_published_width_agrees():
    golden = Golden("twoheads_full_detweights")
    module, variables = from_torch("two_heads", golden.weights())
    assert module == TwoHeads()
    kernels, masks = jax.jit(module.apply)(variables, golden.image("in/image_64x96"))
    # Theirs correlate where ours convolve.
    turned = jnp.flip(kernels, (-2, -1))
    assert largest_difference(turned, golden["out/kernels_64x96"]) < 1e-6
    every = jnp.moveaxis(masks, -1, 1)[..., ::4, ::4]
    assert largest_difference(every, golden["out/masks_64x96"]) < 1e-5


@pytest.fixture(scope="module")
def small():
    module = TwoHeads(width=2, basis=5)
    # The hardware's generator: as many threefry draws take a minute to compile.
    key = jax.random.key(0, impl="rbg")
    variables = jax.jit(module.init)(key, jnp.zeros((1, 32, 32, 3)))
    return module, variables


@pytest.mark.parametrize("shape", [(2, 32, 64, 3), (1, 45, 39, 3), (1, 17, 20, 1)])
def test_any_photo_has_a_field(small, shape):
    module, variables = small
    y = jax.random.uniform(jax.random.key(1), shape)
    kernels, masks = jax.jit(module.apply)(variables, y)
    assert kernels.shape == (shape[0], 5, 33, 33)
    assert masks.shape == (*shape[:3], 5)
    np.testing.assert_allclose(jnp.sum(kernels, (-2, -1)), 1, atol=1e-5)
    np.testing.assert_allclose(jnp.sum(masks, -1), 1, atol=1e-5)
    assert float(kernels.min()) >= 0 and float(masks.min()) >= 0
    assert Basis()(y, KernelField(kernels, masks)).shape == shape


def test_photos_of_a_batch_do_not_meet(small):
    module, variables = small
    y = jax.random.uniform(jax.random.key(1), (2, 32, 64, 3))
    apply = jax.jit(module.apply)
    for whole, first in zip(apply(variables, y), apply(variables, y[:1]), strict=True):
        np.testing.assert_allclose(whole[:1], first, atol=1e-6)


def test_contrasts_are_even():
    """Edges look the same in bright and in dim light; nothing stays nothing."""
    light = jax.random.uniform(jax.random.key(2), (1, 48, 40, 3))
    seen = even_contrast(light)
    np.testing.assert_allclose(even_contrast(0.5 * light + 0.3), seen, atol=0.02)
    assert 0.9 < float(jnp.std(seen)) < 1.1
    assert float(jnp.abs(even_contrast(jnp.full((1, 32, 32, 3), 0.4))).max()) < 1e-4
    two = jnp.concatenate([light, 0.3 * light], 2)
    left, right = jnp.split(even_contrast(two), 2, 2)
    assert 0.8 < float(jnp.std(right[:, :, 8:]) / jnp.std(left[:, :, :-8])) < 1.1


def test_a_summary_has_all_scales(small):
    module, variables = small
    y = jax.random.uniform(jax.random.key(3), (2, 40, 64, 3))
    summary = jax.jit(lambda y: module.apply(variables, y, summary=True))(y)
    assert summary.shape == (2, 47 * 2)
    assert (jnp.std(summary, 0) > 0).any()


def test_larger_kernels(small):
    module = TwoHeads(width=2, basis=3, kernel_scales=6)
    y = jnp.zeros((1, 32, 32, 3))
    shapes = jax.eval_shape(module.init_with_output, jax.random.key(0), y)
    assert shapes[0][0].shape == (1, 3, 65, 65)


def test_weights_say_what_the_network_is(small):
    module, variables = small
    state = by_torch_name("two_heads", module, variables)
    found, same = from_torch("two_heads", state)
    assert found == module
    jax.tree.map(np.testing.assert_array_equal, same, variables)
    del state["kernel_up5.up.weight"]
    with pytest.raises(UserError, match="kernel_scales=4"):
        from_torch("two_heads", state, kernel_scales=5)
