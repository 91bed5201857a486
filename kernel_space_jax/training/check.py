"""What every run is asked before anything is built: the numbers and words of a config.

Whether its networks fit together is tried on shapes (trial.py); how each player learns
is checked where its optimiser is made (optimisers.py).
"""

from difflib import get_close_matches
from typing import Any, get_args

from ml_collections import ConfigDict

from kernel_space_jax.backend import devices
from kernel_space_jax.datasets.crops import Augment
from kernel_space_jax.errors import UserError
from kernel_space_jax.training.config import defaults_like
from kernel_space_jax.training.data import PIPELINES, streams
from kernel_space_jax.training.preparation import BLURS
from kernel_space_jax.training.stages import stages
from kernel_space_jax.training.task import Config

DTYPES = ("float32", "bfloat16")
# The least that a number may be, of a run and of each of its streams of data.
RUN = dict.fromkeys(
    ("steps", "batch_size", "accumulate", "model_devices", "keep")
    + ("log_every", "evaluate_every", "checkpoint_every"),
    1,
)
DATA = {"crop": 1, "validation_size": 1, "workers": 0, "objects": 0, "noise": 0}
# Parts of a whole.
SHARES = ("leaves", "still", "soft", "fresh", "sharpest")
# The least of a network's numbers, by how their names end.
MODEL = dict.fromkeys(
    ("width", "scales", "basis", "candidates", "tried", "echoes")
    + ("layers", "updates", "pool"),
    1,
) | dict.fromkeys(("blocks", "variants", "alike"), 0)


def check_config(config: Config) -> None:
    """A `UserError` for the first key of a config that cannot be as it is."""
    _known(config, defaults_like(config.task, config.model), "")
    for name, least in RUN.items():
        _at_least(name, config[name], least)
    _one_of("dtype", config.dtype, DTYPES)
    for name, data in streams(config.data).items():
        _check_data(data, f"data.streams.{name}" if name else "data")
    _check_model(config.model, "model")
    _check_devices(config)


def _known(config: Config, known: Config, above: str) -> None:
    for key, value in config.items():
        if key not in known:
            near = get_close_matches(key, known.keys(), 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise UserError(f"the config has no key {above + key!r}{hint}")
        free = not isinstance(known[key], ConfigDict) or not known[key].is_type_safe
        if not free:
            _known(value, known[key], f"{above}{key}.")


def _check_data(data: Config, where: str) -> None:
    for name, least in DATA.items():
        _at_least(f"{where}.{name}", data[name], least)
    for name in SHARES:
        if not 0 <= data[name] <= 1:
            raise UserError(f"{where}.{name}={data[name]} must be from 0 to 1")
    _one_of(f"{where}.pipeline", data.pipeline, PIPELINES)
    _one_of(f"{where}.augment", data.augment, get_args(Augment))
    _one_of(f"{where}.blur", data.blur, tuple(BLURS))
    if data.blur != "none" and (data.kernel_size < 3 or data.kernel_size % 2 == 0):
        raise UserError(
            f"{where}.kernel_size={data.kernel_size} must be an odd number from 3 on"
        )
    grain = tuple(data.grain)
    if len(grain) != 2 or not 0 < grain[0] <= grain[1]:
        raise UserError(f"{where}.grain={grain} must be two numbers, 0 < first <= last")
    if any(not weight > 0 for weight in data.weights):
        raise UserError(f"{where}.weights={tuple(data.weights)} must all be above 0")


def _check_model(model: Config, where: str) -> None:
    for name, value in model.items():
        if isinstance(value, ConfigDict):
            _check_model(value, f"{where}.{name}")
            continue
        for ending, least in MODEL.items():
            if name.endswith(ending):
                for number in value if isinstance(value, list | tuple) else (value,):
                    _at_least(f"{where}.{name}", number, least)


def _check_devices(config: Config) -> None:
    count = len(devices())
    if count % config.model_devices:
        raise UserError(
            f"model_devices={config.model_devices} does not divide the "
            f"{count} devices; choose a divisor"
        )
    copies = count // config.model_devices
    share = copies * config.accumulate
    for size in (config.batch_size, *(stage.batch_size for stage in stages(config))):
        if size % share:
            raise UserError(
                f"batch_size={size} does not divide among {copies} devices "
                f"in {config.accumulate} parts; choose a multiple of {share}"
            )


def _at_least(name: str, value: float, least: int) -> None:
    if not value >= least:
        raise UserError(f"{name}={value} must be at least {least}")


def _one_of(name: str, value: Any, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UserError(f"{name}={value!r} is unknown; it is one of {', '.join(known)}")
