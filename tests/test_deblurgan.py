"""DeblurGAN and DeblurGAN-v2 against the original programs, and their weights."""

import sys
from functools import partial
from importlib import import_module
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden import Golden, by_torch_name, largest_difference, relative_error

import kernel_space_jax as ks
from kernel_space_jax.errors import UserError
from kernel_space_jax.models.restorers import applied, initial, restorer
from kernel_space_jax.training.config import build_task, defaults
from kernel_space_jax.weights import from_torch, import_file

FORWARD = 1e-4  # largest difference of an output, f32
MOBILE = "deblurganv2_fpnmobilenet_{}_detweights"


def run(module, variables, y, *keys):
    return jax.jit(module.apply)(variables, y, *keys)


def first(module):
    return jax.jit(partial(initial, module))(jax.random.key(0))


def keys(count):
    return jax.random.split(jax.random.key(0), count)


def test_published_size_agrees():
    golden = Golden("deblurgan_gen_full_detweights")
    module, variables = from_torch("deblurgan", golden.weights())
    assert module == restorer("deblurgan", dropout=0.0)
    y = golden.image("in/x")
    both = jax.jit(lambda v, y: [net.apply(v, y) for net in (module, plain)])
    plain = module.clone(residual=False)
    x, residual = both(variables, y)
    assert largest_difference(x, golden.image("out/y")) < FORWARD
    assert largest_difference(residual, golden.image("out/tanh")) < FORWARD


def test_running_statistics_and_blocks_of_one_convolution_agree():
    golden = Golden("deblurgan_head_gen_ngf8_dropout_eval")
    sd = golden.weights()
    module, variables = from_torch("deblurgan", sd, statistics="running")
    assert (module.width, module.blocks, module.convolutions) == (8, 9, 1)
    x = run(module, variables, golden.image("in/x"))
    assert largest_difference(x, golden.image("out/y")) < FORWARD


def test_training_moves_the_statistics():
    golden = Golden("deblurgan_head_gen_ngf8_onecv")
    module, variables = from_torch(
        "deblurgan", golden.weights(), statistics="running", dropout=0.0
    )
    y = golden.image("in/x")
    train = jax.jit(lambda v: module.apply(v, y, keys=keys(1), mutable=["batch_stats"]))
    for _ in range(2):
        x, changed = train(variables)
        assert largest_difference(x, golden.image("out/y")) < FORWARD
        variables = {**variables, **changed}
    moved = variables["batch_stats"]["first_norm"]
    for ours, theirs in (("mean", "running_mean"), ("var", "running_var")):
        expected = golden[f"after2/model.2.{theirs}"]
        assert largest_difference(moved[ours], expected) < 1e-6


def below(prefix, tensors):
    return {prefix + key: value for key, value in tensors.items()}


@pytest.mark.parametrize("wrapper", ["", "module.", "model.module."])
def test_version_2_resnet_agrees_through_wrappers(tmp_path, wrapper):
    """Its layers are called "model" themselves; its counters are ignored."""
    golden = Golden("deblurganv2_resnetgen_ngf8")
    np.savez(tmp_path / "a.npz", **below(wrapper, golden.weights()))
    (module, variables), found = import_file("deblurgan-v2-resnet", tmp_path / "a.npz")
    assert found == ("model" if "model" in wrapper else "")
    assert module == restorer("deblurgan", width=8, blocks=3, dropout=0.0)
    assert variables.keys() == {"params"}
    x = run(module, variables, golden.image("in/x"))
    assert largest_difference(x, golden.image("out/y")) < FORWARD


@pytest.fixture(scope="module")
def mobile():
    return Golden(MOBILE.format("eval")).weights()


def test_version_2_mobilenet_agrees(mobile):
    golden = Golden(MOBILE.format("eval"))
    module, variables = from_torch("deblurgan-v2-mobile", mobile, statistics="running")
    assert module == restorer("deblurgan-v2-mobile", statistics="running")
    x = run(module, variables, golden.image("in/x"))
    assert largest_difference(x, golden.image("out/y")) < FORWARD


