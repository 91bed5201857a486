"""A run made ready for its devices: what is compiled, placed and opened from a config.

config -> task, placement, frozen networks, programs of a step, data
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from kernel_space_jax.training.check import check_config
from kernel_space_jax.training.config import build_task
from kernel_space_jax.training.data import Feed, open_feed, open_validation
from kernel_space_jax.training.devices import HostBatch, Placement, placement
from kernel_space_jax.training.preparation import preparations
from kernel_space_jax.training.stages import Stage, stages
from kernel_space_jax.training.task import Batch, Config, Frozen, Metrics, State, Task

# The validation set draws from keys that training never uses.
TRAINING, VALIDATION = 0, 1


class Run(NamedTuple):
    """What a checkpoint holds."""

    task: State
    step: Array  # updates made
    broken: Array  # the first step whose metrics were not finite, or -1


Step = Callable[[Run, Batch], tuple[Run, Metrics]]


@dataclass(frozen=True)
class Engine:
    """The parts of a run; the first call of each program compiles it."""

    config: Config
    task: Task
    place: Placement
    stages: list[Stage]
    validation: list[HostBatch]

    def start(self) -> Run:
        """The state before the first step."""
        return self.place.put(first_state(self.config, self.task))

    @cached_property
    def frozen(self) -> Frozen:
        """The networks that do not learn, on the devices."""
        return self.place.put(self.task.frozen)

    def feed(self, stage: Stage) -> Feed:
        """The training data of a stage, from their beginning."""
        return open_feed(stage.config(self.config))

    def program(self, stage: Stage) -> Step:
        """One step of training, compiled for the crops of a stage."""
        compiled = self.place.step(self.learn(stage))
        return lambda run, batch: compiled(run, self.frozen, batch)

    def learn(self, stage: Stage) -> Callable[[Run, Frozen, Batch], tuple]:
        """The same as a pure function: the next run, and its metrics."""
        prepare = preparations(stage.config(self.config).data)
        training = self._key(TRAINING)

        def step(run: Run, frozen: Frozen, batch: Batch) -> tuple[Run, Metrics]:
            seen = prepare(batch, jax.random.fold_in(training, 0))
            key = jax.random.fold_in(training, 1)
            state, metrics = self.task.step(run.task, seen, key, frozen)
            checks = [jnp.isfinite(m).all() for m in metrics.values()]
            finite = jnp.all(jnp.array(checks))
            broken = jnp.where((run.broken < 0) & ~finite, run.step, run.broken)
            return Run(state, run.step + 1, broken), metrics | {"broken": broken}

        return step

    @cached_property
    def evaluate(self) -> Callable[[Run, Batch], Metrics]:
        """Scores (N,) of a validation batch, and the "number" of each example."""
        score = self.score
        return self._each(lambda *a: score(*a) | {"number": a[-1]["number"]})

    @cached_property
    def pictures(self) -> Callable[[Run, Batch], dict[str, Array]]:
        """Images (N, H, W, 3) of a validation batch, by name."""
        return self._each(self.show)

    @property
    def score(self) -> Callable[[Run, Frozen, Batch], Metrics]:
        """The scores as a pure function."""
        return self._on_validation(self.task.evaluate)

    @property
    def show(self) -> Callable[[Run, Frozen, Batch], dict[str, Array]]:
        """The pictures as a pure function."""
        return self._on_validation(self.task.pictures)

    def _each(self, function: Callable[..., Any]) -> Callable[[Run, Batch], Any]:
        compiled = self.place.each(function)
        return lambda run, batch: compiled(run, self.frozen, batch)

    def _on_validation(self, function: Callable[..., Any]) -> Callable[..., Any]:
        prepare, key = (
            preparations(self.config.data, training=False),
            self._key(VALIDATION),
        )

        def apply(run: Run, frozen: Frozen, batch: Batch) -> Any:
            seen = prepare(batch, jax.random.fold_in(key, 0))
            return function(run.task, seen, key, frozen)

        return apply

    def _key(self, use: int) -> Array:
        return jax.random.fold_in(jax.random.key(self.config.seed), use)


def build(config: Config) -> Engine:
    """Everything that a run needs; a config that cannot run is a `UserError`."""
    check_config(config)
    place = placement(config.parallel, config.model_devices)
    task = build_task(config, place.axis)
    return Engine(config, task, place, stages(config), open_validation(config))


def first_state(config: Config, task: Task) -> Run:
    """The state of a task before the first step, on one device."""
    # The hardware's generator: fifty threefry draws take XLA a minute to compile.
    key = jax.random.key(config.seed, impl="rbg")
    return jax.jit(lambda: Run(task.init(key), jnp.int32(0), jnp.int32(-1)))()


def numbered(local: HostBatch, step: int, stage: Stage) -> HostBatch:
    """The batch with the running number of each of this process's examples."""
    count = stage.batch_size
    # Which examples this process holds, as the pipelines share them.
    rows = np.arange(jax.process_index(), count, jax.process_count(), dtype=np.int32)
    return local | {"number": stage.seen + (step - stage.first) * count + rows}
