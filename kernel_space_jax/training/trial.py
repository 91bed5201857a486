"""A run tried on shapes alone, before anything is written.

Every program of the run is traced, none is compiled: seconds, in which a network that
cannot be, a crop too small for it, or a score that no task has are found. A batch of
each stream of training data is read for its shapes.
"""

from dataclasses import replace
from typing import Any

import jax

from kernel_space_jax.errors import UserError
from kernel_space_jax.training.config import build_task
from kernel_space_jax.training.data import open_feed
from kernel_space_jax.training.engine import Engine, Run, first_state, numbered
from kernel_space_jax.training.stages import Stage
from kernel_space_jax.training.task import Batch


def try_out(engine: Engine) -> Run:
    """The shapes of the run's state; a `UserError` where a program cannot be."""
    # As on one device: a `pmap` has no shapes without its axis.
    alone = engine
    if engine.place.axis:
        alone = replace(engine, task=build_task(engine.config))
    # What is too small for a network is too small in the smallest crops.
    stage = min(engine.stages, key=lambda stage: stage.crop)
    batch = _first_batch(engine, stage)
    try:
        run = jax.eval_shape(lambda: first_state(alone.config, alone.task))
        frozen = alone.task.frozen
        jax.eval_shape(alone.learn(stage), run, frozen, batch)
        shown = engine.validation[0]
        scores = jax.eval_shape(alone.score, run, frozen, shown)
        jax.eval_shape(alone.show, run, frozen, shown)
    except UserError:
        raise
    except Exception as error:
        # Options of a network can fail anywhere in it.
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"the task {engine.config.task} cannot run with this config ({reason}); "
            "check config.model, and whether config.data.crop is large enough"
        ) from error
    best = engine.config.best
    if best and best not in scores:
        raise UserError(
            f"best={best!r} is no score of the task {engine.config.task}; "
            f"it has {', '.join(scores)}"
        )
    return run


def _first_batch(engine: Engine, stage: Stage) -> Batch:
    """The first batch of a stage, read by this process alone."""
    config = stage.config(engine.config)
    config.data.workers = 0
    for own in config.data.streams.values():
        own.workers = 0
    feed = open_feed(config)
    try:
        batch: dict[str, Any] = numbered(next(feed), stage.first, stage)
    finally:
        feed.close()
    return batch
