"""Optimisers by name: what a config says of how each network of a task learns.

config.optimiser = "adamw"                   of every network
config.players.critic.learning_rate = 4e-4   of one: these keys on top of those
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax
from ml_collections import ConfigDict

from kernel_space_jax import schedules
from kernel_space_jax.errors import UserError
from kernel_space_jax.training.players import Descent
from kernel_space_jax.training.task import Config

SCHEDULES: dict[str, Callable[..., optax.Schedule]] = {
    "constant": optax.constant_schedule,
    "cosine": optax.cosine_decay_schedule,
    "polynomial": optax.polynomial_schedule,
    "cosine_restarts": schedules.cosine_restarts,
    "multistep_restarts": schedules.multistep_restarts,
    "constant_then_linear": schedules.constant_then_linear,
}
# What they call the number of steps, where that is all of them by default.
LENGTHS = {"cosine": "decay_steps", "polynomial": "transition_steps"}
# Which parameters decay: all, or only the weights of layers, not biases and scales.
DECAYS: dict[str, Callable[[Any], Any] | None] = {
    "all": None,
    "kernels": lambda params: jax.tree.map(lambda leaf: leaf.ndim > 1, params),
}


def defaults() -> Config:
    """The keys of a config that say how a network learns."""
    settings: Config = ConfigDict()
    settings.optimiser = "adam"  # or "adamw", "sgd"
    settings.learning_rate = 1e-4
    settings.schedule = "constant"
    settings.schedule_options = ConfigDict(convert_dict=False, type_safe=False)
    settings.warm_up = 0  # steps over which the rate rises from zero to the schedule
    settings.b1, settings.b2 = 0.9, 0.999  # of adam and adamw
    settings.momentum = 0.0  # of sgd
    settings.weight_decay = 0.0  # of adamw, times the rate
    settings.decays = "kernels"  # or "all": what it acts on
    settings.clip_norm = 0.0  # 0: gradients are not clipped
    settings.ema = 0.0  # 0: no average of the parameters is kept
    return settings


def settings_of(config: Config, player: str) -> Config:
    """What the config says of one network: its own keys on top of everyone's."""
    own = config.players.get(player, {})
    settings = defaults()
    unknown = sorted(set(own) - set(settings))
    if unknown:
        raise UserError(
            f"config.players.{player} has no key {unknown[0]!r}; "
            f"it has {', '.join(settings)}"
        )
    settings.update({key: config[key] for key in settings})
    try:
        settings.update(own)
    except TypeError as error:
        raise UserError(f"config.players.{player} does not fit: {error}") from None
    return settings


def _check(settings: Config, player: str) -> None:
    """A `UserError` for a number that no optimiser can have."""
    for name in ("learning_rate", "warm_up", "weight_decay", "clip_norm"):
        if not settings[name] >= 0:
            raise UserError(f"{name}={settings[name]} of {player} must be at least 0")
    for name in ("b1", "b2", "momentum", "ema"):
        if not 0 <= settings[name] < 1:
            raise UserError(
                f"{name}={settings[name]} of {player} must be from 0 to below 1"
            )


def build_descents(
    config: Config,
    players: Sequence[str],
    axis: str | None = None,
    *,
    updates: Mapping[str, int] | None = None,
) -> dict[str, Descent]:
    """How each of the players of a task learns, by its name.

    `updates` are those that a player makes in each step, where they are several. All
    of a step have the same rate: schedules count steps.
    """
    strangers = sorted(set(config.players) - set(players))
    if strangers:
        raise UserError(
            f"config.players.{strangers[0]} names no network that learns in the task "
            f"{config.task}; it has {', '.join(players)}"
        )
    descents = {}
    for player in players:
        settings = settings_of(config, player)
        _check(settings, player)
        each = (updates or {}).get(player, 1)
        transform = _optimiser(settings, _rate(settings, config.steps, each))
        descents[player] = Descent(
            transform, ema=settings.ema, parts=config.accumulate, axis=axis
        )
    return descents


def _optimiser(settings: Config, rate: optax.Schedule) -> optax.GradientTransformation:
    if settings.optimiser == "adam":
        transform = optax.adam(rate, b1=settings.b1, b2=settings.b2)
    elif settings.optimiser == "adamw":
        if settings.decays not in DECAYS:
            raise UserError(
                f"decays={settings.decays!r} is unknown; it is {' or '.join(DECAYS)}"
            )
        transform = optax.adamw(
            rate,
            b1=settings.b1,
            b2=settings.b2,
            weight_decay=settings.weight_decay,
            mask=DECAYS[settings.decays],
        )
    elif settings.optimiser == "sgd":
        transform = optax.sgd(rate, momentum=settings.momentum or None)
    else:
        raise UserError(
            f"optimiser={settings.optimiser!r} is unknown; it is adam, adamw or sgd"
        )
    if settings.weight_decay and settings.optimiser != "adamw":
        raise UserError(
            f"weight_decay is for adamw; optimiser={settings.optimiser!r} has none"
        )
    if settings.clip_norm > 0:
        clip = optax.clip_by_global_norm(settings.clip_norm)
        transform = optax.chain(clip, transform)
    return transform


def _rate(settings: Config, steps: int, updates: int) -> optax.Schedule:
    """The rate by the number of updates made, of so many in each step."""
    if settings.schedule not in SCHEDULES:
        known = ", ".join(SCHEDULES)
        raise UserError(f"schedule={settings.schedule!r} is unknown; there are {known}")
    options: dict[str, Any] = dict(settings.schedule_options)
    warm_up = settings.warm_up
    if settings.schedule in LENGTHS:
        options.setdefault(LENGTHS[settings.schedule], steps)
    try:
        schedule = SCHEDULES[settings.schedule](settings.learning_rate, **options)
    except (TypeError, ValueError) as error:
        raise UserError(f"schedule_options do not fit: {error}") from None

    def rate(count):
        step = count // updates
        risen = jnp.minimum(1.0, (step + 1) / warm_up) if warm_up else 1.0
        return schedule(step) * risen

    return rate