def test_version_2_mobilenet_agrees_by_the_image(mobile):
    """In float64: 16 pixels make the coarsest statistics, whose rounding in float32
    takes the record itself 6e-5 from exact."""
    golden = Golden(MOBILE.format("train"))
    module, variables = from_torch("deblurgan-v2-mobile", mobile)
    assert variables.keys() == {"params"}
    with jax.enable_x64(True):
        exact = jax.tree.map(lambda leaf: jnp.float64(leaf), variables)
        x = run(module, exact, jnp.float64(golden.image("in/x")))
        assert x.dtype == jnp.float64
    assert largest_difference(x, golden.image("out/y")) < FORWARD


def second_name(key):
    """What the trunk's layers are called by the scales of the pyramid."""
    if not key.startswith("fpn.features."):
        return key
    number, _, rest = key.removeprefix("fpn.features.").partition(".")
    starts = (0, 2, 4, 7, 11, 16)
    scale = next(i for i in range(5) if int(number) < starts[i + 1])
    return f"fpn.enc{scale}.{int(number) - starts[scale]}.{rest}"


def test_the_trunk_has_two_names(mobile):
    """Of two the first counts; one of the two alone is enough."""
    unseen = lambda key: key.startswith(tuple(f"fpn.features.1{n}." for n in (6, 7, 8)))
    second = {
        second_name(key): value
        for key, value in mobile.items()
        if ".enc" not in key and not unseen(key)
    }
    assert set(second) < set(mobile)
    _, expected = from_torch("deblurgan_v2", mobile)
    _, found = from_torch("deblurgan_v2", second)
    jax.tree.map(np.testing.assert_array_equal, found, expected)
    del second[second_name("fpn.features.3.conv.0.weight")]
    with pytest.raises(UserError, match=r"no 'fpn\.features\.3\.conv\.0\.weight'"):
        from_torch("deblurgan_v2", second)


@pytest.mark.parametrize(
    ("arch", "options", "change", "says"),
    [
        ("deblurgan", {"blocks": 9}, {}, "the weights say blocks=3, not 9"),
        ("deblurgan", {"statistics": "batch"}, {}, "is none of image, running"),
        ("nafnet", {}, {}, "have no 'intro.weight'"),
        ("deblurgan", {}, {"model.99.weight": np.ones(3)}, "no use for"),
        (
            "deblurgan",
            {},
            {"model.4.bias": np.ones(3)},
            "model.4.bias' has the",
        ),
    ],
)
def test_other_weights_are_refused(arch, options, change, says):
    sd = Golden("deblurganv2_resnetgen_ngf8").weights() | change
    with pytest.raises(UserError, match=says):
        from_torch(arch, sd, **options)


def test_the_second_paper_has_both_generators():
    sd = Golden("deblurganv2_resnetgen_ngf8").weights()
    as_second, as_first = (from_torch(a, sd) for a in ("deblurgan_v2", "deblurgan"))
    assert as_second.module == as_first.module
    sd = Golden("nafnet_w8").weights()
    with pytest.raises(UserError, match="the weights have no 'model.1.weight'"):
        from_torch("deblurgan_v2", sd)


def test_statistics_that_a_file_has_not_are_refused():
    sd = Golden("deblurganv2_resnetgen_ngf8").weights()
    bare = {k: v for k, v in sd.items() if "running" not in k}
    assert from_torch("deblurgan", bare).module.statistics == "image"
    with pytest.raises(UserError, match="no 'model.*running_mean'"):
        from_torch("deblurgan", bare, statistics="running")


@pytest.fixture(
    scope="module",
    params=[
        ("deblurgan", {"width": 4, "blocks": 2}),
        ("deblurgan_v2", {"width": 4, "pyramid": 8}),
    ],
    ids=["deblurgan", "deblurgan_v2"],
)
def small(request):
    """A small network, and its first variables."""
    network, options = request.param
    module = restorer(network, **options, statistics="running")
    return module, first(module)


