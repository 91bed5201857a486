"""Leaf rules: both directions, and the same answer as the layer they came from."""

import sys

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

from kernel_space_jax import UserError, weights
from kernel_space_jax.models import restorers
from kernel_space_jax.models.generators import Generator
from kernel_space_jax.models.layers import (
    BatchNorm,
    Conv,
    ConvTranspose,
    DepthwiseConv,
    LayerNorm,
)
from kernel_space_jax.weights import names
from kernel_space_jax.weights.networks import official

# Small sizes of the networks whose published one would take long to fill, and the
# inputs of those that take no photo.
SMALL = {
    "kernel_space": {"width": 4, "code_width": 32, "front_blocks": 2, "back_blocks": 3,
                     "code_blocks": 2, "variational": True, "tail_width": 8},
    "kernel_prior": {"width": 4, "code_width": 32, "blocks": 2},
    "image_prior": {"width": 8, "skip": 4, "scales": 4, "padding": "reflect"},
    "two_heads": {"width": 4, "basis": 3},
    "vgg19": {"widths": (2, 4, 6, 8, 10)},
    "restormer": {"width": 8, "blocks": (1, 2, 1, 1), "refinement": 1, "expansion": 2.5,
                  "heads": (2, 1, 4, 8), "use_bias": True, "norm": "bias-free"},
    "mimo_unet": {"width": 4, "blocks": 2},
    "srn": {"width": 4, "blocks": 1},
    "deblurgan": {"width": 4, "blocks": 2},
    "deblurgan_v2": {"width": 8, "pyramid": 4},
    "nafnet": {"width": 4, "encoder_blocks": (1, 2), "decoder_blocks": (2, 1)},
    "maxim": {"features": 4, "scales": 1, "blocks": (2, 3), "grids": (4, 1)},
    "patchgan": {"width": 4, "layers": 2, "norm": "spectral"},
    "patchgan_double_scale": {"width": 4, "layers": 2, "full_layers": 3,
                              "norm": "batch"},
    "patchgan_multi_scale": {"width": 4, "tail_width": 8},
    "stylegan": {"widths": (4, 5, 6), "style": 7, "mapping": 2},
    "stylegan2": {"widths": (4, 5, 6), "style": 7, "mapping": 2},
}  # fmt: skip
INPUTS = {
    "kernel_space": [(1, 256, 256, 3)] * 2,
    "srn": [(1, 64, 64, 1)],
    "lpips": [(1, 64, 64, 3)] * 2,
    "kernel_prior": [(1, 64, 64, 5)],
    "image_prior": [(1, 64, 64, 6)],
}


def drawn(module, *shapes):
    """Variables of a module at random, so that no two arrays are alike."""
    images = [jnp.zeros(shape) for shape in shapes]
    random = np.random.default_rng(0)
    like = jax.eval_shape(module.init, jax.random.key(0), *images)
    return jax.tree.map(lambda leaf: random.random(leaf.shape, np.float32), dict(like))


@pytest.mark.parametrize(
    "name", [name for name in weights.importable() if name in weights.networks()]
)
def test_out_and_in_again_is_the_identity(name):
    module = weights.networks()[name](**SMALL.get(name, {}))
    inputs = INPUTS.get(name, [(1, 64, 64, 3)])
    if isinstance(module, Generator):
        inputs = [one.shape for one in module.inputs()]
    variables = drawn(module, *inputs)
    tensors = weights.to_tensors(module, variables)
    again, same = weights.from_tensors(name, tensors, official(name).family)
    assert again == module
    assert flatten_dict(same).keys() == flatten_dict(variables).keys()
    jax.tree.map(np.testing.assert_array_equal, dict(same), variables)


class Toy(nn.Module):
    """One layer of each kind."""

    features: int = 4

    @nn.compact
    def __call__(self, x):
        x = Conv(self.features, name="conv")(x)
        x = DepthwiseConv(name="depthwise")(x)
        x = ConvTranspose(6, name="transposed")(x)
        x = BatchNorm(name="batch")(LayerNorm(1e-5, name="norm")(x))
        x = nn.Dense(3, name="linear")(x)
        return x * self.param("temperature", nn.initializers.ones, (3,))


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """Makes a restorer known by its row, and its official weights by a names file."""

    def add(module, **official):
        fields = ", ".join(f"{key}={value}" for key, value in official.items())
        (tmp_path / "toy.py").write_text(
            "from kernel_space_jax.weights.official import Official\n"
            "from kernel_space_jax.weights.rules import FLAX_TRANSPOSED, free\n"
            f"OFFICIAL = Official(infer=lambda shapes: {{}}, {fields})\n"
        )
        monkeypatch.setitem(restorers.NETWORKS, "toy", module)
        monkeypatch.setattr(names, "__path__", [*names.__path__, str(tmp_path)])
        monkeypatch.delitem(sys.modules, f"{names.__name__}.toy", raising=False)

    yield add
    sys.modules.pop(f"{names.__name__}.toy", None)


