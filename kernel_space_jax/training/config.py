"""What a run is made of: a ConfigDict that every key and type is checked against.

A file in configs/ is `config = defaults("kernel_space")` and then flat assignments;
`--config.key=value` on the command line overrides them.
"""

import inspect
import re
import runpy
from ast import literal_eval as literal
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, get_args, get_type_hints

from ml_collections import ConfigDict

from kernel_space_jax.errors import UserError, nearest, unknown
from kernel_space_jax.training import optimisers
from kernel_space_jax.training.task import Config, Task

# The files of configs/, wherever the package is.
SHIPPED = Path(__file__).parent.parent / "configs"


class Row(NamedTuple):
    """A task: its module, and what is fixed of the module's options.

    The module has `PLAYERS`, the names of the networks that learn, `options(...)`, the
    defaults of `config.model`, and `build(config, descents) -> Task`. If a player makes
    more than one update a step, `UPDATES` has the key of `config.model` that says how
    many, by the player's name.
    """

    module: str
    fixed: dict[str, Any] = {}


TASKS = {
    "kernel_space": Row("kernel_space_jax.training.tasks.kernel_space"),
    "basis": Row("kernel_space_jax.training.tasks.basis"),
    "basis_encoder": Row("kernel_space_jax.training.tasks.basis_encoder"),
    "judge": Row("kernel_space_jax.training.tasks.judge"),
    "mender": Row("kernel_space_jax.training.tasks.mender"),
    "supervised": Row("kernel_space_jax.training.tasks.supervised"),
    "adversarial": Row("kernel_space_jax.training.tasks.adversarial"),
    "cycle": Row("kernel_space_jax.training.tasks.cycle"),
    "dual": Row("kernel_space_jax.training.tasks.dual"),
    "blur2blur": Row("kernel_space_jax.training.tasks.blur2blur"),
    "generator": Row("kernel_space_jax.training.tasks.generator"),
    "restorer": Row(
        "kernel_space_jax.training.tasks.supervised", {"network": "compact"}
    ),
}


def defaults(task: str, **options: Any) -> Config:
    """Every key that a run of this task has, with its default.

    Some tasks have options that others depend on: `defaults("supervised",
    network="nafnet-32")` has the keywords of that network in `config.model`.
    """
    config: Config = ConfigDict()
    config.task = task
    config.seed = 0
    config.steps = 1000
    config.batch_size = 8  # examples a step, over all devices and hosts
    # Larger crops as training goes on: (first step, crop, batch size), (...), ...
    config.stages = ()
    config.accumulate = 1  # micro-batches a step

    config.data = ConfigDict()
    # What is read (see docs/data.md), or "synthetic": dead leaves, made on the device.
    config.data.train = ("synthetic",)  # () where all data are named streams
    config.data.weights = (1.0,)  # how often each is drawn
    config.data.validation = "synthetic"
    config.data.validation_size = 16
    config.data.crop = 256
    # Crops are mirrored and turned by quarters: "turn"; "mirror" is for images that
    # have an up, such as faces; or "none".
    config.data.augment = "turn"
    config.data.pipeline = "grain"  # or "tf"
    config.data.workers = 0  # processes that read; 0: threads of this one
    config.data.leaves = 0.0  # the part of sharp images that dead leaves stand in for
    # Half of the sharp images keep this part of their resolution or more: no camera's
    # photo is as sharp as its pixels.
    config.data.soft = 1.0
    # The part of photos that is used until the first of `stages`: the sharpest.
    config.data.sharpest = 1.0
    # Blur made on the device where the data has none: one camera "shake" for an image,
    # the same seen by a camera ("rsblur"), a "scene" whose objects all move
    # differently, the faults of old files ("bsrgan"), or "none".
    config.data.blur = "shake"
    config.data.fresh = 0.0  # the part of pairs whose sharp image gets such blur too
    config.data.kernel_size = 33
    config.data.noise = 0.0  # standard deviation of noise added to a shake
    config.data.objects = 3  # in a scene, before a background
    config.data.still = 0.0  # the part of them that do not move
    config.data.grain = (1.0, 1.0)  # variance of its noise over a good camera's: range
    # More data beside these, each drawn by itself and seen as batch[NAME]:
    # streams.NAME has any of the keys above, and takes the rest from here.
    config.data.streams = ConfigDict(type_safe=False)

    # How every network learns, and what is different for one of them: players.NAME.
    config.update(optimisers.defaults())
    config.players = ConfigDict(type_safe=False)

    config.dtype = "float32"  # of the activations: or "bfloat16"
    config.parallel = "jit"  # or "pmap"
    config.model_devices = 1  # devices that share one copy of the parameters

    config.log_every = 50
    config.evaluate_every = 500
    config.checkpoint_every = 500
    config.keep = 3  # checkpoints, besides the best
    config.best = "psnr"  # the validation score, higher is better; "" for none
    config.init_from = ""  # a weight file to start from

    module, fixed = _task(task)
    config.model = module.options(**{**fixed, **options})
    return config


