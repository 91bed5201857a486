"""A run on disk: what it is of, and a line for each image scored so far.

RUN/run.json        data, protocol, methods: what cannot change between two starts
RUN/rows.jsonl      a line an image and method, in the order they were finished
RUN/images/METHOD/  what the method made, unless it is a file already
RUN/kernels/METHOD/ and its kernels, if it has any
RUN/scores.csv, summary.json, table.md   written from the rows at the end
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from kernel_space_jax.datasets.spec import absolute
from kernel_space_jax.errors import UserError
from kernel_space_jax.files import write_whole


@dataclass(frozen=True)
class Row:
    """What one method got on one image: scores by column, or the problem."""

    method: str
    image: str
    group: str = ""
    scores: Mapping[str, float] = field(default_factory=dict)
    problem: str = ""
    notes: tuple[str, ...] = ()
    stamp: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Settings:
    """What a run is of. `methods` are identities by label; others may join later.

    Without `protocol` the data set's own is taken. `published` is the layout whose
    published rows are shown, by default the data's own.
    """

    data: str
    protocol: str = ""
    also: tuple[str, ...] = ()
    limit: int | None = None
    sweep: tuple[str, ...] = ()
    published: str = ""
    methods: Mapping[str, str] = field(default_factory=dict)


class Store:
    """A run's folder. `rows` are the last that was said of each method and image."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.rows: dict[tuple[str, str], Row] = {}
        if not self._rows_file.is_file():
            return
        text = self._rows_file.read_text()
        for line in text.splitlines():
            # An interruption may leave half a line, whose image is done again.
            try:
                row = Row(**json.loads(line))
            except (ValueError, TypeError):
                continue
            self.rows[row.method, row.image] = replace(row, notes=tuple(row.notes))
        if text and not text.endswith("\n"):
            with self._rows_file.open("a") as file:
                file.write("\n")

    @property
    def _rows_file(self) -> Path:
        return self.folder / "rows.jsonl"

    def settings(self) -> Settings:
        """What the run is of; a `UserError` where there is none."""
        try:
            held = json.loads((self.folder / "run.json").read_text())
            held |= {key: tuple(held[key]) for key in ("also", "sweep")}
            return Settings(**held)
        except (OSError, ValueError, TypeError, KeyError):
            raise UserError(
                f"{self.folder} is no run; make one with 'kernel-space evaluate'"
            ) from None

    def begin(self, settings: Settings) -> Settings:
        """Starts or goes on; a `UserError` if the folder holds another run."""
        if (self.folder / "run.json").exists():
            held = self.settings()
            held = replace(held, data=absolute(held.data))
            for key, value in asdict(held).items():
                if key != "methods" and value != getattr(settings, key):
                    raise UserError(
                        f"{self.folder} is a run with {key} {_shown(value)}, not "
                        f"{_shown(getattr(settings, key))}; give another folder with -o"
                    )
            for label, identity in settings.methods.items():
                if held.methods.get(label, identity) != identity:
                    raise UserError(
                        f"{self.folder} has a method '{label}' already that is another "
                        f"one ({held.methods[label]}); give another folder with -o"
                    )
            methods = {**held.methods, **settings.methods}
            settings = replace(settings, methods=methods)
        text = json.dumps(asdict(settings), indent=1) + "\n"
        write_whole(self.folder / "run.json", text.encode())
        return settings

    def add(self, row: Row) -> None:
        """Keeps a row, on disk at once."""
        self.rows[row.method, row.image] = row
        with self._rows_file.open("a") as file:
            file.write(json.dumps(asdict(row)) + "\n")

    def image_path(self, method: str, image: str) -> Path:
        return self.folder / "images" / method / f"{image}.png"

    def kernel_path(self, method: str, image: str) -> Path:
        return self.folder / "kernels" / method / f"{image}.npy"


def _shown(value: Any) -> str:
    return "none" if value in (None, (), []) else str(value)
