"""The small restorer, its task, and what a restorer learns of swapped blur."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from commands import kernel_space_here
from evaluation_data import picture, write
from golden import Golden
from scipy import ndimage

from kernel_space_jax import UserError, weights
from kernel_space_jax.evaluation.protocols.blur_swap import BLUR_SWAP
from kernel_space_jax.experiments.blur_swap import blur_swap
from kernel_space_jax.metrics import psnr
from kernel_space_jax.models.restorers.compact import Compact
from kernel_space_jax.training.config import build_task, defaults

TINY = {"width": 8, "scales": 2, "blocks": 1}


@pytest.fixture
def config():
    config = defaults("restorer")
    config.model.update(TINY)
    config.learning_rate = 5e-3
    return config


def test_a_fresh_restorer_answers_its_input_whatever_its_size():
    y = jnp.asarray(picture(0, (37, 50)))[None]
    module = Compact(**TINY)
    variables = jax.jit(module.init)(jax.random.key(0), y)
    x = jax.jit(module.apply)(variables, y)
    assert isinstance(x, jax.Array)
    np.testing.assert_array_equal(x, y)


def test_it_learns_to_undo_a_blur_and_travels_in_a_file(config, tmp_path):
    x = np.stack([picture(i, (48, 48)) for i in range(2)])
    y = ndimage.gaussian_filter(x, (0, 1.2, 1.2, 0))
    batch = {
        "sharp": jnp.asarray(x),
        "blurry": jnp.asarray(y),
        "number": jnp.arange(2),
    }
    task = build_task(config)
    state = jax.jit(task.init)(jax.random.key(0, impl="rbg"))
    step = jax.jit(
        lambda state: task.step(state, batch, jax.random.key(1), task.frozen)
    )
    for _ in range(60):
        state, metrics = step(state)
    scores = jax.jit(task.evaluate)(state, batch, jax.random.key(1), task.frozen)
    np.testing.assert_allclose(scores["psnr_of_blurry"], psnr(y, x))
    assert (scores["psnr"] > scores["psnr_of_blurry"] + 1).all()
    assert abs(float(metrics["psnr"] - scores["psnr"].mean())) < 1
    file = tmp_path / "restorer.safetensors"
    weights.write(
        file,
        *next(iter(task.networks(state).values())),
        origin="a test",
        licence="CC0-1.0",
    )
    module, variables = weights.load(file)
    found = jnp.clip(module.apply(variables, y), 0, 1)
    np.testing.assert_allclose(psnr(found, x), scores["psnr"], atol=1e-3)


def test_no_torch_weights_are_its_own():
    with pytest.raises(UserError, match="the project's own"):
        weights.from_torch("restorer", {})


@pytest.fixture(scope="module")
def space(tmp_path_factory):
    """Weights of a small kernel space that knows nothing yet."""
    file = tmp_path_factory.mktemp("space") / "space.safetensors"
    made = weights.from_torch("kernel_space", Golden("kw_wovae_nf4").weights())
    weights.write(file, *made, origin="a golden", licence="CC0-1.0")
    return file


def write_scene(root, scene: str, count: int) -> str:
    for i in range(count):
        x = picture(i + 10 * len(scene), (40, 44))
        write(root / "sharp" / f"{scene}{i}.png", x)
        y = ndimage.gaussian_filter(x, (0.8 + 0.2 * i, 1, 0))
        write(root / "blurry" / f"{scene}{i}.png", y)
    return f"pairs:{root}"


@pytest.mark.slow
def test_blur_swap_from_pairs_to_table(config, space, tmp_path):
    train = write_scene(tmp_path / "train", "a", 3)
    test = write_scene(tmp_path / "test", "bb", 2)
    file = tmp_path / "tiny.py"
    config.update({"steps": 4, "evaluate_every": 2, "log_every": 2, "batch_size": 8})
    config.data.update({"crop": 32, "validation_size": 2, "kernel_size": 5})
    file.write_text(
        "from ml_collections import ConfigDict\n"
        "from kernel_space_jax.training.config import defaults\n"
        "def get_config():\n"
        "    config = defaults('restorer')\n"
        f"    config.update({json.loads(config.to_json())!r})\n"
        "    return config\n"
    )
    out = tmp_path / "run"
    words = f"blur-swap --train {train} --test {test} -o {out} --config {file}"
    more = f"--weights {space} --leaves --config.model.width=2"
    done = kernel_space_here(*words.split(), *more.split())
    assert done.returncode == 0, done.stderr
    table = json.loads((out / "scores" / "summary.json").read_text())
    assert list(table["methods"]) == ["blurry", "original", "swapped", "dead-leaves"]
    assert all(row["PSNR"]["count"] == 2 for row in table["methods"].values())
    assert [row["values"]["PSNR"] for row in table["published"]] == [
        30.70, 29.43, 30.20, 28.49
    ]  # fmt: skip
    assert (out / "curves.png").stat().st_size > 5_000
    assert len(list((out / "swapped" / "blurry").iterdir())) == 3
    # The word on the command line reached the network that was scored.
    assert weights.load(out / "swapped.safetensors").module.width == 2


def test_a_pair_that_was_trained_on_is_no_test(config, space, tmp_path):
    train = write_scene(tmp_path / "train", "a", 2)
    with pytest.raises(UserError, match="a0 is in .* share no scene"):
        blur_swap(tmp_path / "run", train, train, config, weights.load(space))
    with pytest.raises(UserError, match="'kernel_space', not 'restorer'"):
        wrong = defaults("kernel_space")
        blur_swap(tmp_path / "run", train, train, wrong, weights.load(space))
    assert not (tmp_path / "run").exists()


def test_the_talks_losses():
    """From original to swapped: 1.27 dB on REDS, 1.71 on GoPro."""
    reds, reds_swapped, gopro, gopro_swapped = (
        row.values["PSNR"] for row in BLUR_SWAP.published
    )
    assert reds - reds_swapped == pytest.approx(1.27)
    assert gopro - gopro_swapped == pytest.approx(1.71)
