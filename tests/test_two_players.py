"""Restorer against critic: a step is the papers' arithmetic, and a run is a run."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from by_hand import KEY, Adam, close, folded, log_of, pairs, start, stepper
from tiny_data import two_sets
from typer.testing import CliRunner

import kernel_space_jax as ks
from kernel_space_jax import weights
from kernel_space_jax.cli.app import app
from kernel_space_jax.errors import UserError
from kernel_space_jax.losses import content
from kernel_space_jax.models.critics import DoubleScale, PatchGAN
from kernel_space_jax.models.restorers import DeblurGAN
from kernel_space_jax.models.vgg import VGG19
from kernel_space_jax.training.config import build_task, defaults
from kernel_space_jax.training.loop import train

TESTS = Path(__file__).parent
# Norms whose own map takes the place of biases: those before a norm have no gradient
# but rounding, which Adam would follow.
SMALL = {"width": 4, "blocks": 1, "norm": "batch"}
SMALL_CRITIC = {"width": 4, "layers": 2, "norm": "batch"}


def tiny(critic="deblurgan-critic", **settings):
    """DeblurGAN's two players of a few hundred parameters."""
    config = defaults("adversarial", network="deblurgan", critic=critic)
    config.model.update(SMALL)
    own = config.model.critic_options
    own.update({name: value for name, value in SMALL_CRITIC.items() if name in own})
    config.model.update(settings)
    config.learning_rate, config.b1 = 1e-4, 0.5
    config.data.crop, config.data.blur = 32, "none"
    config.batch_size = config.data.validation_size = 2
    config.steps = config.evaluate_every = 4
    config.checkpoint_every, config.log_every = 2, 1
    return config


@pytest.mark.slow
@pytest.mark.parametrize("penalty", ["images", "pixels"])
def test_a_deblurgan_step_is_plain_arithmetic(penalty):
    """Five updates of the critic and one of the generator, not compiled."""
    config = tiny(penalty=penalty)
    config.model.losses = {"l1": 20.0, "edges": 3.0}
    config.model.adversarial_weight = 1.5
    task, batch = build_task(config), pairs()
    state = start(task)
    found, metrics = stepper(task)(state, batch)

    generator, critic = DeblurGAN(**SMALL), PatchGAN(padding=2, **SMALL_CRITIC)
    g = Adam(state["restorer"].params, 1e-4)
    d = Adam(state["critic"].params, 1e-4)
    x, y = (jnp.asarray(2 * batch[name] - 1) for name in ("sharp", "blurry"))
    made = lambda params: generator.apply({"params": params}, y, folded(KEY, None))
    judge = lambda params, images: critic.apply({"params": params}, images)
    fake = made(g.params)
    for turn in range(5):
        shares = [jax.random.uniform(key) for key in folded(KEY, turn)]
        mixed = [a * x[n] + (1 - a) * fake[n] for n, a in enumerate(shares)]

        def of_critic(params, mixed=mixed):
            penalties = []
            for image in mixed:
                if penalty == "images":
                    slope = jax.grad(lambda i: judge(params, i[None]).mean())(image)
                    norm = jnp.sqrt(jnp.sum(slope**2))
                else:
                    slope = jax.grad(lambda i: judge(params, i[None]).sum())(image)
                    norm = jnp.sqrt(jnp.sum(slope**2, -1))
                penalties.append(jnp.mean((norm - 1) ** 2))
            distance = judge(params, fake).mean() - judge(params, x).mean()
            return distance + 10 * sum(penalties) / 2

        value = d.update(of_critic)

    def of_generator(params):
        restored = made(params)
        d1 = (restored - x) / 2
        d2 = d1.reshape(2, 16, 2, 16, 2, 3).mean((2, 4))
        d4 = d1.reshape(2, 8, 4, 8, 4, 3).mean((2, 4))
        edges = sum(
            jnp.abs(e[:, 1:] - e[:, :-1]).mean()
            + jnp.abs(e[:, :, 1:] - e[:, :, :-1]).mean()
            for e in (d1, d2, d4)
        )
        alike = 20 * jnp.abs(d1).mean() + 3 * edges / 3
        return alike - 1.5 * judge(d.params, restored).mean()

    close(metrics["critic_loss"], value)
    close(metrics["loss"], g.update(of_generator))
    close(found["critic"].params, d.params, atol=1e-6)
    close(found["restorer"].params, g.params, atol=1e-6)