def image(channels=3, size=8):
    shape = (2, size, size, channels)
    return np.random.default_rng(1).random(shape, np.float32)


def test_layers_of_pytorch(toy):
    torch = pytest.importorskip("torch")

    class Theirs(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = torch.nn.Conv2d(3, 4, 3, padding=1)
            self.depthwise = torch.nn.Conv2d(4, 4, 3, padding=1, groups=4)
            self.transposed = torch.nn.ConvTranspose2d(4, 6, 4, 2, padding=1)
            self.norm = torch.nn.LayerNorm(6)
            self.batch = torch.nn.BatchNorm2d(6)
            self.linear = torch.nn.Linear(6, 3)
            self.temperature = torch.nn.Parameter(torch.rand(3, 1, 1))

        def forward(self, x):
            last = lambda layer, x: layer(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
            x = self.transposed(self.depthwise(self.conv(x)))
            x = self.batch(last(self.norm, x))
            return last(self.linear, x) * self.temperature

    toy(
        Toy,
        mark="'conv.weight'",
        layouts="{'temperature': free(-1, 1, 1)}",
    )
    theirs = Theirs().train()
    module, variables = weights.from_torch("toy", theirs.state_dict())
    y = image()
    x, moved = module.apply(variables, y, mutable=["batch_stats"])
    expected = theirs(torch.tensor(y).permute(0, 3, 1, 2)).detach()
    np.testing.assert_allclose(x, expected.permute(0, 2, 3, 1).numpy(), atol=1e-5)
    # The statistics that both moved, by their names.
    exported = weights.to_torch(module, {**variables, **moved})
    for key, value in theirs.state_dict().items():
        if not key.endswith("num_batches_tracked"):
            assert exported[key].shape == tuple(value.shape)
            np.testing.assert_allclose(exported[key], value.numpy(), atol=1e-5)


class OfTensorFlow(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = ConvTranspose(5, name="up")(Conv(4, name="conv")(x))
        return nn.Dense(2, name="linear")(x)


def test_variables_of_tensorflow(toy, tmp_path):
    tf = pytest.importorskip("tensorflow")
    toy(
        OfTensorFlow,
        mark="'net/conv/weights'",
        family="'tensorflow'",
        names="lambda module: {(): 'net'}",
    )
    random = np.random.default_rng(2)
    shapes = {
        "net/conv/weights": (3, 3, 3, 4), "net/conv/biases": (4,),
        "net/up/weights": (4, 4, 5, 4), "net/up/biases": (5,),
        "net/linear/kernel": (5, 2), "net/linear/bias": (2,),
    }  # fmt: skip
    theirs = {k: random.random(s, np.float32) for k, s in shapes.items()}
    spread = {f"{key}:0": value for key, value in theirs.items()}
    moments = {f"{key}/Adam_1": value for key, value in theirs.items()}
    module, variables = weights.from_tensors(
        "toy", {**spread, **moments, "global_step": np.int64(7)}, "tensorflow"
    )
    y = image()
    x = tf.nn.conv2d(y, theirs["net/conv/weights"], 1, "SAME")
    x = tf.nn.conv2d_transpose(
        x + theirs["net/conv/biases"], theirs["net/up/weights"], (2, 16, 16, 5), 2
    )
    x = (x + theirs["net/up/biases"]) @ theirs["net/linear/kernel"]
    x = x + theirs["net/linear/bias"]
    np.testing.assert_allclose(module.apply(variables, y), x.numpy(), rtol=1e-4)
    with pytest.raises(UserError, match="takes TensorFlow variables, not PyTorch"):
        weights.from_torch("toy", theirs)
    with pytest.raises(UserError, match="of toy are not PyTorch's"):
        weights.to_torch(module, variables)

    # As TensorFlow itself writes them, in two ways.
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        for key, value in theirs.items():
            tf.compat.v1.get_variable(key, initializer=value)
        session.run(tf.compat.v1.global_variables_initializer())
        saver = tf.compat.v1.train.Saver()
        prefix = saver.save(session, str(tmp_path / "model-7"), write_state=False)
    np.savez(tmp_path / "model.npz", **spread)
    for file in (prefix, f"{prefix}.index", tmp_path / "model.npz"):
        (_, read), _ = weights.import_file("toy", file)
        jax.tree.map(np.testing.assert_array_equal, read, variables)
    (tmp_path / "model-7.data-00000-of-00001").write_bytes(b"short")
    with pytest.raises(UserError, match="model-7 is not a whole TensorFlow checkpoint"):
        weights.import_file("toy", f"{prefix}.index")


class OfFlax(nn.Module):
    """The toy again, of Flax's own layers."""

    @nn.compact
    def __call__(self, x):
        x = nn.Conv(4, (3, 3), name="Conv_0")(x)
        x = nn.Conv(4, (3, 3), feature_group_count=4, name="Conv_1")(x)
        x = nn.ConvTranspose(6, (4, 4), (2, 2), name="ConvTranspose_0")(x)
        x = nn.LayerNorm(1e-5, name="LayerNorm_0")(x)
        x = nn.BatchNorm(False, epsilon=1e-5, name="BatchNorm_0")(x)
        x = nn.Dense(3, name="Dense_0")(x)
        return x * self.param("temperature", nn.initializers.ones, (1, 1, 1, 3))


@pytest.mark.parametrize("prefix", ["", "opt/target/"])
def test_arrays_of_flax(toy, tmp_path, prefix):
    theirs = {
        ("conv",): "Conv_0", ("depthwise",): "Conv_1", ("linear",): "Dense_0",
        ("transposed",): "ConvTranspose_0", ("norm",): "LayerNorm_0",
        ("batch",): "BatchNorm_0",
    }  # fmt: skip
    toy(
        Toy,
        mark="'Conv_0/kernel'",
        family="'flax'",
        names=f"lambda module: {theirs}",
        layouts="{'transposed/kernel': FLAX_TRANSPOSED}",
    )
    y, module = image(), OfFlax()
    variables = drawn(module, y.shape)
    flat = flatten_dict(variables if not prefix else variables["params"], sep="/")
    if prefix:
        flat |= flatten_dict(variables["batch_stats"], sep="/")
        flat = {prefix + key: value for key, value in flat.items()}
        flat["opt/state/step"] = np.int64(7)
    np.savez(tmp_path / "a.npz", **flat)
    (ours, read), wrapper = weights.import_file("toy", tmp_path / "a.npz")
    assert wrapper == prefix.strip("/")
    expected, _ = module.apply(variables, y, mutable=["batch_stats"])
    np.testing.assert_allclose(ours.apply(read, y), expected, rtol=1e-4, atol=1e-5)
    statistics = read["batch_stats"]["batch"]["mean"]
    np.testing.assert_array_equal(
        statistics, variables["batch_stats"]["BatchNorm_0"]["mean"]
    )


@pytest.mark.parametrize(
    ("key", "shape", "needed"),
    [
        ("conv.weight", (4, 3, 5, 5), r"\(4, 3, 3, 3\)"),
        ("conv.weight", (4, 27), r"\(4, 3, 3, 3\)"),
        ("depthwise.weight", (4, 4, 3, 3), r"\(4, 1, 3, 3\)"),
        ("transposed.weight", (6, 4, 4, 4), r"\(4, 6, 4, 4\)"),
        ("linear.weight", (6, 3), r"\(3, 6\)"),
        ("norm.bias", (6, 1), r"\(6,\)"),
        ("batch.running_var", (1,), r"\(6,\)"),
        ("temperature", (1, 4, 1, 1), r"\(3,\)"),
    ],
)
def test_a_shape_that_does_not_fit(toy, key, shape, needed):
    toy(Toy, mark="'conv.weight'")
    module = Toy()
    tensors = weights.to_torch(module, drawn(module, (1, 8, 8, 3)))
    says = rf"'{key}' has the shape \({', '.join(map(str, shape))},?\); .* {needed}$"
    with pytest.raises(UserError, match=says):
        weights.from_torch("toy", {**tensors, key: np.zeros(shape, np.float32)})
