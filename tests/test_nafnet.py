"""NAFNet against the original program, and through the door of its weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from commands import kernel_space_here
from golden import Golden, by_torch_name, largest_difference, relative_error

from kernel_space_jax import weights
from kernel_space_jax.losses.pixel import psnr_loss
from kernel_space_jax.models.restorers import restorer
from kernel_space_jax.weights import from_torch

FORWARD = 1e-4  # largest difference of an output, f32


@pytest.fixture(scope="module")
def small():
    """The recorded network of width 8, with means over the whole photo."""
    golden = Golden("nafnet_w8")
    return golden, *from_torch("nafnet", golden.weights(), train_size=0)


def run(module, variables, y):
    return jax.jit(module.apply)(variables, y)


def test_options_are_read_off_the_tensors(small):
    _, module, _ = small
    assert (module.width, module.middle_blocks) == (8, 2)
    assert (module.encoder_blocks, module.decoder_blocks) == ((1, 1, 2), (1, 1, 1))


# 60 and 84 are no multiples of 8.
@pytest.mark.parametrize("size", ["64x64", "60x84", "64x96"])
def test_forward_agrees(small, size):
    golden, module, variables = small
    x = run(module, variables, golden.image(f"in/x_{size}"))
    assert largest_difference(x, golden.image(f"out/y_{size}")) < FORWARD


def test_gradients_agree(small):
    golden, module, variables = small
    y, gt = golden.image("in/x_64x96"), golden.image("in/gt")
    loss_fn = lambda variables: psnr_loss(module.apply(variables, y), gt)
    loss, grads = jax.jit(jax.value_and_grad(loss_fn))(variables)
    assert abs(loss / golden["out/psnrloss"] - 1) < 1e-5
    ours, recorded = by_torch_name("nafnet", module, grads), golden.group("grad/")
    assert len(recorded) == 6
    norm = np.sqrt(sum(np.sum(np.square(gradient)) for gradient in ours.values()))
    assert abs(norm / golden["out/grad_global_norm"] - 1) < 1e-4
    for key, expected in recorded.items():
        assert relative_error(ours[key], expected) < 1e-3, key


def test_a_batch_is_its_images(small):
    golden, module, variables = small
    y = golden.image("in/x_60x84")
    both = run(module, variables, jnp.concatenate([y, y[:, ::-1]]))
    for index, single in enumerate((y, y[:, ::-1])):
        alone = run(module, variables, single)
        assert largest_difference(both[index : index + 1], alone) < 1e-5


@pytest.fixture(scope="module")
def local():
    """The recorded network of crops of 64 pixels: windows of 96."""
    golden = Golden("nafnetlocal_w8_train64")
    return golden, *from_torch("nafnet", golden.weights(), train_size=64)


@pytest.mark.parametrize("size", ["64x64", "96x160", "128x128"])
def test_local_means_agree(local, size):
    golden, module, variables = local
    x = run(module, variables, golden.image(f"in/x_{size}"))
    assert largest_difference(x, golden.image(f"out/y_{size}")) < FORWARD


@pytest.mark.parametrize(("size", "alike"), [((96, 96), True), ((96, 128), False)])
def test_a_window_over_the_whole_photo_is_the_global_mean(local, size, alike):
    _, module, variables = local
    y = jnp.asarray(np.random.default_rng(0).random((1, *size, 3), np.float32))
    everywhere = module.clone(train_size=0)
    x, of_all = (run(net, variables, y) for net in (module, everywhere))
    assert (largest_difference(x, of_all) < 1e-5) == alike


def test_published_width_agrees():
    golden = Golden("nafnet_w32_full_detweights")
    module, variables = from_torch("nafnet-32", golden.weights())
    assert module == restorer("nafnet-32")
    x = run(module, variables, golden.image("in/x_64x96"))
    assert largest_difference(x, golden.image("out/y_64x96")) < FORWARD


def test_a_program_runs_without_the_package(small, tmp_path):
    golden, module, variables = small
    file, program = tmp_path / "nafnet.safetensors", tmp_path / "nafnet.bin"
    weights.write(file, module, variables, origin="a golden", licence="CC0-1.0")
    done = kernel_space_here(
        "export-program", file, "-o", program, "--size", 64, "--platforms", "cpu,tpu"
    )
    assert done.returncode == 0, done.stderr
    y = jnp.tile(golden.image("in/x_64x64"), (3, 1, 1, 1))
    x = jax.export.deserialize(bytearray(program.read_bytes())).call(y)
    assert largest_difference(x[1:2], golden.image("out/y_64x64")) < FORWARD