@pytest.mark.slow
def test_version_2_is_plain_arithmetic():
    """RaLSGAN of the patch and the photo critic, with what they said before."""
    config = tiny("deblurgan-v2-critic", adversarial="ralsgan", penalty_weight=0.0)
    config.model.critic_updates, config.model.adversarial_weight = 1, 0.5
    config.model.critic_options.full_layers = 3
    config.model.losses = {"l2": 2.0}
    task, batch = build_task(config), pairs()
    state, step = start(task), stepper(task)
    generator = DeblurGAN(**SMALL)
    critic = DoubleScale(**SMALL_CRITIC, full_layers=3)
    x, y = (jnp.asarray(2 * batch[name] - 1) for name in ("sharp", "blurry"))
    g = Adam(state["restorer"].params, 1e-4)
    d = Adam(state["critic"].params, 1e-4)
    said = {"real": [[], []], "fake": [[], []]}
    made = lambda params: generator.apply({"params": params}, y, folded(KEY, None))
    judge = lambda params, image: critic.apply({"params": params}, image)
    square = lambda r, f: (jnp.mean((r - 1) ** 2) + jnp.mean((f + 1) ** 2)) / 2
    for _ in range(3):
        state, metrics = step(state, batch)
        fake = made(g.params)
        for kind, images in (("real", x), ("fake", fake)):
            for scale, answers in enumerate(judge(d.params, images)):
                said[kind][scale] += [float(a.mean()) for a in answers]

        def between(params, fake=fake, *, swapped=False):
            total = 0.0
            both = zip(judge(params, x), judge(params, fake), strict=True)
            for scale, (real, fooled) in enumerate(both):
                r = real - np.mean(said["fake"][scale])
                f = fooled - np.mean(said["real"][scale])
                total += square(f, r) if swapped else square(r, f)
            return total / 2

        close(metrics["critic_loss"], d.update(between))

        def of_generator(params):
            restored = made(params)
            alike = 2 * jnp.mean(((restored - x) / 2) ** 2)
            return alike + 0.5 * between(d.params, restored, swapped=True)

        close(metrics["loss"], g.update(of_generator))
    close(state["critic"].params, d.params, atol=1e-5)
    close(state["restorer"].params, g.params, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("critic", "adversarial", "option", "weight"),
    [
        ("patchgan_double_scale", "hinge", {"norm": "spectral"}, 0.0),
        ("patchgan_multi_scale", "ragan", {"statistics": "running"}, 10.0),
    ],
)
def test_statistics_of_both_players_move(critic, adversarial, option, weight):
    config = tiny(critic, adversarial=adversarial, penalty_weight=weight)
    config.model.statistics, config.model.critic_updates = "running", 1
    config.model.critic_options.update(option)
    task = build_task(config)
    before = start(task)
    after, metrics = stepper(task)(before, pairs(side=64))
    assert all(jnp.isfinite(value) for value in metrics.values())
    for name in ("restorer", "critic"):
        moved = jax.tree.map(
            lambda a, b: float(jnp.abs(a - b).max()),
            *(state[name].statistics["batch_stats"] for state in (before, after)),
        )
        assert max(jax.tree.leaves(moved)) > 1e-4, name
        variables = task.networks(after)[name].variables
        assert variables.keys() == {"params", "batch_stats"}


@pytest.mark.slow
def test_a_loss_through_vgg_is_given_its_weights(tmp_path):
    file, module = tmp_path / "vgg.safetensors", VGG19((2, 3, 4, 4, 4))
    variables = module.init(jax.random.key(0), jnp.zeros((1, 32, 32, 3)))
    weights.write(file, module, variables, origin="a test", licence="CC0-1.0")
    config, batch = tiny(vgg=str(file)), pairs()
    config.model.losses = {"content": 3.0}
    task = build_task(config)
    state = start(task)
    _, metrics = stepper(task)(state, batch)
    see = lambda image: module.clone(layers=("conv3_3",)).apply(
        task.frozen["vgg"], 2 * image - 1
    )
    (found,), _ = task.restorer.answers(
        state["restorer"].params, {}, batch["blurry"], folded(KEY, None)
    )
    close(metrics["content"], 3 * content(see(found), see(jnp.asarray(batch["sharp"]))))
    config.model.losses = {"content_and_colours": 1.0}
    assert jnp.isfinite(stepper(build_task(config))(state, batch)[1]["content"])


@pytest.mark.slow
def test_a_batch_in_parts_is_the_batch():
    config = tiny(critic_updates=2)
    config.model.losses, config.model.dropout = {"l1": 20.0}, 0.5
    said = []
    for config.accumulate in (1, 2):
        task = build_task(config)
        state, metrics = stepper(task)(start(task), pairs())
        said.append((metrics, state["critic"].params, state["restorer"].params))
    close(*said, atol=1e-6)


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """The spec of five pairs."""
    return two_sets(tmp_path_factory.mktemp("pairs"))[0]


def with_pools(stored):
    """A run on these pairs."""
    config = tiny(adversarial="ralsgan", critic_updates=2, penalty_weight=0.0)
    config.data.train, config.data.validation = (stored,), stored
    return config


@pytest.fixture(scope="module")
def run(tmp_path_factory, stored):
    """The work directory of four steps, with pools."""
    workdir = tmp_path_factory.mktemp("runs") / "whole"
    train(with_pools(stored), workdir, say=print)
    return workdir


