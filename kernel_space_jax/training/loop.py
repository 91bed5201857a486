"""The training loop: `train(config, workdir)`.

    config -> task, feed, placement -> restore or init
    repeat: batch -> step -> (log) -> (evaluate, pictures, curves) -> (checkpoint)

It can be killed at any moment; the same command goes on from the last checkpoint as if
nothing had happened.
"""

import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from kernel_space_jax.errors import UserError
from kernel_space_jax.files import write_whole
from kernel_space_jax.images import Photo, contact_sheet, write
from kernel_space_jax.training.checkpoint import Checkpoints, read_json
from kernel_space_jax.training.config import build_descent, build_task
from kernel_space_jax.training.curves import draw_curves
from kernel_space_jax.training.data import (
    Feed,
    open_feed,
    open_validation,
    preparation,
)
from kernel_space_jax.training.devices import HostBatch, Placement, placement
from kernel_space_jax.training.log import Log, read_log
from kernel_space_jax.training.progress import Progress
from kernel_space_jax.training.task import (
    Batch,
    Config,
    Metrics,
    State,
    Task,
    example_keys,
)

CONFIG = "config.json"
COUNTS = (
    *("steps", "batch_size", "accumulate", "model_devices", "keep"),
    *("log_every", "evaluate_every", "checkpoint_every"),
)
PICTURES = 4  # examples on a contact sheet
# The validation set draws from keys that training never uses.
TRAINING, VALIDATION = 0, 1


class Run(NamedTuple):
    """What a checkpoint holds."""

    task: State
    step: Array  # updates made
    broken: Array  # the first step whose metrics were not finite, or -1


class Engine(NamedTuple):
    """The parts of a run, compiled for its devices."""

    config: Config
    task: Task
    place: Placement
    feed: Feed
    validation: list[HostBatch]
    step: Callable[[Run, Batch], tuple[Run, Metrics]]
    evaluate: Callable[[Run, Batch], Metrics]
    pictures: Callable[[Run, Batch], dict[str, Array]]

    def start(self) -> Run:
        """The state before the first step."""
        return self.place.put(first_state(self.config, self.task))


def first_state(config: Config, task: Task) -> Run:
    """The state of a task before the first step, on one device."""
    # The hardware's generator: fifty threefry draws take XLA a minute to compile.
    key = jax.random.key(config.seed, impl="rbg")
    return jax.jit(lambda: Run(task.init(key), jnp.int32(0), jnp.int32(-1)))()


def build(config: Config) -> Engine:
    """Everything a run needs; the first call of each program compiles it."""
    _check(config)
    place = placement(config.parallel, config.model_devices)
    task = build_task(config, build_descent(config, place.axis))
    prepare = preparation(config.data)
    base = jax.random.key(config.seed)
    training, validation = (jax.random.fold_in(base, n) for n in (TRAINING, VALIDATION))

    def prepared(batch: Batch, key: Array) -> Batch:
        return prepare(batch, example_keys(jax.random.fold_in(key, 0), batch))

    def step(run: Run, batch: Batch) -> tuple[Run, Metrics]:
        key = jax.random.fold_in(training, 1)
        state, metrics = task.step(run.task, prepared(batch, training), key)
        finite = jnp.all(jnp.array([jnp.isfinite(m).all() for m in metrics.values()]))
        broken = jnp.where((run.broken < 0) & ~finite, run.step, run.broken)
        return Run(state, run.step + 1, broken), metrics | {"broken": broken}

    def evaluate(run: Run, batch: Batch) -> Metrics:
        scores = task.evaluate(run.task, prepared(batch, validation), validation)
        return scores | {"number": batch["number"]}

    def pictures(run: Run, batch: Batch) -> dict[str, Array]:
        return task.pictures(run.task, prepared(batch, validation), validation)

    return Engine(
        config,
        task,
        place,
        open_feed(config),
        open_validation(config),
        place.step(step),
        place.each(evaluate),
        place.each(pictures),
    )


