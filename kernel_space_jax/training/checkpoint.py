"""Checkpoints: Orbax, and nothing of Orbax anywhere else.

A checkpoint holds the state, the position of the data and a checksum of every leaf.
Saving is asynchronous; an unfinished one is never mistaken for a whole one.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import orbax.checkpoint as ocp
from jax import Array, lax
from orbax.checkpoint.checkpoint_managers import (
    AnyPreservationPolicy,
    BestN,
    LatestN,
)

from kernel_space_jax.errors import UserError

# What Orbax, TensorStore and a full disk raise when a checkpoint cannot be written
# or read; the reasons are in the text.
FAILURES = (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError)


class Restored(NamedTuple):
    """What a checkpoint gave back."""

    step: int
    state: Any
    data: dict[str, Any]


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
        )
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.manager = ocp.CheckpointManager(folder.absolute(), options=options)
        self._checksum = jax.jit(lambda state: [_checksum(x) for x in _leaves(state)])

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
        sums = [int(s) for s in self._checksum(state)]
        try:
            self.manager.save(
                step,
                args=ocp.args.Composite(
                    state=ocp.args.StandardSave(state),
                    meta=ocp.args.JsonSave({"data": data, "checksums": sums}),
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
        args = ocp.args.Composite(
            state=ocp.args.StandardRestore(like), meta=ocp.args.JsonRestore()
        )
        try:
            found = self.manager.restore(step, args=args)
            state, meta = found["state"], found["meta"]
            sums = [int(s) for s in self._checksum(state)]
        except FAILURES as error:
            raise UserError(
                f"checkpoint {step} in {self.folder} cannot be read "
                f"({_short(error)}); {self._advice(step)}"
            ) from None
        if sums != meta["checksums"]:
            raise UserError(
                f"checkpoint {step} in {self.folder} is damaged: its numbers do not "
                f"match their checksums; {self._advice(step)}"
            )
        return Restored(step, state, meta["data"])

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


def _leaves(state: Any) -> list[Array]:
    return [jnp.asarray(leaf) for leaf in jax.tree.leaves(state)]


def _checksum(leaf: Array) -> Array:
    """The sum of the leaf's bits as unsigned words, each times its odd place number.

    Any one flipped bit, and any two leaves or words exchanged, change it.
    """
    words = {1: jnp.uint8, 2: jnp.uint16, 4: jnp.uint32}[leaf.dtype.itemsize]
    if leaf.dtype == bool:
        leaf = leaf.astype(jnp.uint8)
    bits = lax.bitcast_convert_type(leaf, words).astype(jnp.uint32).reshape(-1)
    places = 2 * lax.iota(jnp.uint32, bits.size) + 1
    return jnp.sum(bits * places, dtype=jnp.uint32)


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
