"""Configs: every published one holds together, every mistake is one sentence."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny_task  # noqa: F401

from kernel_space_jax import Photo, weights, write
from kernel_space_jax.errors import UserError
from kernel_space_jax.models.restorers.compact import Compact
from kernel_space_jax.training.check import check_config
from kernel_space_jax.training.config import (
    build_task,
    defaults,
    load_config,
)
from kernel_space_jax.training.data import streams
from kernel_space_jax.training.loop import train

CONFIGS = Path(__file__).parents[1] / "configs"
SAMPLES = CONFIGS.parent / "data" / "samples"
SYNTHETIC = CONFIGS / "kernel_space_synthetic.py"


@pytest.mark.parametrize("name", sorted(p.name for p in CONFIGS.glob("*.py")))
def test_every_config_builds(name, tmp_path):
    words = {"basis_folder.py": SAMPLES, "adapt.py": tmp_path / "start.safetensors"}
    if name == "adapt.py":
        start = Compact(width=4, scales=1, blocks=1)
        variables = start.init(jax.random.key(0), jnp.zeros((1, 64, 64, 3)))
        weights.write(words[name], start, variables, origin="", licence="")
    word = f":{words[name]}" if name in words else ""
    config = load_config(f"{CONFIGS / name}{word}")
    config.init_from = ""
    check_config(config)
    assert build_task(config)
    for data in streams(config.data).values():
        assert len(data.train) == len(data.weights)
    assert '"""' in (CONFIGS / name).read_text()


def test_a_config_takes_its_word_and_overrides():
    config = load_config(f"{SYNTHETIC}:full", ["--config.model.width=48"])
    assert config.model.width == 48 and config.model.front_blocks == 10
    assert load_config(SYNTHETIC).model.front_blocks == 2


@pytest.mark.parametrize(
    "path, word, said",
    [
        (CONFIGS / "missing.py", "", "missing.py does not exist"),
        (SYNTHETIC, "--config.stepz=3", "did you mean 'steps'"),
        (SYNTHETIC, "--config.model.with=3", "with"),
        (SYNTHETIC, "--config.steps=many", "type int, not 'many'"),
        (SYNTHETIC, "--config.steps=1.5", "type int, not '1.5'"),
        (SYNTHETIC, "--config.model=3", "config.model is a group"),
        (SYNTHETIC, "--steps=3", "'--steps=3' is not understood"),
    ],
)
def test_a_mistake_is_one_sentence(path, word, said):
    with pytest.raises(UserError, match=said) as error:
        load_config(path, [word] if word else [])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "change, said",
    [
        ({"schedule": "linear"}, "schedule='linear' is unknown"),
        ({"schedule": "cosine_restarts"}, "schedule_options do not fit"),
        ({"parallel": "tpu"}, "parallel='tpu' is unknown"),
        ({"steps": 0}, "steps=0 must be at least 1"),
        ({"batch_size": 0}, "batch_size=0 must be at least 1"),
        ({"batch_size": 5, "accumulate": 2}, "choose a multiple of 2"),
        ({"model_devices": 3}, "does not divide the"),
        ({"steps": -5}, "steps=-5 must be at least 1"),
        ({"keep": 0}, "keep=0 must be at least 1"),
        ({"dtype": "float99"}, "dtype='float99' is unknown"),
        ({"learning_rate": -1.0}, "learning_rate=-1.0 of kernel_space must be"),
        ({"b1": 1.0}, "b1=1.0 of kernel_space must be from 0 to below 1"),
        ({"schedule": "cosine", "schedule_options": {"decay_steps": 0}}, "do not fit"),
        ({"data": {"crop": 0}}, "data.crop=0 must be at least 1"),
        ({"data": {"validation_size": 0}}, "data.validation_size=0 must be"),
        ({"data": {"pipeline": "foo"}}, "data.pipeline='foo' is unknown"),
        ({"data": {"blur": "foo"}}, "data.blur='foo' is unknown"),
        ({"data": {"kernel_size": 4}}, "data.kernel_size=4 must be an odd number"),
        ({"data": {"still": 1.5}}, "data.still=1.5 must be from 0 to 1"),
        ({"data": {"grain": (2.0, 1.0)}}, "data.grain=.2.0, 1.0. must be two numbers"),
        ({"data": {"weights": (-1.0,)}}, "data.weights=.-1.0,. must all be above 0"),
        ({"data": {"train": ("gopro:/none",)}}, "/none does not exist"),
        ({"data": {"validation": "images:/none"}}, "/none does not exist"),
        ({"model": {"width": 0}}, "model.width=0 must be at least 1"),
        ({"model": {"front_blocks": -1}}, "model.front_blocks=-1 must be at least 0"),
        ({"model": {"padding": "foo"}}, "padding='foo' is none of"),
        ({"model": {"norm": "foo"}}, "norm='foo' is none of"),
        ({"best": "ssmi"}, "best='ssmi' is no score of the task kernel_space; it has"),
        ({"init_from": "judge"}, "judge holds another network"),
        ({"stepz": 3}, "the config has no key 'stepz'; did you mean 'steps'"),
        ({"data": {"crops": 3}}, "no key 'data.crops'; did you mean 'crop'"),
    ],
)
def test_a_config_that_cannot_run(tmp_path, change, said):
    """Found before anything is written."""
    config = defaults("kernel_space")
    config.model.update(width=4, tail_width=4, front_blocks=1, back_blocks=1)
    config.model.code_blocks = 1
    config.data.crop = 128
    config.data.validation_size = config.batch_size = 1
    config.update(change)
    with pytest.raises(UserError, match=said) as error:
        train(config, tmp_path / "run", say=print)
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "change, said",
    [
        ({"model": {"decoder_blocks": (1, 1, 1)}}, "as many decoder_blocks as enc"),
        (
            {"model": {"encoder_blocks": (1, -1)}},
            "encoder_blocks=-1 must be at least 0",
        ),
        ({"data": {"blur": "none"}}, "the task supervised cannot run with this config"),
    ],
)
def test_networks_that_cannot_be(tmp_path, change, said):
    config = defaults("supervised", network="nafnet")
    config.model.update(width=4, encoder_blocks=(1, 1), decoder_blocks=(1, 1))
    config.data.crop = 24
    config.data.validation_size = config.batch_size = 1
    config.update(change)
    with pytest.raises(UserError, match=said):
        train(config, tmp_path / "run", say=print)
    assert not list(tmp_path.iterdir())


