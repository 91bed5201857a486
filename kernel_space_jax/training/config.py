"""What a run is made of: a ConfigDict that every key and type is checked against.

A file in configs/ is `config = defaults("kernel_space")` and then flat assignments;
`--config.key=value` on the command line overrides them.
"""

import re
import runpy
from ast import literal_eval as literal
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any

import optax
from ml_collections import ConfigDict

from kernel_space_jax import schedules
from kernel_space_jax.errors import UserError
from kernel_space_jax.training.optimise import Descent
from kernel_space_jax.training.task import Config, Task

# A task is a module with `options() -> ConfigDict`, its defaults, and
# `build(config, descent) -> Task`.
TASKS = {
    "kernel_space": "kernel_space_jax.training.tasks.kernel_space",
    "basis": "kernel_space_jax.training.tasks.basis",
    "basis_encoder": "kernel_space_jax.training.tasks.basis_encoder",
    "judge": "kernel_space_jax.training.tasks.judge",
    "mender": "kernel_space_jax.training.tasks.mender",
    "restorer": "kernel_space_jax.training.tasks.restorer",
}

SCHEDULES: dict[str, Callable[..., optax.Schedule]] = {
    "constant": optax.constant_schedule,
    "cosine": optax.cosine_decay_schedule,  # over decay_steps; all steps by default
    "cosine_restarts": schedules.cosine_restarts,
    "multistep_restarts": schedules.multistep_restarts,
    "constant_then_linear": schedules.constant_then_linear,
}


def defaults(task: str) -> Config:
    """Every key that a run of this task has, with its default."""
    config: Config = ConfigDict()
    config.task = task
    config.seed = 0
    config.steps = 1000
    config.batch_size = 8  # examples a step, over all devices and hosts
    config.accumulate = 1  # micro-batches a step

    config.data = ConfigDict()
    # What is read (see docs/data.md), or "synthetic": dead leaves, made on the device.
    config.data.train = ("synthetic",)
    config.data.weights = (1.0,)  # how often each is drawn
    config.data.validation = "synthetic"
    config.data.validation_size = 16
    config.data.crop = 256
    config.data.pipeline = "grain"  # or "tf"
    config.data.workers = 0  # processes that read; 0: threads of this one
    config.data.leaves = 0.0  # the part of sharp images that dead leaves stand in for
    # Half of the sharp images keep this part of their resolution or more: no camera's
    # photo is as sharp as its pixels.
    config.data.soft = 1.0
    # Blur made on the device where the data has none: one camera "shake" for an image,
    # a "scene" whose objects all move differently, or "none".
    config.data.blur = "shake"
    config.data.kernel_size = 33
    config.data.noise = 0.0  # standard deviation of noise added to a shake
    config.data.objects = 3  # in a scene, before a background
    config.data.still = 0.0  # the part of them that do not move
    config.data.grain = (1.0, 1.0)  # variance of its noise over a good camera's: range

    config.learning_rate = 1e-4
    config.schedule = "constant"
    config.schedule_options = ConfigDict(convert_dict=False, type_safe=False)
    config.b1, config.b2 = 0.9, 0.999
    config.clip_norm = 0.0  # 0: gradients are not clipped
    config.ema = 0.0  # 0: no average of the parameters is kept

    config.dtype = "float32"  # of the activations: or "bfloat16"
    config.parallel = "jit"  # or "pmap"
    config.model_devices = 1  # devices that share one copy of the parameters

    config.log_every = 50
    config.evaluate_every = 500
    config.checkpoint_every = 500
    config.keep = 3  # checkpoints, besides the best
    config.best = "psnr"  # the validation score, higher is better, that says which
    config.init_from = ""  # a weight file to start from

    config.model = _task_module(task).options()
    return config


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """The config of a file, with `--config.key=value` words on top.

    A file may take a word: configs/kernel_space_synthetic.py:full.
    """
    file, _, word = str(path).partition(":")
    if not Path(file).is_file():
        raise UserError(f"{file} does not exist; give a file of configs/")
    try:
        make = runpy.run_path(file)["get_config"]
        config = make(word) if word else make()
    except (ImportError, SyntaxError, NameError, KeyError, TypeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise UserError(f"{file} is not a config ({reason})") from None
    for override in overrides:
        _override(config, override)
    return config.lock()


def _override(config: Config, word: str) -> None:
    """Sets one key, with the type that it has."""
    match = re.fullmatch(r"--config\.([\w.]+)=(.*)", word, re.DOTALL)
    if not match:
        raise UserError(f"'{word}' is not understood; write --config.KEY=VALUE")
    *groups, key = match[1].split(".")
    for name in groups:
        config = config.get(name)
        if not isinstance(config, ConfigDict):
            raise UserError(f"the config has no group {name!r}, as in {word}")
    old = config.get(key)
    free = not config.is_type_safe  # a group whose keys depend on another one
    if key not in config and not free:
        near = get_close_matches(key, config.keys(), 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise UserError(f"the config has no key {match[1]!r}{hint}")
    if isinstance(old, ConfigDict):
        raise UserError(f"config.{match[1]} is a group; set one of {sorted(old)}")
    try:
        config[key] = _parse(match[2], type(old)) if not free else literal(match[2])
    except (ValueError, SyntaxError, TypeError):
        kind = type(old).__name__
        raise UserError(
            f"config.{match[1]} takes a value of type {kind}, not {match[2]!r}"
        ) from None


def _parse(text: str, kind: type) -> Any:
    if kind is str:
        return text
    if kind is bool:
        text = text.capitalize()
    value = literal(text)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise ValueError
    return value


def build_descent(config: Config, axis: str | None) -> Descent:
    """Adam with the config's schedule, clipping, average and micro-batches."""
    if config.schedule not in SCHEDULES:
        known = ", ".join(SCHEDULES)
        raise UserError(f"schedule={config.schedule!r} is unknown; there are {known}")
    options: dict[str, Any] = dict(config.schedule_options)
    if config.schedule == "cosine":
        # Some tasks make several updates from each batch.
        options.setdefault("decay_steps", config.steps * config.model.get("echoes", 1))
    try:
        schedule = SCHEDULES[config.schedule](config.learning_rate, **options)
    except TypeError as error:
        raise UserError(f"schedule_options do not fit: {error}") from None
    adam = optax.adam(schedule, b1=config.b1, b2=config.b2)
    if config.clip_norm > 0:
        adam = optax.chain(optax.clip_by_global_norm(config.clip_norm), adam)
    return Descent(adam, ema=config.ema, parts=config.accumulate, axis=axis)


def build_task(config: Config, descent: Descent) -> Task:
    """The task that the config names."""
    return _task_module(config.task).build(config, descent)


def _task_module(task: str) -> Any:
    if task not in TASKS:
        raise UserError(f"task={task!r} is unknown; there are {', '.join(TASKS)}")
    return import_module(TASKS[task])
