"""One task trains any restorer of the table: losses, scales, statistics."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from evaluation_data import picture
from scipy import ndimage

from kernel_space_jax.errors import UserError
from kernel_space_jax.losses.pixel import psnr_loss
from kernel_space_jax.metrics import psnr
from kernel_space_jax.models import restorers
from kernel_space_jax.models.layers import BatchNorm, Conv, Dropout
from kernel_space_jax.training.config import build_task, defaults, load_config
from kernel_space_jax.training.export import export_weights
from kernel_space_jax.training.loop import train


class Pyramid(nn.Module):
    """A toy of two scales, with running statistics and dropout."""

    width: int = 6

    @nn.compact
    def __call__(self, y, keys=None, every=False):
        half = nn.avg_pool(y, (2, 2), (2, 2))
        x = BatchNorm(running=keys is None, name="norm")(Conv(self.width, name="a")(y))
        x = Dropout(0.1, name="dropout")(nn.relu(x), keys)
        small = half + 0.1 * Conv(3, stride=2, name="small")(x)
        large = y + 0.1 * Conv(3, name="large")(x)
        return [small, large] if every else large


@pytest.fixture(autouse=True)
def table(monkeypatch):
    """The table of restorers with the toy in it."""
    monkeypatch.setitem(restorers.NETWORKS, "pyramid", Pyramid)


@pytest.fixture(scope="module")
def batch():
    x = np.stack([picture(i, (48, 48)) for i in range(2)])
    y = ndimage.gaussian_filter(x, (0, 1.2, 1.2, 0))
    return {
        "sharp": jnp.asarray(x),
        "blurry": jnp.asarray(y),
        "number": jnp.arange(2),
    }


def learn(config, batch, steps):
    task = build_task(config)
    state = jax.jit(task.init)(jax.random.key(0, impl="rbg"))
    step = jax.jit(lambda state, key: task.step(state, batch, key, task.frozen))
    losses = []
    for key in jax.random.split(jax.random.key(1), steps):
        state, metrics = step(state, key)
        losses.append(float(metrics["loss"]))
    return task, state, losses


def test_every_answer_is_asked_for_and_statistics_move(batch):
    config = defaults("supervised", network="pyramid")
    config.model.losses = {"l1": 1.0}
    config.learning_rate = 5e-3
    task, state, losses = learn(config, batch, 40)
    assert np.mean(losses[-5:]) < 0.9 * losses[0]
    # Both scales count: the loss of the first step is the sum of two.
    params = jax.jit(task.init)(jax.random.key(0, impl="rbg"))
    answers, _ = Pyramid().apply(
        {"params": params.params, **params.statistics},
        batch["blurry"],
        keys=jax.vmap(jax.random.fold_in, (None, 0))(
            jax.random.split(jax.random.key(1), 40)[0], batch["number"]
        ),
        every=True,
        mutable=["batch_stats"],
    )
    small = nn.avg_pool(batch["sharp"], (2, 2), (2, 2))
    expected = sum(
        jnp.mean(jnp.abs(a - x))
        for a, x in zip(answers, (small, batch["sharp"]), strict=True)
    )
    assert abs(losses[0] / expected - 1) < 1e-5
    moved = state.statistics["batch_stats"]["norm"]["mean"]
    assert jnp.abs(moved).max() > 1e-3
    scores = task.evaluate(state, batch, jax.random.key(2), task.frozen)
    assert (scores["psnr"] > scores["psnr_of_blurry"]).all()


def test_a_restorer_answers_with_a_photo(batch):
    """Where a camera clips, the truth is white, not the light behind it."""
    config = defaults("supervised", network="pyramid")
    task = build_task(config)
    state = jax.jit(task.init)(jax.random.key(0, impl="rbg"))
    seen = []
    for x in (2 * batch["sharp"], jnp.minimum(2 * batch["sharp"], 1)):
        example, key = batch | {"sharp": x}, jax.random.key(1)
        _, metrics = jax.jit(task.step)(state, example, key, task.frozen)
        scores = task.evaluate(state, example, key, task.frozen)
        seen.append([metrics["loss"], scores["psnr"][0], scores["psnr_of_blurry"][0]])
    assert (2 * batch["sharp"]).max() > 1
    np.testing.assert_array_equal(*seen)


def test_the_config_has_the_keywords_of_its_network():
    config = defaults("supervised", network="nafnet-32")
    assert config.model.width == 32 and config.model.encoder_blocks == (1, 1, 1, 28)
    assert defaults("restorer").model.scales == 3
    assert build_task(defaults("restorer")).restorer.module == restorers.Compact(
        dtype=jnp.dtype("float32")
    )
    config.model.network = "compact"
    with pytest.raises(UserError, match="name the network in the config file"):
        build_task(config)
    with pytest.raises(UserError, match="there is no restorer 'nafent'"):
        defaults("supervised", network="nafent")


@pytest.mark.parametrize(
    "losses, said",
    [
        ({"l3": 1.0}, "model.losses names 'l3'; it takes weights of charbonnier"),
        ({"charbonnier": 0.0}, "model.losses is empty"),
    ],
)
def test_losses_that_are_not_there(losses, said):
    config = defaults("supervised")
    config.model.losses = losses
    with pytest.raises(UserError, match=said):
        build_task(config)


def test_the_psnr_loss_is_the_score():
    x, y = (jax.random.uniform(jax.random.key(n), (3, 8, 9, 3)) for n in range(2))
    np.testing.assert_allclose(psnr_loss(x, y), -psnr(x, y).mean(), rtol=1e-5)


def test_a_run_goes_on_from_its_config_and_weights(tmp_path, batch):
    """A network's keywords and statistics survive the work directory and the file."""
    config = defaults("supervised", network="pyramid")
    config.steps = config.log_every = config.evaluate_every = 2
    config.batch_size = config.data.validation_size = 2
    config.data.crop, config.data.kernel_size = 32, 5
    config.model.width = 4
    train(config, tmp_path / "run", say=print)
    file = tmp_path / "toy.safetensors"
    export_weights(tmp_path / "run", file)
    other = defaults("supervised", network="pyramid")
    other.model.width, other.init_from = 4, str(file)
    state = build_task(other).init(jax.random.key(0))
    assert jnp.abs(state.statistics["batch_stats"]["norm"]["mean"]).max() > 0
    with pytest.raises(UserError, match="has no network 'critic'|trains no network"):
        export_weights(tmp_path / "run", file, network="critic")


def test_a_word_reaches_the_network(tmp_path):
    file = tmp_path / "config.py"
    file.write_text(
        "from kernel_space_jax.training.config import defaults\n"
        "get_config = lambda: defaults('supervised', network='nafnet-32')\n"
    )
    words = ["--config.model.width=8", "--config.model.encoder_blocks=(1,1)"]
    words += ["--config.model.decoder_blocks=(1,1)", "--config.model.losses.psnr=1"]
    task = build_task(load_config(file, words))
    module = task.restorer.module
    assert module.width == 8 and module.encoder_blocks == (1, 1)
    assert task.content.losses == {"charbonnier": 1.0, "psnr": 1.0}
    with pytest.raises(UserError, match="did you mean 'width'"):
        load_config(file, ["--config.model.widht=8"])
