"""Checkpoints: Orbax, and nothing of Orbax anywhere else.

A checkpoint holds the state and the place in the data. Saving is asynchronous; an
unfinished one is never mistaken for a whole one, and a whole one is sealed: the hashes
of its files are kept beside it and compared before it is read.
"""

import json
import logging
import sys
import zlib
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import orbax.checkpoint as ocp
from orbax.checkpoint.checkpoint_managers import (
    AnyPreservationPolicy,
    BestN,
    LatestN,
)

from kernel_space_jax.errors import UserError
from kernel_space_jax.files import write_whole

# What Orbax, TensorStore and a full disk raise when a checkpoint cannot be written
# or read; the reasons are in the text.
FAILURES = (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError)


class Restored(NamedTuple):
    """What a checkpoint gave back."""

    step: int
    state: Any
    data: dict[str, Any]


class Misfit(UserError):
    """A whole checkpoint of other arrays than those of the run."""


class Checkpoints:
    """The checkpoints of one work directory: the last `keep`, and the best one."""

    def __init__(self, folder: Path, *, keep: int = 3, best: str | None = None):
        policies: list[Any] = [LatestN(keep)]
        if best:
            policies.append(
                BestN(
                    get_metric_fn=lambda scores: scores[best],
                    n=1,
                    keep_checkpoints_without_metrics=False,
                )
            )
        options = ocp.CheckpointManagerOptions(
            preservation_policy=AnyPreservationPolicy(policies),
            # A stale folder of a killed save is cleaned up, not counted.
            cleanup_tmp_directories=True,
            async_options=ocp.AsyncOptions(post_finalization_callback=self._seal),
        )
        self.folder, self.seals = folder, folder.with_name("seals")
        folder.mkdir(parents=True, exist_ok=True)
        sys.unraisablehook = _quiet
        logging.getLogger("asyncio").addFilter(_retrieved)
        self.manager = ocp.CheckpointManager(folder.absolute(), options=options)

    def steps(self) -> list[int]:
        """The steps of the whole checkpoints, oldest first."""
        return sorted(self.manager.all_steps())

    def best_step(self) -> int | None:
        """The checkpoint with the best score; None where none was scored."""
        return self.manager.best_step()

    def save(
        self,
        step: int,
        state: Any,
        data: dict[str, Any],
        scores: dict[str, float] | None,
    ) -> None:
        """Begins to write; the next save or `wait` says whether it failed.

        `scores` are the validation's at this very step, if it ran.
        """
        try:
            self.manager.save(
                step,
                args=ocp.args.Composite(
                    state=ocp.args.StandardSave(state),
                    data=ocp.args.JsonSave(data),
                ),
                metrics=scores,
                force=True,
            )
        except FAILURES as error:
            raise self._unwritten(f"checkpoint {step}", error) from None

    def wait(self) -> None:
        """Until the last save is on disk."""
        try:
            self.manager.wait_until_finished()
            self._seal()
        except FAILURES as error:
            raise self._unwritten("the last checkpoint", error) from None

    def restore(self, like: Any, step: int | None = None) -> Restored | None:
        """The newest checkpoint (or that of `step`), laid out as `like` is.

        None where there is none yet.
        """
        steps = self.steps()
        if not steps:
            return None
        step = steps[-1] if step is None else step
        # Before TensorStore reads: what it finds damaged it reports from many threads.
        seal = self.seals / f"{step}.json"
        if seal.exists() and read_json(seal) != _digests(self.folder / str(step)):
            raise UserError(
                f"checkpoint {step} in {self.folder} is damaged: its files are not "
                f"those that were written; {self._advice(step)}"
            )
        args = ocp.args.Composite(
            state=ocp.args.StandardRestore(like), data=ocp.args.JsonRestore()
        )
        try:
            self._compare(step, like)
            found = self.manager.restore(step, args=args)
        except FAILURES as error:
            raise UserError(
                f"checkpoint {step} in {self.folder} cannot be read "
                f"({_short(error)}); {self._advice(step)}"
            ) from None
        return Restored(step, found["state"], found["data"])

    def _compare(self, step: int, like: Any) -> None:
        """A `Misfit` that names the first array of another shape."""
        with ocp.StandardCheckpointer() as reader:
            folder = (self.folder / str(step) / "state").absolute()
            found = reader.metadata(folder).item_metadata
        theirs, ours = (
            _shapes(found.tree if hasattr(found, "tree") else found),
            _shapes(like),
        )
        for name in sorted(theirs.keys() | ours.keys()):
            if theirs.get(name) != ours.get(name):
                raise Misfit(
                    f"checkpoint {step} in {self.folder} does not fit the config: its "
                    f"{name} is {theirs.get(name)}, and is to be {ours.get(name)}"
                )

    def _seal(self) -> None:
        """Writes down what the files of each whole checkpoint hash to, once."""
        steps = {path.name for path in self.folder.iterdir() if path.name.isdigit()}
        sealed = {path.stem for path in self.seals.glob("*.json")}
        for step in steps - sealed:
            digests = json.dumps(_digests(self.folder / step))
            write_whole(self.seals / f"{step}.json", digests.encode())
        for step in sealed - steps:
            (self.seals / f"{step}.json").unlink(missing_ok=True)

    def close(self) -> None:
        try:
            self.manager.close()
        except FAILURES as error:
            raise self._unwritten("the last checkpoint", error) from None

    def _advice(self, step: int) -> str:
        earlier = [s for s in self.steps() if s < step]
        if not earlier:
            return "there is no earlier one, so start in a new work directory"
        return f"remove {self.folder / str(step)} to go on from step {earlier[-1]}"

    def _unwritten(self, what: str, error: Exception) -> UserError:
        whole = ", ".join(map(str, self.steps())) or "none"
        return UserError(
            f"{what} could not be written ({_short(error)}); "
            f"whole ones in {self.folder}: {whole}"
        )


def _quiet(late: Any) -> None:
    """An unraisablehook without TensorStore's late callers.

    When several arrays fail together, all but the first report to an event loop that
    is closed by then, each with a traceback of its own and nobody to raise it to.
    """
    if "Event loop is closed" not in str(late.exc_value):
        sys.__unraisablehook__(late)


def _retrieved(record: logging.LogRecord) -> bool:
    """A filter of asyncio's log without those that fail together with the first.

    The first failure of several is raised, and said in one sentence; the others are
    tasks that nobody waits for any longer, logged when they are collected.
    """
    return "exception was never retrieved" not in record.getMessage()


def _digests(folder: Path) -> dict[str, int]:
    """The CRC-32 of every file of a checkpoint."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): zlib.crc32(path.read_bytes()) for path in files
    }


def _shapes(tree: Any) -> dict[str, tuple[int, ...]]:
    """The shape of each array of a state by its path, whatever the containers."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    path = partial(jax.tree_util.keystr, simple=True, separator="/")
    return {path(keys): tuple(leaf.shape) for keys, leaf in leaves}


def _short(error: Exception) -> str:
    """The one line of a long message that says what happened."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = str(error)
    for reason in ("No space left on device", "File too large", "Permission denied"):
        if reason in text:
            return reason
    lines = text.strip().splitlines() or [type(error).__name__]
    return lines[0][:200]


def read_json(path: Path) -> Any:
    """A JSON file of a work directory."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({_short(error)})") from None
