"""The work directory of a run: whose it is, and which config it was last run with."""

import json
import re
from pathlib import Path
from typing import Any

from kernel_space_jax.errors import UserError
from kernel_space_jax.files import write_whole
from kernel_space_jax.training.checkpoint import read_json
from kernel_space_jax.training.config import defaults_like
from kernel_space_jax.training.task import Config

CONFIG, CHECKPOINTS = "config.json", "checkpoints"

Values = dict[str, Any]  # of a config, by their whole names


def last_config(workdir: Path, task: str) -> Values | None:
    """The config that a work directory was last run with; None for a new one.

    A `UserError` if it is not that of a run of the task.
    """
    if workdir.exists() and not workdir.is_dir():
        raise UserError(f"{workdir} is a file; give a folder as the work directory")
    path = workdir / CONFIG
    if path.exists():
        stored = _read(path)
        if stored["task"] != task:
            raise UserError(
                f"{workdir} belongs to a run of the task {stored['task']!r}, not "
                f"{task!r}; choose another work directory"
            )
        return _flat(stored)
    if workdir.exists() and any(workdir.iterdir()):
        raise UserError(
            f"{workdir} holds files that are not a run's; choose another work directory"
        )
    return None


def remember(config: Config, workdir: Path) -> None:
    """Writes the config into the work directory."""
    text = json.dumps(json.loads(config.to_json()), indent=2)
    write_whole(workdir / CONFIG, f"{text}\n".encode())


def changes(before: Values, config: Config) -> dict[str, str]:
    """How a config differs from the one before, a sentence for each key that does."""
    now = _flat(json.loads(config.to_json()))
    return {
        key: f"config.{key} was {before.get(key)!r}, now {now.get(key)!r}"
        for key in sorted(before.keys() | now.keys())
        if before.get(key) != now.get(key)
    }


def shaping(changed: dict[str, str]) -> list[str]:
    """Those of the changes that make other arrays: networks, and how they learn."""
    return [
        text
        for key, text in changed.items()
        if re.match(r"(model|players)\.|(optimiser|momentum|clip_norm|ema)$", key)
    ]


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


def read_config(workdir: Path) -> Config:
    """The config that a work directory was last run with."""
    path = workdir / CONFIG
    if not path.exists():
        raise UserError(f"{workdir} is not the work directory of a run")
    stored = _read(path)
    config = defaults_like(stored["task"], stored["model"])
    try:
        config.update(stored)
    except TypeError as error:
        raise UserError(f"{path} does not fit this version: {error}") from None
    return config


def _read(path: Path) -> dict[str, Any]:
    stored = read_json(path)
    if not isinstance(stored, dict) or not {"task", "model"} <= stored.keys():
        raise UserError(f"{path} is not the config of a run; choose another folder")
    return stored
