"""Blur2Blur: three of its program's steps, the blur that it is shown, its runs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from by_hand import KEY, log_of, pairs
from golden import Golden, largest_difference
from typer.testing import CliRunner

import kernel_space_jax as ks
from kernel_space_jax.cli.app import app
from kernel_space_jax.datasets import Record
from kernel_space_jax.errors import UserError
from kernel_space_jax.evaluation.methods import from_weights, translated
from kernel_space_jax.models.kernel_space import KernelSpace
from kernel_space_jax.models.restorers.compact import Compact
from kernel_space_jax.training.config import build_task, defaults
from kernel_space_jax.training.loop import train
from kernel_space_jax.training.tasks import blur2blur
from kernel_space_jax.weights import from_torch
from kernel_space_jax.weights.files import write

SHARP = {"train": ("synthetic",), "blur": "shake"}


def tiny(network="mimo-unet", **model):
    config = defaults("blur2blur", network=network)
    config.model.update({"width": 4, "blocks": 1, **model})
    config.model.losses = {"edges": 1.0}
    config.model.critic_options.width, config.model.critic_options.layers = 4, 2
    config.data.train, config.data.crop, config.data.kernel_size = (), 64, 5
    config.data.streams = {"blurry_photos": SHARP, "sharp_photos": SHARP}
    config.batch_size = 2
    config.learning_rate, config.b1, config.b2 = 2e-4, 0.5, 0.999
    return config


def part_of(golden: Golden, prefix: str) -> dict[str, np.ndarray]:
    return golden.group(f"sd/{prefix}.")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """The golden, its task, and its networks at the start."""
    golden = Golden("b2b_trainstep_b8")
    vgg = tmp_path_factory.mktemp("vgg") / "vgg16.safetensors"
    write(vgg, *from_torch("vgg16", part_of(golden, "vgg16")), origin="", licence="")
    translator = from_torch("mimo_unet", part_of(golden, "G"))
    critic = from_torch("blur2blur-critic", part_of(golden, "D"))
    config = tiny(
        "mimo-unet", width=translator.module.width, blocks=translator.module.blocks
    )
    config.model.losses, config.model.vgg = {"translation": 0.8}, str(vgg)
    config.model.critic_options.width = critic.module.width
    config.model.critic_options.layers = critic.module.layers
    return golden, build_task(config), translator.variables, critic.variables


@pytest.mark.slow
def test_three_steps_are_the_programs(recorded, monkeypatch):
    golden, task, translator, critic = recorded
    y, r = golden.image("in/real_A"), golden.image("in/real_B")
    batch = {
        "number": jnp.arange(1),
        "blurry_photos": {"blurry": y},
        "sharp_photos": {"blurry": r},
    }
    state = {
        "translator": task.descents["translator"].init(translator["params"]),
        "critic": task.descents["critic"].init(critic["params"]),
    }
    monkeypatch.setattr(blur2blur, "_shares", lambda key, part: part["share"])
    step = jax.jit(lambda state, batch: task.step(state, batch, KEY, task.frozen))
    for number in (1, 2, 3):
        share = jnp.asarray(golden[f"in/alpha_{number}"])[None]
        state, metrics = step(state, batch | {"share": share})
        expected = {
            "critic_loss": "loss_D", "loss": "loss_G", "adversarial": "loss_G_GAN",
            "content": "loss_G_Perc",
        }  # fmt: skip
        for name, theirs in expected.items():
            assert abs(metrics[name] / golden[f"out/{theirs}_{number}"] - 1) < 1e-4
        penalty = 1e-4 * metrics["critic_penalty"]
        assert abs(penalty / golden[f"out/gp_{number}"] - 1) < 1e-3
        if number == 1:
            for player, letter in (("", "G"), ("critic_", "D")):
                norm = golden[f"out/{letter}_grad_global_norm"]
                assert abs(metrics[f"{player}gradient_norm"] / norm - 1) < 1e-3
        if number in (1, 3):
            for player, letter in (("translator", "G"), ("critic", "D")):
                check_parameters(task, state[player], golden, letter, number)


def check_parameters(task, player, golden, letter, number):
    """Against those of the golden, which has a few of each network."""
    kind = {"G": "mimo_unet", "D": "blur2blur-critic"}[letter]
    begun = golden.group(f"sd/{letter}.")
    theirs = golden.group(f"after{number}/{letter}.")
    # A bias before an instance norm has no gradient but rounding, which Adam follows.
    theirs.pop("model.8.bias", None)
    before, after = (
        from_torch(kind, w).variables["params"] for w in (begun, {**begun, **theirs})
    )
    learned = jax.tree.map(lambda a, b: not np.array_equal(a, b), before, after)
    assert sum(jax.tree.leaves(learned)) == len(theirs)
    # An update of Adam moves a parameter by up to 2e-4.
    apart = jax.tree.map(largest_difference, player.params, after)
    found = jax.tree.map(
        lambda own, there: float(own) if there else 0.0, apart, learned
    )
    assert max(jax.tree.leaves(found)) < 2e-5


@pytest.mark.slow
def test_known_blur_is_put_on_the_cameras_photos(tmp_path):
    """r = F(x, G(x', y')) of other pairs, and nothing learns through it."""
    space = KernelSpace(width=4, code_width=8, front_blocks=1, back_blocks=1,
                        code_blocks=1, tail_width=4)  # fmt: skip
    ((x, y), other) = ((pairs(2, 128)[n] for n in ("sharp", "blurry")), pairs(2, 128))
    variables = jax.jit(space.init)(jax.random.key(0), x, y)
    file = tmp_path / "space.safetensors"
    write(file, space, variables, origin="", licence="")
    config = tiny(kernel_space=str(file))
    config.data.streams.known_pairs = SHARP
    task = build_task(config)
    batch = {
        "known_pairs": {"sharp": x, "blurry": y},
        "sharp_photos": {"sharp": other["sharp"][::-1], "blurry": other["blurry"]},
    }
    found = jax.jit(task.known)(batch, task.frozen)
    code, _ = space.apply(variables, x, y, method="extract")
    r = space.apply(variables, batch["sharp_photos"]["sharp"], code, method="blur")
    np.testing.assert_allclose(found, np.clip(r, 0, 1), atol=1e-5)
    moved = jax.grad(lambda x: task.known(
        {**batch, "sharp_photos": {"sharp": x}}, task.frozen).sum())  # fmt: skip
    assert not moved(other["sharp"]).any()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"data": {"streams": {"sharp_photos": SHARP}}},
            "needs the data stream blurry",
        ),
        ({"model": {"kernel_space": "kernel-space"}}, "set both, or neither"),
        ({"model": {"kernel_space": "judge"}}, "holds a Judge, no KernelSpace"),
        ({"model": {"adversarial": "log"}}, "no adversarial loss 'log'"),
        (
            {"data": {"streams": {"known_pairs": {**SHARP, "crop": 32}}}},
            "the crops of the streams differ .* 32 of known_pairs",
        ),
    ],
)
def test_what_cannot_be(change, said):
    config = tiny()
    if "holds a Judge" in said or "crops" in said:
        config.data.streams.known_pairs = SHARP
        config.model.kernel_space = "kernel-space"
    if "needs" in said:
        config.data.streams = {}
    config.update(change)
    with pytest.raises(UserError, match=said):
        build_task(config)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Four steps of a translator, with a restorer that knows the known blur."""
    folder = tmp_path_factory.mktemp("runs")
    module = Compact(width=4, scales=1, blocks=1)
    variables = module.init(jax.random.key(0), jnp.zeros((1, 64, 64, 3)))
    write(folder / "restorer.safetensors", module, variables, origin="", licence="")
    config = tiny(restorer=str(folder / "restorer.safetensors"))
    config.steps = config.evaluate_every = 4
    config.checkpoint_every, config.log_every = 2, 1
    config.data.validation_size = 2
    train(config, folder / "whole", say=print)
    return folder, config