def test_odd_photos_keep_their_size_and_a_batch_is_its_photos(small):
    module, variables = small
    module = module.clone(statistics="image")
    y = jnp.asarray(np.random.default_rng(0).random((2, 61, 83, 3), np.float32))
    restore = jax.jit(lambda v, y: applied(module, v, y))
    both = restore({"params": variables["params"]}, y)
    assert both.shape == y.shape
    assert both.min() >= 0 and both.max() <= 1
    for index in range(2):
        alone = restore({"params": variables["params"]}, y[index : index + 1])
        assert largest_difference(both[index : index + 1], alone) < FORWARD


def test_dropout_belongs_to_training():
    module = restorer("deblurgan", width=4, blocks=1)
    variables = first(module)
    y = jnp.asarray(np.random.default_rng(0).random((1, 32, 32, 3), np.float32))
    # The same photo with two keys, and once more with the first one.
    three = jnp.concatenate([y, y, y])
    x = run(module, variables, three, keys(2)[jnp.array([0, 1, 0])])
    assert largest_difference(x[0], x[1]) > 1e-3
    np.testing.assert_allclose(x[0], x[2], atol=1e-6)
    assert largest_difference(x[:1], run(module, variables, y)) > 1e-3
    np.testing.assert_array_equal(*[run(module, variables, y) for _ in range(2)])


def test_it_is_trained_with_its_statistics(tmp_path):
    """A step by the task of all restorers; what it leaves is a method."""
    config = defaults("supervised", network="deblurgan")
    config.model.width, config.model.blocks = 4, 1
    config.model.statistics = "running"
    task = build_task(config)
    x = np.random.default_rng(0).random((2, 32, 32, 3), np.float32)
    batch = {"sharp": x, "blurry": x**2, "number": np.arange(2)}
    state = jax.jit(task.init)(jax.random.key(0, impl="rbg"))
    step = jax.jit(lambda state: task.step(state, batch, jax.random.key(1), {}))
    state, metrics = step(state)
    assert jnp.isfinite(metrics["loss"])
    for norm in state.statistics["batch_stats"].values():
        assert jnp.isfinite(norm["mean"]).all() and (norm["var"] != 1).all()
    made = task.networks(state)["restorer"]
    file = tmp_path / "a.safetensors"
    ks.weights.write(file, *made, origin="a test", licence="CC0-1.0")
    found = ks.deblur(x[0], "deblurgan", weights=file).image
    expected = jax.jit(partial(applied, made.module))(made.variables, x[:1])
    np.testing.assert_allclose(found, jnp.clip(expected[0], 0, 1), atol=1e-5)


@pytest.mark.parametrize(
    ("network", "options", "gradients"),
    [
        ("deblurgan", {"width": 4, "blocks": 2, "dropout": 0.0}, True),
        (
            "deblurgan",
            {"width": 4, "blocks": 1, "norm": "batch", "statistics": "running"},
            False,
        ),
        ("deblurgan_v2", {"width": 4, "pyramid": 8}, False),
    ],
)
def test_the_rival_in_pytorch_agrees(network, options, gradients):
    torch = pytest.importorskip("torch")
    sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))
    rival = import_module("benchmarks.restorers").rival
    module = restorer(network, **options)
    variables = first(module)
    model = rival(module, variables)
    y = np.random.default_rng(0).random((2, 64, 64, 3), np.float32) * 2 - 1
    theirs = model(torch.tensor(y).permute(0, 3, 1, 2))
    x = run(module, variables, y)
    assert largest_difference(x, theirs.detach().permute(0, 2, 3, 1)) < FORWARD
    if not gradients:
        return
    loss = lambda variables: jnp.mean(jnp.square(module.apply(variables, y)))
    ours = by_torch_name(network, module, jax.jit(jax.grad(loss))(variables))
    theirs.square().mean().backward()
    wanted = {key: leaf.grad.numpy() for key, leaf in model.named_parameters()}
    largest = max(np.abs(leaf).max() for leaf in wanted.values())
    for key, leaf in wanted.items():
        # A bias before a norm has no gradient but for rounding.
        if key.endswith("weight") or key == "model.19.bias":
            assert relative_error(ours[key], leaf) < 1e-3, key
        else:
            assert np.abs(ours[key] - leaf).max() < 1e-5 * largest, key