def train(config: Config, workdir: Path, *, say: Callable[[str], None]) -> None:
    """Trains until `config.steps`, from wherever `workdir` stands.

    `say` is told in a sentence what a person should know.
    """
    primary = jax.process_index() == 0
    if primary:
        _remember(config, workdir, say)
    engine = build(config)
    checkpoints = Checkpoints(
        workdir / "checkpoints", keep=config.keep, best=config.best
    )
    try:
        run, begun = _restore(engine, checkpoints)
        if begun:
            say(f"going on from step {begun} of {config.steps} in {workdir}")
        log = Log(workdir, from_step=begun) if primary else None
        with _stop_signals() as stopped, Progress(config.steps, begun) as progress:
            _loop(engine, run, begun, workdir, checkpoints, log, progress, stopped, say)
        if log:
            log.close()
    finally:
        engine.feed.close()
        checkpoints.close()


def _loop(
    engine: Engine,
    run: Run,
    begun: int,
    workdir: Path,
    checkpoints: Checkpoints,
    log: Log | None,
    progress: Progress,
    stopped: Callable[[], bool],
    say: Callable[[str], None],
) -> None:
    config = engine.config
    pending: list[Metrics] = []
    scores = None
    since = time.perf_counter()
    for step in range(begun + 1, config.steps + 1):
        batch = engine.place.batch(_numbered(next(engine.feed), step - 1, config))
        run, metrics = engine.step(run, batch)
        pending.append(metrics)
        # The device is kept two steps ahead of Python, not more.
        jax.block_until_ready(pending[-2:][0])
        last = step == config.steps
        halt = stopped() if _asks(step, config) else False

        if step % config.log_every == 0 or last or halt:
            values = _means(pending)
            _guard(values, checkpoints)
            seconds = time.perf_counter() - since
            values["images_per_second"] = len(pending) * config.batch_size / seconds
            pending, since = [], time.perf_counter()
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
                engine.feed.get_state(),
                scores if due else None,
            )
        if due or halt:
            since = time.perf_counter()
        if halt:
            checkpoints.wait()
            say(f"stopped at step {step}; the same command goes on from there")
            return
    checkpoints.wait()


def _check(config: Config) -> None:
    for name in COUNTS:
        if config[name] < 1:
            raise UserError(f"{name}={config[name]} must be at least 1")
    if jax.device_count() % config.model_devices:
        raise UserError(
            f"model_devices={config.model_devices} does not divide the "
            f"{jax.device_count()} devices; choose a divisor"
        )
    devices = jax.device_count() // config.model_devices
    share = devices * config.accumulate
    if config.batch_size % share:
        raise UserError(
            f"batch_size={config.batch_size} does not divide among {devices} devices "
            f"in {config.accumulate} parts; choose a multiple of {share}"
        )


def _remember(config: Config, workdir: Path, say: Callable[[str], None]) -> None:
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


def _restore(engine: Engine, checkpoints: Checkpoints) -> tuple[Run, int]:
    run = engine.start()
    found = checkpoints.restore(engine.place.single(run))
    if found is None:
        return run, 0
    engine.feed.set_state(found.data)
    return engine.place.put(found.state), found.step


def _numbered(local: HostBatch, step: int, config: Config) -> HostBatch:
    """The batch with the running number of each of this process's examples."""
    return local | {"number": step * config.batch_size + _rows(config.batch_size)}


def _rows(count: int) -> np.ndarray:
    """Which of `count` examples this process holds, as the pipelines share them."""
    return np.arange(jax.process_index(), count, jax.process_count(), dtype=np.int32)


def _means(pending: list[Metrics]) -> dict[str, float]:
    values = jax.device_get(pending)
    means = {k: float(np.mean([v[k] for v in values])) for k in values[0]}
    return means | {"broken": int(values[-1]["broken"])}


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
    rows = [
        contact_sheet([images[i] for images in shown.values()], list(shown))
        for i in range(count)
    ]
    return np.concatenate(rows)


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
        from jax.experimental.multihost_utils import process_allgather

        return bool(np.any(process_allgather(np.array(asked))))

    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