def defaults_like(task: str, model: Mapping[str, Any]) -> Config:
    """The defaults of a run of this task with the same networks as `model` names.

    They are the parameters of the `options` of the task's module.
    """
    module, _ = _task(task)
    names = inspect.signature(module.options).parameters
    return defaults(task, **{name: model[name] for name in names if name in model})


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """The config of a file, with `--config.key=value` words on top.

    A file may take a word: configs/kernel_space_synthetic.py:full. The parameter of its
    `get_config` is then any str, or a Literal of the words that there are.
    """
    file, _, word = str(path).partition(":")
    if not Path(file).is_file():
        file = _shipped(file)
    try:
        make = runpy.run_path(file)["get_config"]
        if word:
            _check_word(file, word, make)
        config = make(word) if word else make()
    except UserError:
        raise
    except Exception as error:
        # Whatever code a config holds may fail in any way.
        reason = f"{type(error).__name__}: {error}"
        raise UserError(f"{path} is not a config ({reason})") from None
    for override in overrides:
        _override(config, override)
    return config.lock()


def _shipped(file: str) -> str:
    """A config that comes with the package: "configs/mender.py", or "mender"."""
    shipped = {path.stem: path for path in sorted(SHIPPED.glob("*.py"))}
    folder, name = Path(file).parent.name, Path(file).stem
    if Path(file).is_dir():
        raise UserError(f"{file} is a folder; give a config")
    if name not in shipped or folder not in ("", "configs"):
        raise UserError(
            f"{file} does not exist{nearest(name, shipped)}; give a config, or one of "
            f"those that come with the package, {', '.join(shipped)}"
        )
    return str(shipped[name])


def _check_word(file: str, word: str, make: Callable[..., Config]) -> None:
    """A `UserError` unless the config of a file takes that word."""
    kinds = [kind for name, kind in get_type_hints(make).items() if name != "return"]
    if not kinds:
        raise UserError(f"{file} takes no word; leave out ':{word}'")
    words = get_args(kinds[0])
    if words and word not in words:
        raise UserError(f"{file} has no '{word}'; it takes {', '.join(words)}")


def _override(config: Config, word: str) -> None:
    """Sets one key, with the type that it has."""
    match = re.fullmatch(r"--config\.([\w.]+)=(.*)", word, re.DOTALL)
    if not match:
        raise UserError(f"'{word}' is not understood; write --config.KEY=VALUE")
    *groups, key = match[1].split(".")
    known = _known(config, groups)
    for name in groups:
        if name not in config and not config.is_type_safe:
            config[name] = ConfigDict(type_safe=False)
        config = config.get(name)
        if not isinstance(config, ConfigDict):
            raise UserError(f"the config has no group {name!r}, as in {word}")
    known = config if known is None else known
    free = not known.is_type_safe  # a group whose keys depend on another one
    if key not in known and not free:
        near = get_close_matches(key, known.keys(), 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise UserError(f"the config has no key {match[1]!r}{hint}")
    old = known.get(key)
    if isinstance(old, ConfigDict):
        raise UserError(f"config.{match[1]} is a group; set one of {sorted(old)}")
    try:
        config[key] = literal(match[2]) if free else _parse(match[2], type(old))
    except (ValueError, SyntaxError, TypeError):
        kind = type(old).__name__
        raise UserError(
            f"config.{match[1]} takes a value of type {kind}, not {match[2]!r}"
        ) from None


def _known(config: Config, groups: list[str]) -> Config | None:
    """The keys and types of a group that starts empty; None for any other group."""
    match groups:
        case ["players", _]:
            return optimisers.defaults()
        case ["data", "streams", _]:
            return config.data
    return None


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


def build_task(config: Config, axis: str | None = None) -> Task:
    """The task that the config names; `axis` is that of the devices of a `pmap`."""
    module, _ = _task(config.task)
    updates = getattr(module, "UPDATES", {})
    descents = optimisers.build_descents(
        config,
        module.PLAYERS,
        axis,
        updates={player: config.model[key] for player, key in updates.items()},
    )
    return module.build(config, descents)


def _task(name: str) -> tuple[Any, dict[str, Any]]:
    if name not in TASKS:
        raise unknown("task", name, TASKS)
    row = TASKS[name]
    return import_module(row.module), row.fixed
