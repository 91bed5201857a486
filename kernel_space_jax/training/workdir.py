"""The work directory of a run: whose it is, and which config it was last run with."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kernel_space_jax.errors import UserError
from kernel_space_jax.files import write_whole
from kernel_space_jax.training.checkpoint import read_json
from kernel_space_jax.training.config import defaults
from kernel_space_jax.training.task import Config

CONFIG = "config.json"


def remember(config: Config, workdir: Path, say: Callable[[str], None]) -> None:
    """Writes the config into the work directory; says how it differs from before."""
    new = json.loads(config.to_json())
    path = workdir / CONFIG
    if path.exists():
        old = read_json(path)
        if old.get("task") != new["task"]:
            raise UserError(
                f"{workdir} belongs to a run of the task {old.get('task')!r}, not "
                f"{new['task']!r}; choose another work directory"
            )
        before, now = _flat(old), _flat(new)
        for key in sorted(before.keys() | now.keys()):
            if before.get(key) != now.get(key):
                say(f"config.{key} was {before.get(key)!r}, now {now.get(key)!r}")
    elif workdir.exists() and any(workdir.iterdir()):
        raise UserError(
            f"{workdir} holds files that are not a run's; choose another work directory"
        )
    write_whole(path, (json.dumps(new, indent=2) + "\n").encode())


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
    stored = read_json(path)
    network = stored["model"].get("network")
    config = defaults(stored["task"], **({"network": network} if network else {}))
    config.update(stored)
    return config
