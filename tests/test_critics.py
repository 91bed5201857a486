"""Critics against the original programs, and their weights in and out."""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden import Golden, largest_difference, relative_error

from kernel_space_jax import weights
from kernel_space_jax.errors import UserError
from kernel_space_jax.models.critics import NETWORKS, PRESETS, critic, pyramid
from kernel_space_jax.weights import from_torch, import_file, to_torch

FORWARD = 1e-4  # largest difference of an output, f32
DOUBLE = "deblurganv2_doublegan_ragan_ndf4"


def run(module, variables, x):
    return jax.jit(module.apply)(variables, x)


def photos(*shape):
    return np.random.default_rng(0).random(shape, np.float32) * 2 - 1


def test_deblurgan_agrees():
    golden = Golden("deblurgan_disc_ndf8")
    module, variables = from_torch("deblurgan-critic", golden.weights())
    assert module == critic("deblurgan-critic", width=8)
    for kind in ("real", "fake"):
        found = run(module, variables, golden.image(f"in/{kind}"))
        assert largest_difference(found, golden.image(f"out/pred_{kind}")) < FORWARD
    expected = golden.image("out/sigmoid_pred_fake")
    assert largest_difference(nn.sigmoid(found), expected) < FORWARD


@pytest.mark.parametrize(
    ("name", "options", "size"),
    [
        ("b2b_disc_ndf8", {"width": 8}, "128x128"),
        ("b2b_disc_ndf8", {"width": 8}, "96x160"),
        ("b2b_disc_full_detweights", {}, "128x128"),
    ],
)
def test_blur2blur_agrees_on_each_scale(name, options, size):
    golden = Golden(name)
    module, variables = from_torch("blur2blur-critic", golden.weights())
    assert module == critic("blur2blur-critic", **options)
    judge = jax.jit(lambda v, x: [module.apply(v, image) for image in pyramid(x)])
    for kind in ("real", "fake"):
        answers = judge(variables, golden.image(f"in/{kind}_{size}"))
        for scale, answer in enumerate(answers):
            expected = golden.image(f"out/pred_{kind}{scale}_{size}")
            assert largest_difference(answer, expected) < FORWARD


def test_a_pyramid_is_bilinear_without_a_filter():
    golden = Golden("b2b_disc_ndf8")
    for size in ("128x128", "96x160"):
        quarter, half, whole = pyramid(golden.image(f"in/real_{size}"))
        expected = golden.image(f"out/interp_0.25_{size}")
        assert largest_difference(quarter, expected) < 1e-6
        assert largest_difference(half, golden.image(f"out/interp_0.5_{size}")) < 1e-6
        assert (whole == golden.image(f"in/real_{size}")).all()
    x = photos(2, 45, 30, 3)
    assert [image.shape[1:3] for image in pyramid(x)] == [(11, 7), (22, 15), (45, 30)]


def test_double_scale_agrees():
    golden = Golden(DOUBLE)
    module, variables = from_torch("deblurgan-v2-critic", golden.weights())
    assert module == critic("deblurgan-v2-critic", width=4)
    assert variables.keys() == {"params"}
    patch, full = run(module, variables, golden.image("in/fake_0"))
    assert largest_difference(patch, golden.image("out/pred_patch_fake_0")) < FORWARD
    assert largest_difference(full, golden.image("out/pred_full_fake_0")) < FORWARD


def test_multi_scale_agrees():
    golden = Golden("deblurganv2_multiscale_full_detweights")
    module, variables = from_torch("patchgan_multi_scale", golden.weights())
    assert module == critic("patchgan_multi_scale")
    answers = run(module, variables, golden.image("in/x"))
    for scale, answer in enumerate(answers):
        expected = golden.image(f"out/o{scale}")
        assert largest_difference(answer, expected) < FORWARD, scale


def without_counters(tensors):
    return {k: v for k, v in tensors.items() if not k.endswith("num_batches_tracked")}


@pytest.mark.parametrize(
    ("arch", "golden", "options"),
    [
        ("deblurgan-critic", "deblurgan_disc_ndf8", {}),
        ("patchgan", "b2b_disc_ndf8", {}),
        ("deblurgan-v2-critic", DOUBLE, {"statistics": "running"}),
        (
            "patchgan_multi_scale",
            "deblurganv2_multiscale_full_detweights",
            {"statistics": "running"},
        ),
    ],
)
@pytest.mark.parametrize("wrapper", ["", "module.", "state_dict."])
def test_checkpoints_go_in_and_out(tmp_path, arch, golden, options, wrapper):
    sd = Golden(golden).weights()
    wrapped = {wrapper + key: value for key, value in sd.items()}
    np.savez(tmp_path / "critic.npz", **wrapped)
    made, _ = import_file(arch, tmp_path / "critic.npz", **options)
    file = tmp_path / "critic.safetensors"
    weights.write(file, *made, origin="a test", licence="CC0-1.0")
    module, variables = weights.load(file)
    assert module == made.module
    out = to_torch(module, variables)
    assert out.keys() == without_counters(sd).keys()
    for key, value in out.items():
        np.testing.assert_array_equal(value, sd[key])


def test_a_file_of_pytorch_is_read(tmp_path):
    torch = pytest.importorskip("torch")
    sd = Golden("deblurgan_disc_ndf8").weights()
    tensors = {key: torch.tensor(value) for key, value in sd.items()}
    torch.save(tensors, tmp_path / "latest_net_D.pth")
    (module, _), _ = import_file("cyclegan-critic", tmp_path / "latest_net_D.pth")
    assert module == critic("cyclegan-critic", width=8)


