"""The training loop: `train(config, workdir)`.

    config -> task, feed, placement -> restore or init
    repeat: batch -> step -> (log) -> (evaluate, pictures, curves) -> (checkpoint)

It can be killed at any moment; the same command goes on from the last checkpoint as if
nothing had happened.
"""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from kernel_space_jax.backend import platform
from kernel_space_jax.errors import UserError
from kernel_space_jax.images import Photo, write
from kernel_space_jax.sheets import contact_sheet
from kernel_space_jax.training.checkpoint import Checkpoints, Misfit
from kernel_space_jax.training.curves import draw_curves
from kernel_space_jax.training.data import Feed
from kernel_space_jax.training.engine import Engine, Run, build, numbered
from kernel_space_jax.training.log import Log, read_log
from kernel_space_jax.training.memory import keep_memory
from kernel_space_jax.training.progress import Progress
from kernel_space_jax.training.stages import Stage, stage_of
from kernel_space_jax.training.task import Config, Metrics
from kernel_space_jax.training.trial import try_out
from kernel_space_jax.training.workdir import (
    CHECKPOINTS,
    changes,
    last_config,
    remember,
    shaping,
)

PICTURES = 4  # examples on a contact sheet


def train(config: Config, workdir: Path, *, say: Callable[[str], None]) -> None:
    """Trains until `config.steps`, from wherever `workdir` stands.

    `say` is told in a sentence what a person should know.
    """
    before = last_config(workdir, config.task)
    engine = build(config)
    if platform() == "cpu":
        keep_memory()
    try_out(engine)
    goes_on = (workdir / CHECKPOINTS).is_dir()
    if jax.process_count() > 1:
        # No process writes before all have seen whose folder this is.
        multihost_utils.sync_global_devices("work directory")
    primary = jax.process_index() == 0
    changed = changes(before, config) if before else {}
    supply = Supply(engine)
    checkpoints = None
    try:
        run, begun = engine.start(), 0
        if goes_on:
            checkpoints = _open(workdir, config)
            run, begun = _restore(engine, run, checkpoints, supply, changed)
        # Whatever could be refused has been: from here on the run writes.
        if primary:
            for text in changed.values():
                say(text)
            remember(config, workdir)
        if begun:
            say(f"going on from step {begun} of {config.steps} in {workdir}")
        checkpoints = checkpoints or _open(workdir, config)
        log = Log(workdir, from_step=begun) if primary else None
        with _stop_signals() as stopped, Progress(config.steps, begun) as progress:
            _loop(engine, run, begun, workdir, checkpoints, supply, log, progress,
                  stopped, say)  # fmt: skip
        if log:
            log.close()
    finally:
        supply.close()
        if checkpoints:
            checkpoints.close()


def _open(workdir: Path, config: Config) -> Checkpoints:
    return Checkpoints(workdir / CHECKPOINTS, keep=config.keep, best=config.best)


class Supply:
    """The training data of a run and the program that learns from them, by stages."""

    def __init__(self, engine: Engine):
        self._engine = engine
        self._feed: Feed | None = None
        self.stage: Stage | None = None

    def step(self, step: int, run: Run) -> tuple[Run, Metrics]:
        """One step of training on the next batch."""
        self._enter(stage_of(self._engine.stages, step))
        assert self._feed and self.stage
        batch = numbered(next(self._feed), step, self.stage)
        return self._program(run, self._engine.place.batch(batch))

    def get_state(self) -> dict[str, Any]:
        """The place in the data, as JSON."""
        assert self._feed and self.stage
        return {"stage": self.stage.number, "feed": self._feed.get_state()}

    def set_state(self, state: dict[str, Any], step: int) -> None:
        """Goes on from a place after `step`; a stage that begins then begins anew."""
        self._enter(stage_of(self._engine.stages, step + 1))
        assert self._feed and self.stage
        if state["stage"] == self.stage.number:
            self._feed.set_state(state["feed"])

    def close(self) -> None:
        if self._feed:
            self._feed.close()

    def _enter(self, stage: Stage) -> None:
        if stage == self.stage:
            return
        self.close()
        self.stage, self._feed = stage, self._engine.feed(stage)
        self._program = self._engine.program(stage)