@pytest.fixture
def tiny(tmp_path):
    """A run of two steps on a few photos."""
    photos = tmp_path / "photos"
    for index in range(4):
        pixels = np.random.default_rng(index).random((24, 24, 3), np.float32)
        write(photos / f"{index}.png", Photo(pixels))
    config = defaults("tiny")
    config.data.train = (f"images:{photos}",)
    config.data.validation = f"images:{photos}"
    config.data.blur = "none"
    config.data.crop = 16
    config.data.validation_size = config.batch_size = 2
    config.steps = config.evaluate_every = 2
    config.checkpoint_every = 1
    return config


def test_a_config_that_does_not_fit_the_checkpoints(tmp_path, tiny):
    """It changes nothing, and with the old values the run goes on."""
    workdir = tmp_path / "run"
    train(tiny, workdir, say=print)
    kept = {p: p.read_bytes() for p in workdir.rglob("*") if p.is_file()}
    for change, said in (
        ({"model": {"kernel": 3}}, "config.model.kernel was 5, now 3; set it back"),
        ({"optimiser": "sgd"}, "config.optimiser was 'adam', now 'sgd'; set it back"),
        ({"ema": 0.5}, "config.ema was 0.0, now 0.5; set it back, or choose another"),
    ):
        other = tiny.copy_and_resolve_references()
        other.steps = 4
        other.update(change)
        with pytest.raises(UserError, match=said) as error:
            train(other, workdir, say=print)
        assert "remove" not in str(error.value) and "steps" not in str(error.value)
        assert {p: p.read_bytes() for p in workdir.rglob("*") if p.is_file()} == kept
    tiny.steps, heard = 3, []
    train(tiny, workdir, say=heard.append)
    assert heard[0] == "config.steps was 2, now 3" and "from step 2 of 3" in heard[1]


@pytest.mark.parametrize(
    "name, said",
    [
        ("nafnet_synthetic.py:foo", "nafnet_synthetic.py takes no word; leave out"),
        (
            "kernel_space_synthetic.py:foo",
            "has no 'foo'; it takes compact, compact-256",
        ),
        ("basis_synthetic.py:foo", "has no 'foo'; it takes compact, start, full"),
        ("nafnet_gopro.py:foo", "has no 'foo'; it takes 32, 64"),
    ],
)
def test_a_word_that_no_config_knows(name, said):
    with pytest.raises(UserError, match=said):
        load_config(CONFIGS / name)


def test_a_config_that_fails(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("def get_config():\n    return 1 / 0\n")
    with pytest.raises(UserError, match="is not a config .ZeroDivisionError"):
        load_config(file)


def test_a_work_directory_of_something_else(tmp_path):
    config = defaults("kernel_space")
    other = tmp_path / "other"
    other.mkdir()
    (other / "config.json").write_text(json.dumps({"task": "blur2blur", "model": {}}))
    with pytest.raises(UserError, match="belongs to a run of the task 'blur2blur'"):
        train(config, other, say=print)
    for text in ("{}", "[]", "no JSON"):
        (other / "config.json").write_text(text)
        with pytest.raises(
            UserError, match="is not the config of a run|cannot be read"
        ):
            train(config, other, say=print)
    with pytest.raises(UserError, match="config.json is a file; give a folder"):
        train(config, other / "config.json", say=print)
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "a.png").write_bytes(b"")
    with pytest.raises(UserError, match="holds files that are not a run's"):
        train(config, photos, say=print)
    assert sorted(p.name for p in photos.iterdir()) == ["a.png"]
