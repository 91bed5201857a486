"""SRN against the original program and TensorFlow, and through the door of its weights.

The recorded networks have a quarter of the published width.
"""

import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from commands import assert_one_sentence, kernel_space_here
from evaluation_data import picture
from golden import Golden, largest_difference, relative_error
from scipy import ndimage

from kernel_space_jax import UserError, weights
from kernel_space_jax.models.layers import upsample_from_corner
from kernel_space_jax.models.restorers import applied, initial, restorer
from kernel_space_jax.training.config import build_task, defaults
from kernel_space_jax.weights import from_tensorflow

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

FORWARD = 1e-4  # largest difference of an output, f32
KINDS = {"lstm": (1, True), "color": (3, False)}


@pytest.fixture(scope="module", params=KINDS)
def recorded(request):
    golden = Golden(f"srn_{request.param}_div4")
    return request.param, golden, *from_tensorflow("srn", golden.variables())


def every(module, variables, y):
    return jax.jit(lambda v, y: module.apply(v, y, every=True))(variables, y)


def test_options_are_read_off_the_tensors(recorded):
    kind, _, module, _ = recorded
    assert (module.width, module.channels, module.lstm) == (8, *KINDS[kind])
    assert module.blocks == 3
    assert module.clone(width=32) == restorer(f"srn-{kind}")


def test_all_three_answers_agree(recorded):
    _, golden, module, variables = recorded
    *small, x = every(module, variables, golden["in/x_nhwc"])
    for level, answer in enumerate([*small, x[:, ::2, ::2]]):
        expected = golden[f"out/level{level}_nhwc"]
        assert largest_difference(answer, expected) < FORWARD, level


def test_the_enlargement_agrees():
    golden = Golden("srn_lstm_div4")
    corner = jnp.asarray(golden["in/x_nhwc"])[:, :32, :32]
    expected = golden["out/resize_up2_of_topleft"]
    assert largest_difference(upsample_from_corner(corner), expected) < 1e-6


def tiny(kind):
    """A network of few channels and layers, and its fresh weights."""
    module = restorer(f"srn-{kind}", width=4, blocks=1)
    return module, jax.jit(lambda key: initial(module, key))(jax.random.key(0))


@pytest.mark.parametrize("kind", KINDS)
def test_any_size_batch_and_colour(kind):
    module, variables = tiny(kind)
    run = jax.jit(lambda y: applied(module, variables, y, every=True))
    y = jnp.asarray(np.stack([picture(i, (37, 50)) for i in range(2)]))
    answers = run(y)
    assert [a.shape[1:] for a in answers] == [(10, 13, 3), (19, 25, 3), (37, 50, 3)]
    for index in range(2):
        alone = run(y[index : index + 1])
        assert largest_difference(answers[-1][index : index + 1], alone[-1]) < FORWARD
    # The border is repeated, as in the authors' program.
    wider = jnp.pad(y, ((0, 0), (0, 11), (0, 14), (0, 0)), mode="edge")
    assert largest_difference(answers[-1], run(wider)[-1][:, :37, :50]) < FORWARD
    # A network of one channel restores each colour by itself.
    changed = run(y.at[..., 1].set(0.5))[-1] - answers[-1]
    moved = jnp.abs(changed).max((0, 1, 2)) > FORWARD
    assert moved.tolist() == [module.channels == 3, True, module.channels == 3]


def small(x):
    """What the paper compares the three answers with."""
    return [x[:, ::step, ::step] for step in (4, 2, 1)]


def test_gradients_are_tensorflows():
    """Of the paper's loss, with what the fresh weights leave out switched on."""
    tf = pytest.importorskip("tensorflow")
    from benchmarks.tensorflow_srn import SRN

    module, variables = tiny("lstm")
    random = np.random.default_rng(0)
    drawn = lambda leaf: leaf + 0.1 * random.standard_normal(leaf.shape, np.float32)
    variables = jax.tree.map(drawn, variables)
    y, x = random.random((2, 2, 32, 48, 1), np.float32)

    def loss(variables):
        answers = module.apply(variables, y, every=True)
        pairs = zip(answers, small(x), strict=True)
        return sum(jnp.mean(jnp.square(a - b)) for a, b in pairs)

    value, gradients = jax.jit(jax.value_and_grad(loss))(variables)
    rival = SRN(weights.to_tensors(module, variables))
    with tf.GradientTape() as tape:
        pairs = zip(rival(tf.constant(y)), small(x), strict=True)
        parts = [tf.reduce_mean(tf.square(a - b)) for a, b in pairs]
        theirs = tf.add_n(parts)
    assert abs(value / theirs.numpy() - 1) < 1e-5
    expected = tape.gradient(theirs, rival.v)
    ours = weights.to_tensors(module, gradients)
    assert len(ours) == len(expected)
    for name, gradient in expected.items():
        assert relative_error(ours[f"g_net/{name}"], gradient.numpy()) < 1e-3, name