def test_a_run_that_goes_on_is_uninterrupted(tmp_path, run, stored):
    config = with_pools(stored)
    config.steps = 2
    train(config, tmp_path / "run", say=print)
    config.steps = 4
    train(config, tmp_path / "run", say=print)
    found = [r for r in log_of(tmp_path / "run") if r["step"] > 2]
    assert found == [r for r in log_of(run) if r["step"] > 2] and len(found) == 3


def test_the_restorer_of_a_run_deblurs(tmp_path, run):
    """And its critic is a network of the tables."""
    said = {}
    for network in ("restorer", "critic"):
        file = tmp_path / f"{network}.safetensors"
        words = ["export", str(run), "-o", str(file), "--network", network]
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, result.output
        said[network] = weights.load(file)
    y = pairs(1)["blurry"][0]
    found = ks.deblur(y, "deblurgan", weights=tmp_path / "restorer.safetensors").image
    module, variables = said["restorer"]
    expected = (module.apply(variables, 2 * y[None] - 1)[0] + 1) / 2
    np.testing.assert_allclose(found, np.clip(expected, 0, 1), atol=1e-5)
    module, variables = said["critic"]
    assert isinstance(module, PatchGAN) and variables.keys() == {"params"}


def test_a_critic_that_collapses_is_told(tmp_path, stored, capsys):
    config = tiny(adversarial="hinge", penalty_weight=0.0, critic_updates=100)
    config.data.train, config.data.validation = (stored,), stored
    # It tells all images apart by more than the margin: no loss is left to learn from.
    config.players.critic = {"learning_rate": 0.1}
    train(config, tmp_path, say=print)
    assert capsys.readouterr().err.count("the critic learns nothing") == 1


@pytest.mark.slow
@pytest.mark.parametrize("player", ["critic", "restorer"])
def test_a_player_that_breaks_ends_the_run(tmp_path, player, stored):
    """In one sentence; the last good checkpoint stays, and the run goes on from it."""
    config = with_pools(stored)
    # Its rate explodes at the third step.
    rate = {"milestones": (3,), "decay": 1e38}
    config.players = {player: {"schedule": "multistep_restarts"}}
    config.players[player]["schedule_options"] = rate
    with pytest.raises(UserError, match="not finite at step [34]; the last good") as e:
        train(config, tmp_path / "run", say=print)
    assert "step 2. Lower" in str(e.value) and "\n" not in str(e.value)
    kept = [p.name for p in (tmp_path / "run" / "checkpoints").iterdir()]
    assert kept == ["2"]
    heard = []
    train(with_pools(stored), tmp_path / "run", say=heard.append)
    assert any("going on from step 2 of 4" in text for text in heard)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model": {"adversarial": "wgan"}}, "no adversarial loss 'wgan'"),
        ({"model": {"penalty": "pixel"}}, "no penalty 'pixel' .did you mean 'pixels'"),
        ({"model": {"losses": {"content": 1.0}}}, "'content' needs VGG19; name its"),
        (
            {"model": {"losses": {"content": 1.0}, "vgg": "judge"}},
            "vgg='judge' holds a Judge, no VGG19",
        ),
        ({"model": {"critic": "patchgan_multi_scale"}}, "no key .model.critic_options"),
        ({"model": {"critic": "nobody"}}, "no critic 'nobody'"),
        ({"model": {"critic_options": {"width": 0}}}, "critic_options.width=0 must be"),
        ({"model": {"critic_options": {"norm": "x"}}}, "norm='x' is none of none, in"),
        (
            {"model": {"critic_options": {"layers": 4, "padding": 1}}},
            "the critic sees no patch of so",
        ),
        ({"model": {"critic_updates": 0}}, "critic_updates=0 must be at least 1"),
        ({"players": {"generator": {}}}, "no network that learns in the task advers"),
    ],
)
def test_players_that_cannot_be(tmp_path, change, said):
    config = tiny()
    config.model.losses, config.data.blur = {"l1": 1.0}, "shake"
    config.update(change)
    with pytest.raises(UserError, match=said):
        train(config, tmp_path / "run", say=print)
    assert not list(tmp_path.iterdir())


def test_one_image_on_two_devices_is_a_sentence(tmp_path, monkeypatch):
    two = 2 * jax.devices()
    monkeypatch.setattr(jax, "devices", lambda: two)
    config = tiny()
    config.batch_size = 1
    with pytest.raises(UserError, match="batch_size=1 does not divide among 2 devices"):
        train(config, tmp_path / "run", say=print)


@pytest.mark.slow
@pytest.mark.parametrize("task", ["adversarial", "cycle", "dual", "blur2blur"])
def test_eight_devices_are_one(task):
    """A step of jit and one of pmap, with dropout, statistics, rivals and pools."""
    flags = f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count=8"
    done = subprocess.run(
        [sys.executable, TESTS / "players_devices.py", task],
        env=os.environ | {"XLA_FLAGS": flags},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