@pytest.mark.parametrize(
    ("arch", "options", "change", "says"),
    [
        ("patchgan", {"layers": 5}, {}, "the weights say layers=3, not 5"),
        ("patchgan", {"norm": "group"}, {}, "norm='group' is none of none, instance"),
        ("dualgan-critic", {}, {}, "'instance', and dualgan-critic has 'batch'"),
        ("patchgan", {}, {"model.14.bias": np.ones(1)}, "no use for"),
        ("patchgan_double_scale", {}, {}, "have no 'patch.model.0.bias'"),
        ("patchgan_multi_scale", {}, {}, "have no 'scale_one.0.weight'"),
    ],
)
def test_other_weights_are_refused(arch, options, change, says):
    sd = Golden("deblurgan_disc_ndf8").weights() | change
    with pytest.raises(UserError, match=says):
        from_torch(arch, sd, **options)


def test_presets_are_known_by_name():
    for name, preset in PRESETS.items():
        assert isinstance(critic(name), NETWORKS[preset.network])
        assert name in weights.importable()
    assert critic("patchgan", width=8).width == 8
    with pytest.raises(UserError, match="there is no critic 'cyclegan'"):
        critic("cyclegan")


@pytest.mark.parametrize("norm", ["none", "instance", "batch"])
def test_each_image_is_judged_by_itself(norm):
    module = critic("patchgan", width=4, norm=norm)
    x = photos(3, 61, 83, 3)
    variables = module.init(jax.random.key(0), x)
    assert variables.keys() == {"params"}
    answers = run(module, variables, x)
    assert answers.shape == (3, 5, 8, 1)
    for index in range(3):
        alone = run(module, variables, x[index : index + 1])
        assert relative_error(answers[index : index + 1], alone) < FORWARD


def test_training_moves_running_statistics():
    golden = Golden(DOUBLE)
    module, variables = from_torch(
        "deblurgan-v2-critic", golden.weights(), statistics="running"
    )
    train = partial(module.apply, training=True, mutable=["batch_stats"])
    answers, changed = jax.jit(train)(variables, golden.image("in/fake_0"))
    expected = golden.image("out/pred_patch_fake_0")
    assert largest_difference(answers[0], expected) < FORWARD
    before = jax.tree.leaves(variables["batch_stats"])
    for old, new in zip(before, jax.tree.leaves(changed), strict=True):
        assert jnp.abs(old - new).max() > 1e-3


def spectral_in_torch(torch, module):
    """The critic of spectral norms in PyTorch."""
    width, last = module.width, module.layers + 1
    normed = torch.nn.utils.spectral_norm
    numbers = {"0": (3, width, 2)}
    for depth in range(1, last):
        sides = [width * 2**d for d in (depth - 1, depth)]
        numbers[str(3 * depth - 1)] = (*sides, 2 if depth < module.layers else 1)
    numbers[str(3 * last - 1)] = (width * 2 ** (last - 1), 1, 1)
    layers = torch.nn.Sequential()
    for number, (inputs, outputs, stride) in numbers.items():
        conv = torch.nn.Conv2d(inputs, outputs, 4, stride, padding=1)
        layers.add_module(number, normed(conv))
        if outputs > 1:
            layers.add_module(f"{number}a", torch.nn.LeakyReLU(0.2))
    return torch.nn.ModuleDict({"model": layers})


def test_spectral_norm_is_that_of_pytorch():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    module = critic("patchgan", width=4, layers=2, norm="spectral")
    theirs = spectral_in_torch(torch, module)
    state = {k: v.numpy().copy() for k, v in theirs.state_dict().items()}
    made = from_torch("patchgan", state)
    assert made.module == module
    x = photos(2, 32, 32, 3)
    seen = theirs["model"].train()(torch.tensor(x).permute(0, 3, 1, 2))
    seen.square().mean().backward()

    def loss(params, statistics):
        variables = {"params": params, **statistics}
        answers, changed = module.apply(variables, x, mutable=["batch_stats"])
        return jnp.mean(jnp.square(answers)), (answers, changed)

    params, statistics = made.variables["params"], made.variables["batch_stats"]
    derive = jax.jit(jax.value_and_grad(loss, has_aux=True))
    (_, (answers, changed)), grads = derive(params, {"batch_stats": statistics})
    assert largest_difference(answers, seen.detach().permute(0, 2, 3, 1)) < FORWARD
    expected = {k: p.grad.numpy() for k, p in theirs.named_parameters()}
    for key, value in to_torch(module, {"params": grads}).items():
        assert relative_error(value, expected[key]) < 1e-3, key
    # The vectors that both moved, and what the network is by them.
    moved = {"params": params, **changed}
    for key, value in to_torch(module, moved).items():
        np.testing.assert_allclose(value, theirs.state_dict()[key], atol=1e-6)
    later = theirs["model"].eval()(torch.tensor(x).permute(0, 3, 1, 2)).detach()
    answers = run(*from_torch("patchgan", theirs.state_dict()), x)
    assert largest_difference(answers, later.permute(0, 2, 3, 1)) < FORWARD


def test_spectral_norm_holds_the_largest_singular_value_at_1():
    module = critic("patchgan", width=4, layers=1, norm="spectral")
    x = photos(1, 16, 16, 3)
    variables = module.init(jax.random.key(0), x)
    move = jax.jit(lambda v: v | module.apply(v, x, mutable=["batch_stats"])[1])
    for _ in range(30):
        variables = move(variables)
    w = variables["params"]["first"]["kernel"].reshape(-1, 4)
    kept = variables["batch_stats"]["first"]
    sigma = kept["v"].ravel() @ w @ kept["u"]
    np.testing.assert_allclose(sigma, np.linalg.norm(w, 2), rtol=1e-4)
