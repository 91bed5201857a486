"""docs/extending.md is true: what its examples add goes through every door."""

import re
import sys
from pathlib import Path
from types import ModuleType

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from commands import BLURRY, kernel_space_here
from evaluation_data import picture

import kernel_space_jax as ks
from kernel_space_jax.cli.app import app
from kernel_space_jax.datasets.layouts import LAYOUTS
from kernel_space_jax.deblur.methods import METHODS
from kernel_space_jax.evaluation.protocols import PROTOCOLS
from kernel_space_jax.models.generators import GENERATORS
from kernel_space_jax.models.restorers import NETWORKS, PRESETS
from kernel_space_jax.solvers import minimise
from kernel_space_jax.solvers.search.blind_search import Rate
from kernel_space_jax.training.config import TASKS

GUIDE = (Path(__file__).parents[1] / "docs" / "extending.md").read_text()
TABLES = (METHODS, NETWORKS, PRESETS, GENERATORS, TASKS, PROTOCOLS, LAYOUTS)
EXAMPLES = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)


@pytest.fixture(scope="module")
def added():
    """The names that the examples define; the tables are as before afterwards."""
    before = [dict(table) for table in TABLES]
    module = ModuleType("extended")
    # The example of a task names the file that it would be.
    code = "\n".join(EXAMPLES)
    code = code.replace("kernel_space_jax.training.tasks.denoise", "extended")
    sys.modules["extended"] = module
    exec(compile(code, "docs/extending.md", "exec"), module.__dict__)
    yield module
    del sys.modules["extended"]
    app.registered_commands[:] = [
        command
        for command in app.registered_commands
        if command.callback is None or command.callback.__module__ != "extended"
    ]
    for table, rows in zip(TABLES, before, strict=True):
        table.clear()
        table.update(rows)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Photos laid out as the example of a layout wants them."""
    root = tmp_path_factory.mktemp("pairs")
    for i in range(3):
        x = picture(i, (64, 72))
        y = np.asarray(ks.Uniform()(jnp.asarray(x)[None], jnp.full((3, 3), 1 / 9)))[0]
        for name, image in (("before", y), ("after", x)):
            ks.write(root / str(i) / f"{name}.png", ks.Photo(image))
    return f"before_after:{root}"


def test_the_examples_are_short():
    assert len(EXAMPLES) == 9
    code = [[line for line in e.splitlines() if line.strip()] for e in EXAMPLES]
    # A task has more to say than the others.
    assert sorted(map(len, code))[-2] < 40


def test_a_generator(added, tmp_path):
    module = added.Decoder(features=8)
    variables = module.init(jax.random.key(0), *module.inputs())
    file, photo = tmp_path / "decoder.safetensors", tmp_path / "photo.png"
    ks.weights.write(file, module, variables, origin="a test", licence="none")
    ks.write(photo, ks.Photo(picture(0, (16, 16))))
    words = f"deblur {photo} -o {tmp_path}/out --method face --weights {file}"
    run = kernel_space_here(*words.split(), "--starts", "1", "--kernel-size", "3")
    assert run.returncode == 0, run.stderr
    assert ks.read(tmp_path / "out" / "photo.png").pixels.shape == (16, 16, 3)


def write_config(path: Path, text: str, pairs: str) -> Path:
    path.write_text(
        "from kernel_space_jax.training.config import defaults\n"
        "def get_config():\n"
        f"    config = {text}\n"
        f"    config.data.train = ({pairs!r},)\n"
        f"    config.data.validation = {pairs!r}\n"
        "    config.steps = config.evaluate_every = config.log_every = 30\n"
        "    config.batch_size = config.data.validation_size = 2\n"
        "    config.data.crop, config.data.blur = 32, 'none'\n"
        "    config.learning_rate = 3e-2\n"
        "    return config\n"
    )
    return path


def test_a_network_goes_through_every_door(added, pairs, tmp_path):
    config = "defaults('supervised', network='unsharp-2')"
    file = write_config(tmp_path / "config.py", config, pairs)
    weights = tmp_path / "unsharp.safetensors"
    for words in (
        ["train", "--config", file, "--workdir", tmp_path / "run"],
        ["export", tmp_path / "run", "-o", weights],
        ["describe", weights],
        ["deblur", BLURRY, "-o", tmp_path, "--method", "unsharp-2"]
        + ["--weights", weights, "--tile", "256"],
    ):
        done = kernel_space_here(*words)
        assert done.returncode == 0, done.stderr
    amount = ks.load(weights).variables["params"]["amount"]
    assert (amount > 0.3).all()
    y, x = (ks.read(p).pixels for p in (BLURRY, tmp_path / BLURRY.name))
    assert np.abs(np.diff(x, axis=1)).mean() > 1.1 * np.abs(np.diff(y, axis=1)).mean()
    words = f"evaluate --data {pairs} --protocol absolute --method blurry"
    done = kernel_space_here(*words.split(), "--weights", weights, "-o", tmp_path / "e")
    assert done.returncode == 0, done.stderr
    table = (tmp_path / "e" / "table.md").read_text()
    errors = {
        row.split("|")[1].strip(): float(row.split("|")[-2].split()[0])
        for row in table.splitlines()
        if row.startswith(("| blurry", "| unsharp"))
    }
    assert errors["unsharp"] < errors["blurry"]


def test_a_method_and_its_option(added, tmp_path):
    photo = ks.read(BLURRY).pixels
    with pytest.raises(ks.UserError, match="times is for the method darken; map has"):
        ks.deblur(photo, "map", times=2)
    found = ks.deblur(photo, "darken", times=2, tile=256)
    np.testing.assert_allclose(found.image, photo / 4, atol=1e-6)
    done = kernel_space_here("deblur", BLURRY, "-o", tmp_path, "--method", "darken")
    assert done.returncode == 0, done.stderr
    half = ks.read(tmp_path / BLURRY.name).pixels
    np.testing.assert_allclose(half, photo / 2, atol=0.51 / 255)


def test_a_kind_of_training_learns(added, pairs, tmp_path):
    file = write_config(tmp_path / "config.py", "defaults('denoise')", pairs)
    run = tmp_path / "run"
    done = kernel_space_here("train", "--config", file, "--workdir", run)
    assert done.returncode == 0, done.stderr
    assert "step 30" in done.stderr and (run / "curves.png").exists()
    done = kernel_space_here(
        "train", "--config", file, "--workdir", run, "--config.steps=31"
    )
    assert "going on from step 30" in done.stderr


def test_a_verb(added):
    done = kernel_space_here("brightness", BLURRY)
    assert done.stdout.endswith(f"{ks.read(BLURRY).pixels.mean():.3f}\n")


def test_a_layout(added, pairs, tmp_path):
    assert kernel_space_here("data", "check", pairs).returncode == 0
    (tmp_path / "alone").mkdir()
    done = kernel_space_here("data", "check", f"before_after:{tmp_path}")
    assert done.returncode and "lacks before.png" in done.stdout + done.stderr


def test_an_operator_is_searched_under(added):
    """The radius of a disc, found by descent from a wrong one."""
    x = jnp.asarray(picture(4, (48, 48)))[None]
    blur = added.Defocus(11)
    np.testing.assert_allclose(blur(x, jnp.float32(0.1)), x, atol=1e-6)
    y = blur(x, jnp.float32(3.0))

    def loss(k, step, key):
        return jnp.mean(jnp.square(blur(x, k) - y))

    rate = Rate(0.1).optimiser()
    found = minimise(loss, jnp.float32(1.5), rate, steps=60, key=jax.random.key(0))
    assert abs(found.params - 3.0) < 0.1
