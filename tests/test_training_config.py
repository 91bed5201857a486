"""Configs: every published one holds together, every mistake is one sentence."""

import json
from pathlib import Path

import pytest

from kernel_space_jax.errors import UserError
from kernel_space_jax.training.config import (
    build_task,
    defaults,
    load_config,
)
from kernel_space_jax.training.loop import train

CONFIGS = Path(__file__).parents[1] / "configs"
SAMPLES = CONFIGS.parent / "data" / "samples"
SYNTHETIC = CONFIGS / "kernel_space_synthetic.py"


@pytest.mark.parametrize("name", sorted(p.name for p in CONFIGS.glob("*.py")))
def test_every_config_builds(name):
    folder = f":{SAMPLES}" if "folder" in name else ""
    config = load_config(f"{CONFIGS / name}{folder}")
    config.init_from = ""
    assert build_task(config)
    assert len(config.data.train) == len(config.data.weights)
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
    ],
)
def test_a_config_that_cannot_run(tmp_path, change, said):
    config = defaults("kernel_space")
    config.update(change)
    with pytest.raises(UserError, match=said):
        train(config, tmp_path / "run", say=print)


def test_a_work_directory_of_something_else(tmp_path):
    config = defaults("kernel_space")
    other = tmp_path / "other"
    other.mkdir()
    (other / "config.json").write_text(json.dumps({"task": "blur2blur"}))
    with pytest.raises(UserError, match="belongs to a run of the task 'blur2blur'"):
        train(config, other, say=print)
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "a.png").write_bytes(b"")
    with pytest.raises(UserError, match="holds files that are not a run's"):
        train(config, photos, say=print)
    assert sorted(p.name for p in photos.iterdir()) == ["a.png"]
