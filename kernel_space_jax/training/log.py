"""What a run writes down as it goes: metrics.jsonl always, TensorBoard if installed."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

Record = dict[str, Any]


class Log:
    """One line of JSON a record: {"step": 100, "kind": "train", "loss": ...}."""

    def __init__(self, folder: Path, *, from_step: int = 0):
        """Goes on after `from_step`: later records of a killed run are dropped."""
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "metrics.jsonl"
        kept = [r for r in read_log(self.path) if r["step"] <= from_step]
        self.path.write_text("".join(json.dumps(r) + "\n" for r in kept))
        self.board = None
        if find_spec("tensorboardX"):
            from tensorboardX import SummaryWriter

            self.board = SummaryWriter(str(folder / "board"), purge_step=from_step + 1)

    def write(self, step: int, kind: str, values: dict[str, float]) -> None:
        """Appends one record; `kind` is "train" or "validation"."""
        with self.path.open("a") as file:
            file.write(json.dumps({"step": step, "kind": kind, **values}) + "\n")
        if self.board:
            for name, value in values.items():
                self.board.add_scalar(f"{kind}/{name}", value, step)

    def close(self) -> None:
        if self.board:
            self.board.close()


def read_log(path: Path) -> list[Record]:
    """The records of a metrics.jsonl; a line cut off by a kill ends them."""
    if not path.exists():
        return []
    records = []
    for line in path.read_text().splitlines():
        try:
            records.append(json.loads(line))
        except ValueError:
            break
    return records