@pytest.mark.slow
def test_a_run_that_goes_on_is_uninterrupted(run, tmp_path):
    folder, config = run
    config = config.copy_and_resolve_references()
    config.steps = 2
    train(config, tmp_path / "run", say=print)
    config.steps = 4
    train(config, tmp_path / "run", say=print)
    found = [r for r in log_of(tmp_path / "run") if r["step"] > 2]
    assert found == [r for r in log_of(folder / "whole") if r["step"] > 2]
    assert {"psnr", "psnr_alone", "psnr_of_change"} <= found[-1].keys()


@pytest.mark.slow
def test_a_translator_converts_and_then_a_restorer_deblurs(run, tmp_path):
    folder, _ = run
    translator, restorer = tmp_path / "t.safetensors", folder / "restorer.safetensors"
    words = ["export", str(folder / "whole"), "-o", str(translator)]
    assert CliRunner().invoke(app, words).exit_code == 0
    y = pairs(1, 48)["blurry"][0]
    photo = tmp_path / "photo.png"
    ks.write(photo, ks.Photo(y))
    y = ks.read(photo).pixels
    converted = ks.convert_blur(y, translator)
    module, variables = ks.load(translator)
    expected = np.clip(module.apply(variables, y[None])[0], 0, 1)
    np.testing.assert_allclose(converted, expected, atol=1e-5)
    both = ks.deblur(y, "compact", weights=restorer, translator=ks.load(translator))
    apart = ks.deblur(converted, "compact", weights=restorer)
    np.testing.assert_allclose(both.image, apart.image, atol=1e-5)

    common = [str(photo), "-o", str(tmp_path / "out")]
    said = CliRunner().invoke(app, ["convert-blur", *common, "--weights", translator])
    assert said.exit_code == 0, said.output
    written = ks.read(tmp_path / "out" / "photo.png").pixels
    np.testing.assert_allclose(written, converted, atol=1 / 255)
    words = ["--method", "compact", "--weights", restorer, "--translator", translator]
    said = CliRunner().invoke(app, ["deblur", *common, "--overwrite", *words])
    assert said.exit_code == 0, said.output

    # A row of a table restores what the translator has changed.
    row = translated(translator, restorer)
    found = row.restore(Record("photo", y, None, {})).image
    assert row.label == "t"
    np.testing.assert_allclose(found, both.image, atol=1e-5)

    # Each in its place.
    with pytest.raises(UserError, match="t.safetensors holds a translator, which"):
        from_weights(translator)
    with pytest.raises(UserError, match="t.safetensors holds a translator, which"):
        ks.deblur(y, "mimo_unet", weights=translator)
    with pytest.raises(UserError, match="of a KernelSpace, which translates no blur"):
        ks.deblur(y, "compact", weights=restorer, translator=ks.load("kernel-space"))
