"""Restormer against the original program, and through the door of its weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden import Golden, largest_difference, relative_error

from kernel_space_jax import UserError, weights
from kernel_space_jax.models.layers import pixel_shuffle, pixel_unshuffle
from kernel_space_jax.models.restorers import restorer
from kernel_space_jax.models.restorers.restormer import ChannelAttention, Restormer
from kernel_space_jax.weights import from_torch

FORWARD = 1e-4  # largest difference of an output, f32
TINY = {"width": 4, "blocks": (1, 1, 1, 1), "refinement": 1, "heads": (1, 2, 2, 2)}


@pytest.fixture(scope="module")
def small():
    """The recorded network of width 8: with biases, its norms without."""
    golden = Golden("restormer_d8_biasfree")
    return golden, *from_torch("restormer", golden.weights())


def run(module, variables, y):
    return jax.jit(module.apply)(variables, y)


def test_forward_agrees_and_options_are_read_off_the_tensors(small):
    golden, module, variables = small
    assert module == Restormer(
        8, (1, 2, 1, 1), 1, (1, 2, 4, 8), 2.66, use_bias=True, norm="bias-free"
    )
    x = run(module, variables, golden.image("in/x"))
    assert largest_difference(x, golden.image("out/y")) < FORWARD


@pytest.mark.slow
def test_published_size_agrees():
    golden = Golden("restormer_full_detweights")
    module, variables = from_torch("restormer", golden.weights())
    assert module == restorer("restormer")
    # One operation after the other: its 44 blocks as one program compile for long.
    x = module.apply(variables, golden.image("in/x"))
    assert largest_difference(x, golden.image("out/y")) < FORWARD


def test_any_size_and_any_batch(small):
    """40x56 of a photo of 37x50 is its reflection; a batch is its images."""
    _, module, variables = small
    y = jax.random.uniform(jax.random.key(0), (2, 37, 50, 3))
    both = run(module, variables, y)
    assert both.shape == y.shape
    padded = jnp.pad(y[1:], ((0, 0), (0, 3), (0, 6), (0, 0)), mode="reflect")
    alone = run(module, variables, padded)[:, :37, :50]
    assert largest_difference(both[1:], alone) < 1e-5


def test_a_photo_without_light_has_a_gradient():
    """Its channels of q and k have no length."""
    module, x = ChannelAttention(2), jnp.zeros((1, 8, 8, 4))
    variables = jax.jit(module.init)(jax.random.key(0), x)
    loss = lambda variables, x: jnp.sum(module.apply(variables, x))
    gradients = jax.jit(jax.grad(loss, argnums=(0, 1)))(variables, x)
    for leaf in jax.tree.leaves(gradients):
        assert jnp.isfinite(leaf).all()


def test_pixels_into_channels_and_back():
    x = jnp.arange(2 * 4 * 6 * 3.0).reshape(2, 4, 6, 3)
    apart = pixel_unshuffle(x)
    # Channel 4 c + 2 i + j is the pixel (i, j) of channel c.
    np.testing.assert_array_equal(apart[..., 4 + 2], x[:, 1::2, ::2, 1])
    np.testing.assert_array_equal(pixel_shuffle(apart), x)


def test_half_numbers():
    x = jax.random.normal(jax.random.key(0), (1, 8, 8, 4))
    module = ChannelAttention(2)
    variables = jax.jit(module.init)(jax.random.key(1), x)
    whole, half = (
        run(module.clone(dtype=dtype), variables, x) for dtype in (None, jnp.bfloat16)
    )
    assert half.dtype == jnp.bfloat16
    assert relative_error(half.astype(jnp.float32), whole) < 0.05


@pytest.mark.parametrize("wrapper", ["", "params", "module.", "params.module."])
def test_checkpoints_are_read(small, tmp_path, wrapper):
    golden, module, variables = small
    start = f"{wrapper}." if wrapper == "params" else wrapper
    file = tmp_path / "a.npz"
    np.savez(file, **{start + key: v for key, v in golden.weights().items()})
    (found, same), taken = weights.import_file("restormer", file)
    assert (found, taken) == (module, wrapper.partition(".")[0].replace("module", ""))
    jax.tree.map(np.testing.assert_array_equal, same, variables)


def test_a_file_of_pytorch_as_basicsr_saves_it(small, tmp_path):
    torch = pytest.importorskip("torch")
    golden, module, variables = small
    tensors = {key: torch.tensor(v) for key, v in golden.weights().items()}
    torch.save({"params": tensors}, tmp_path / "a.pth")
    (found, same), taken = weights.import_file("restormer", tmp_path / "a.pth")
    assert (found, taken) == (module, "params")
    jax.tree.map(np.testing.assert_array_equal, same, variables)


@pytest.mark.parametrize("expansion", [1.0, 2.0, 2.5, 2.66, 3.3])
def test_the_expansion_is_read_off_the_tensors(expansion):
    module = Restormer(**{**TINY, "width": 16, "expansion": expansion})
    variables = jax.eval_shape(
        module.init, jax.random.key(0), jnp.zeros((1, 16, 16, 3))
    )
    variables = jax.tree.map(lambda leaf: np.zeros(leaf.shape), variables)
    found, _ = from_torch("restormer", weights.to_torch(module, variables))
    assert found == module


def test_what_is_refused(small):
    golden, _, _ = small
    tensors = golden.weights()
    with pytest.raises(UserError, match="no 'encoder_level2.0.attn.qkv.weight'"):
        lacking = dict(tensors)
        del lacking["encoder_level2.0.attn.qkv.weight"]
        from_torch("restormer", lacking)
    with pytest.raises(UserError, match="have 'skip_conv.weight', which restormer"):
        from_torch("restormer", {**tensors, "skip_conv.weight": np.zeros((16, 8))})
    with pytest.raises(UserError, match="no 'patch_embed.proj.weight'"):
        from_torch("restormer", {"intro.weight": np.zeros((8, 3, 3, 3))})
    with pytest.raises(UserError, match="widths that fit no one expansion"):
        key = "latent.0.ffn.project_out.weight"
        from_torch("restormer", {**tensors, key: np.zeros((64, 300, 1, 1))})
    y = jnp.zeros((1, 16, 16, 3))
    for options, says in (
        ({"width": 6, "heads": (1, 2, 4, 5)}, "5 heads do not divide the 48 channels"),
        ({"heads": (0, 1, 1, 1)}, "0 heads do not divide"),
        ({"blocks": (1, 1)}, "a Restormer has four levels"),
    ):
        with pytest.raises(UserError, match=says):
            Restormer(**{**TINY, **options}).init(jax.random.key(0), y)
