"""MIMO-UNet against the original program, and through the door of its weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden import Golden, by_torch_name, largest_difference, relative_error

from kernel_space_jax import UserError, weights
from kernel_space_jax.models.restorers import restorer
from kernel_space_jax.models.restorers.mimo_unet import MIMOUNet
from kernel_space_jax.training.config import build_task, load_config
from kernel_space_jax.weights import from_torch

FORWARD = 1e-4  # largest difference of an output, f32


@pytest.fixture(scope="module")
def small():
    """The recorded network of width 8, of two blocks a level."""
    golden = Golden("mimounet_orig_trainloss_b8")
    return golden, *from_torch("mimo_unet", golden.weights())


def run(module, variables, y, **options):
    return jax.jit(lambda variables, y: module.apply(variables, y, **options))(
        variables, y
    )


def test_published_size_agrees():
    golden = Golden("mimounet_full_detweights")
    module, variables = from_torch("mimo-unet", golden.weights())
    assert module == restorer("mimo-unet")
    # One operation after the other: its 48 blocks as one program compile for long.
    found = module.apply(variables, golden.image("in/x_64x96"), every=True)
    assert [x.shape[1:3] for x in found] == [(16, 24), (32, 48), (64, 96)]
    for index, x in enumerate(found):
        expected = golden.image(f"out/o{index}_64x96")
        assert largest_difference(x, expected) < FORWARD


def test_the_published_loss_and_its_gradients_agree(small):
    """The config's losses on all three answers, as the engine sums them."""
    golden, module, variables = small
    words = ["--config.model.width=8", "--config.model.blocks=2"]
    task = build_task(load_config("configs/mimo_unet_gopro.py", words))
    assert task.restorer.module == module.clone(dtype=jnp.dtype("float32"))
    batch = {"blurry": golden.image("in/x"), "sharp": golden.image("in/gt")}
    batch["number"] = jnp.arange(len(batch["sharp"]))
    loss_fn = lambda params: task._loss(jax.random.key(0), {}, params, {}, batch)[0]
    loss, grads = jax.jit(jax.value_and_grad(loss_fn))(variables["params"])
    assert abs(loss / golden["out/loss"] - 1) < 1e-5
    ours = by_torch_name("mimo_unet", module, {"params": grads})
    norm = np.sqrt(sum(np.sum(np.square(gradient)) for gradient in ours.values()))
    assert abs(norm / golden["out/grad_global_norm"] - 1) < 1e-4
    recorded = golden.group("grad/")
    assert len(recorded) == 6
    for key, expected in recorded.items():
        assert relative_error(ours[key], expected) < 1e-3, key


def test_any_size_and_any_batch(small):
    """40x52 of a photo of 37x50 is its reflection; a batch is its images."""
    _, module, variables = small
    y = jax.random.uniform(jax.random.key(0), (2, 37, 50, 3))
    found = run(module, variables, y, every=True)
    assert [x.shape[1:3] for x in found] == [(10, 13), (19, 25), (37, 50)]
    padded = jnp.pad(y[1:], ((0, 0), (0, 3), (0, 2), (0, 0)), mode="reflect")
    alone = run(module, variables, padded)[:, :37, :50]
    assert largest_difference(found[-1][1:], alone) < 1e-5


def test_dropout_is_of_training_only():
    plain, plus = restorer("mimo-unet", width=4), restorer("mimo-unet-plus", width=4)
    assert (plain.blocks, plain.dropout) == (8, 0)
    assert (plus.blocks, plus.dropout) == (20, 0.1)
    module = plus.clone(blocks=1, dropout=0.5)
    y = jax.random.uniform(jax.random.key(0), (2, 16, 16, 3))
    x, variables = jax.jit(module.init_with_output)(jax.random.key(1), y)
    keys = jax.random.split(jax.random.key(2), 2)
    apply = jax.jit(module.apply)
    first, other = (apply(variables, y, k) for k in (keys, keys[::-1]))
    np.testing.assert_array_equal(apply(variables, y, keys), first)
    assert largest_difference(first, x) > 1e-4
    assert largest_difference(first, other) > 1e-4


@pytest.mark.parametrize("wrapper", ["", "model", "module.", "model.module."])
def test_checkpoints_are_read(small, tmp_path, wrapper):
    golden, module, variables = small
    start = f"{wrapper}." if wrapper == "model" else wrapper
    file = tmp_path / "a.npz"
    np.savez(file, **{start + key: v for key, v in golden.weights().items()})
    (found, same), taken = weights.import_file("mimo_unet", file)
    assert (found, taken) == (module, wrapper.partition(".")[0].replace("module", ""))
    jax.tree.map(np.testing.assert_array_equal, same, variables)


def test_a_file_of_pytorch_as_the_authors_save_it(small, tmp_path):
    torch = pytest.importorskip("torch")
    golden, module, variables = small
    tensors = {key: torch.tensor(v) for key, v in golden.weights().items()}
    extra = {"optimizer": {"state": {0: {"step": 1}}}, "epoch": 3000}
    torch.save({"model": tensors, **extra}, tmp_path / "a.pkl")
    (found, same), taken = weights.import_file("mimo_unet", tmp_path / "a.pkl")
    assert (found, taken) == (module, "model")
    jax.tree.map(np.testing.assert_array_equal, same, variables)


def test_what_is_refused(small):
    golden, _, _ = small
    tensors = golden.weights()
    with pytest.raises(UserError, match="the weights say blocks=2, and mimo-unet-plus"):
        from_torch("mimo-unet-plus", tensors)
    with pytest.raises(UserError, match="no 'AFFs.0.conv.0.main.0.weight', which"):
        lacking = dict(tensors)
        del lacking["AFFs.0.conv.0.main.0.weight"]
        from_torch("mimo_unet", lacking)
    with pytest.raises(UserError, match="have 'drop.weight', which mimo_unet has no"):
        from_torch("mimo_unet", {**tensors, "drop.weight": np.zeros(3)})
    assert MIMOUNet(8, 2) == from_torch("mimo_unet", tensors, dropout=0.0).module