@pytest.mark.slow
def test_it_learns_by_the_papers_loss():
    x = np.stack([picture(i, (48, 48)) for i in range(2)])
    batch = {
        "sharp": jnp.asarray(x),
        "blurry": jnp.asarray(ndimage.gaussian_filter(x, (0, 1.2, 1.2, 0))),
        "number": jnp.arange(2),
    }
    config = defaults("supervised", network="srn-lstm")
    config.model.width, config.model.blocks = 4, 1
    config.model.losses = {"l2": 1.0}
    config.learning_rate = 5e-3
    task, module = build_task(config), restorer("srn-lstm", width=4, blocks=1)
    state = first = jax.jit(task.init)(jax.random.key(0, impl="rbg"))
    step = jax.jit(lambda s: task.step(s, batch, jax.random.key(1), task.frozen))
    losses = []
    for _ in range(25):
        state, metrics = step(state)
        losses.append(float(metrics["loss"]))
    run = jax.jit(lambda v, y: applied(module, v, y, every=True))
    answers = run(first.variables, batch["blurry"])
    pairs = zip(answers, small(batch["sharp"]), strict=True)
    expected = sum(jnp.mean(jnp.square(a - b)) for a, b in pairs)
    assert abs(losses[0] / expected - 1) < 1e-5
    assert np.mean(losses[-5:]) < 0.5 * losses[0]
    moved = jax.tree.map(lambda a, b: bool(jnp.any(a != b)), first.params, state.params)
    assert all(jax.tree.leaves(moved))


@pytest.fixture(scope="module")
def variables():
    return Golden("srn_lstm_div4").variables()


def test_a_checkpoint_of_tensorflow(tmp_path, variables):
    """As the authors' program saves it: with Adam's moments and two counters."""
    tf = pytest.importorskip("tensorflow")
    tf1 = tf.compat.v1
    with tf.Graph().as_default(), tf1.Session() as session:
        tf1.Variable(7, trainable=False)
        for name, array in variables.items():
            for ending in ("", "/Adam", "/Adam_1"):
                value = array if not ending else np.zeros_like(array)
                tf1.get_variable(name + ending, initializer=value, use_resource=False)
        for name in ("beta1_power", "beta2_power"):
            tf1.get_variable(name, initializer=0.9)
        session.run(tf1.global_variables_initializer())
        tf1.train.Saver().save(session, str(tmp_path / "deblur.model"), 523000)
    module, expected = from_tensorflow("srn", variables)
    (found, arrays), wrapper = weights.import_file(
        "srn", tmp_path / "deblur.model-523000.index"
    )
    assert (found, wrapper) == (module, "")
    jax.tree.map(np.testing.assert_array_equal, arrays, expected)


@pytest.mark.parametrize("around", ["{}", "{}:0", "model/{}"])
def test_wrappers_are_seen_through(tmp_path, variables, around):
    named = {around.format(name): array for name, array in variables.items()}
    np.savez(tmp_path / "a.npz", **named)
    (module, found), _ = weights.import_file("srn", tmp_path / "a.npz")
    theirs = weights.to_tensors(module, found)
    assert theirs.keys() == variables.keys()
    for name, array in variables.items():
        np.testing.assert_array_equal(theirs[name], array)


def test_wrong_weights_are_one_sentence(tmp_path, variables):
    def refused(says, arch, changed):
        arrays = {**variables, **changed}
        np.savez(
            tmp_path / "a.npz", **{k: v for k, v in arrays.items() if v is not None}
        )
        verb = ("import-weights", arch, tmp_path / "a.npz", "-o", tmp_path / "o")
        assert_one_sentence(kernel_space_here(*verb), says)

    refused("width=8, and srn-lstm has 32", "srn-lstm", {})
    wide = {"g_net/enc1_1/weights": np.zeros((5, 5, 2, 32), np.float32)}
    refused("channels=1, and srn-color has 3", "srn-color", wide)
    bias = "g_net/dec1_1/conv1/biases"
    refused(f"the weights have no '{bias}'", "srn", {bias: None})
    spare = {"g_net/more": np.ones(3)}
    refused("'g_net/more', which srn has no use for", "srn", spare)
    gates = {"g_net/convLSTM/LSTM_conv/weights": np.ones((3, 3))}
    refused("(3, 3, 64, 128)", "srn", gates)
    with pytest.raises(UserError, match="srn takes TensorFlow variables, not PyTorch"):
        weights.from_torch("srn", variables)
