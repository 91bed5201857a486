"""Bars on a terminal: which photo, how far, and whether a program is compiled first."""

from collections.abc import Hashable, Sequence
from typing import Self

from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from kernel_space_jax.cli.app import err


class Bar:
    """One line: what is done, of what, and how far; nothing where no terminal is.

    A size of photo that was not seen before is compiled first, which `start` says until
    the first `tell`.
    """

    def __init__(self, doing: str):
        self.doing = doing
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeRemainingColumn(),
            console=err,
            transient=True,
            disable=not err.is_terminal,
        )
        self.task = self.progress.add_task(doing, total=None, note="")
        self.label = doing
        self.compiled: set[Hashable] = set()

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.progress.stop()

    def start(self, what: str, size: Hashable = None) -> None:
        """Begins with something, such as "photo 2 of 5: y.png", of a size."""
        self.label = f"{self.doing} {escape(what)}"
        note = "" if size in self.compiled else " (compiling)"
        self.compiled.add(size)
        self.progress.reset(self.task, total=None, description=f"{self.label}{note}")

    def tell(self, done: int, total: int, note: str = "") -> None:
        """How much is done, of how much."""
        self.progress.update(
            self.task,
            completed=done,
            total=total,
            note=note,
            description=self.label if done else None,
        )


def numbered(numbers: Sequence[int], names: Sequence[str]) -> str:
    """ "photo 2 of 5: y.png", or "photos 1 to 3 of 5: a.png, b.png, c.png"."""
    count = len(names)
    shown = ", ".join(names[i] for i in numbers[:3])
    if len(numbers) == 1:
        return f"photo {numbers[0] + 1} of {count}: {shown}"
    more = ", ..." if len(numbers) > 3 else ""
    return f"{len(numbers)} of {count} photos together: {shown}{more}"