def _loop(
    engine: Engine,
    run: Run,
    begun: int,
    workdir: Path,
    checkpoints: Checkpoints,
    supply: Supply,
    log: Log | None,
    progress: Progress,
    stopped: Callable[[], bool],
    say: Callable[[str], None],
) -> None:
    config = engine.config
    pending: list[Metrics] = []
    examples, since = 0, time.perf_counter()
    scores = None
    idle: set[str] = set()
    for step in range(begun + 1, config.steps + 1):
        run, metrics = supply.step(step, run)
        assert supply.stage
        pending.append(metrics)
        examples += supply.stage.batch_size
        # The device is kept two steps ahead of Python, not more.
        jax.block_until_ready(pending[-2:][0])
        last = step == config.steps
        halt = stopped() if _asks(step, config) else False

        if step % config.log_every == 0 or last or halt:
            values = _means(pending)
            _guard(values, checkpoints)
            idle, before = _idle(values), idle
            for player in sorted(idle - before):
                progress.say(_says_idle(step, player))
            values["images_per_second"] = examples / (time.perf_counter() - since)
            pending, examples, since = [], 0, time.perf_counter()
            progress.update(step, values)
            if log:
                log.write(step, "train", values)
        else:
            progress.update(step, {})
        due = step % config.evaluate_every == 0 or last
        if due:
            scores = _evaluate(engine, run)
            sheet = _sheet(engine, run)
            if log:
                log.write(step, "validation", scores)
                write(workdir / "pictures" / f"{step:08d}.png", Photo(sheet))
                draw_curves(
                    read_log(log.path), workdir / "curves.png", title=workdir.name
                )
            said = ", ".join(f"{k} {v:.4g}" for k, v in scores.items())
            progress.say(f"step {step}: {said}")
        if step % config.checkpoint_every == 0 or last or halt:
            if pending:
                _guard(_means(pending), checkpoints)
            checkpoints.save(
                step,
                engine.place.single(run),
                supply.get_state(),
                scores if due else None,
            )
        if due or halt:
            examples, since = 0, time.perf_counter()
        if halt:
            checkpoints.wait()
            say(f"stopped at step {step}; the same command goes on from there")
            return
    checkpoints.wait()


def _restore(
    engine: Engine,
    run: Run,
    checkpoints: Checkpoints,
    supply: Supply,
    changed: dict[str, str],
) -> tuple[Run, int]:
    """The run of the last checkpoint, or the one that begins, and its step."""
    try:
        found = checkpoints.restore(engine.place.single(run))
    except Misfit as misfit:
        why = "; ".join(shaping(changed) or [str(misfit)])
        raise UserError(
            f"the config does not fit the checkpoints in {checkpoints.folder}: {why}; "
            "set it back, or choose another work directory"
        ) from None
    if found is None:
        return run, 0
    supply.set_state(found.data, found.step)
    return engine.place.put(found.state), found.step


def _means(pending: list[Metrics]) -> dict[str, float]:
    values = jax.device_get(pending)
    means = {k: float(np.mean([v[k] for v in values])) for k in values[0]}
    return means | {"broken": int(values[-1]["broken"])}


def _idle(values: dict[str, float]) -> set[str]:
    """The players whose gradients were zero at each step; "" is the only one."""
    norms = {k: v for k, v in values.items() if k.endswith("gradient_norm")}
    return {k.removesuffix("gradient_norm") for k, norm in norms.items() if norm == 0}


def _says_idle(step: int, player: str) -> str:
    player = player.rstrip("_") or "network"
    return (
        f"step {step}: the {player} learns nothing, as its gradients are zero. If this "
        "does not pass, stop the run, lower its learning rate and begin again; the "
        "checkpoint with the best score is kept"
    )


def _guard(values: dict[str, float], checkpoints: Checkpoints) -> None:
    """Ends a run whose numbers are no longer numbers."""
    broken = int(values.pop("broken"))
    if broken < 0:
        return
    checkpoints.wait()
    kept = checkpoints.steps()
    good = f"the last good checkpoint is step {kept[-1]}" if kept else "none was saved"
    raise UserError(
        f"the loss was not finite at step {broken + 1}; {good}. Lower the learning "
        "rate or set config.clip_norm, and run the same command again"
    )


def _evaluate(engine: Engine, run: Run) -> dict[str, float]:
    """The mean scores over the validation set."""
    rows: list[Metrics] = []
    for batch in engine.validation:
        rows.append(jax.device_get(engine.evaluate(run, engine.place.batch(batch))))
    columns = {k: np.concatenate([np.asarray(row[k]) for row in rows]) for k in rows[0]}
    # An example that fills up the last batch counts once.
    _, once = np.unique(columns.pop("number"), return_index=True)
    return {k: float(np.mean(column[once])) for k, column in columns.items()}


def _sheet(engine: Engine, run: Run) -> np.ndarray:
    """The first validation examples, one row each."""
    batch = engine.place.batch(engine.validation[0])
    shown = jax.device_get(engine.pictures(run, batch))
    count = min(PICTURES, len(next(iter(shown.values()))))
    pictures = [images[i] for i in range(count) for images in shown.values()]
    return contact_sheet(pictures, [*shown] * count, columns=len(shown))


def _asks(step: int, config: Config) -> bool:
    """Whether this is a step at which all processes agree on stopping."""
    return jax.process_count() == 1 or step % config.log_every == 0


@contextmanager
def _stop_signals() -> Iterator[Callable[[], bool]]:
    """Within, SIGTERM and Ctrl-C ask for a checkpoint and an end; twice kills."""
    asked = False
    before = {}

    def ask(number: int, frame: Any) -> None:
        nonlocal asked
        asked = True
        signal.signal(number, before[number])

    for number in (signal.SIGTERM, signal.SIGINT):
        before[number] = signal.signal(number, ask)

    def stopped() -> bool:
        if jax.process_count() == 1:
            return asked
        return bool(np.any(multihost_utils.process_allgather(np.array(asked))))

    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
