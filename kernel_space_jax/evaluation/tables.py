"""A run as people and programs read it: CSV, JSON and Markdown."""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from kernel_space_jax.errors import UserError
from kernel_space_jax.evaluation.protocol import Protocol, Score
from kernel_space_jax.evaluation.statistics import (
    Difference,
    Interval,
    difference,
    interval,
)
from kernel_space_jax.evaluation.store import Row
from kernel_space_jax.files import write_whole


@dataclass(frozen=True)
class Table:
    """The rows of a run, complete and in the data set's order.

    `scores[method][column][image]` has what could be scored; `problems` and `notes`
    are sentences that name their image.
    """

    protocol: Protocol
    methods: tuple[str, ...]
    images: tuple[str, ...]
    groups: dict[str, str]
    scores: dict[str, dict[str, dict[str, float]]]
    problems: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def columns(self) -> list[Score]:
        """The protocol's columns that any method has a value in, or else all."""
        return [
            column
            for column in self.protocol.columns
            if any(self.scores[m][column.name] for m in self.methods)
        ] or list(self.protocol.scores)

    def values(self, method: str, column: str, group: str | None = None) -> list[float]:
        """Scores in the data set's order, of one group or of all."""
        held = self.scores[method][column]
        return [
            held[image]
            for image in self.images
            if image in held and group in (None, self.groups[image])
        ]


def tabulate(
    protocol: Protocol,
    methods: Sequence[str],
    images: Sequence[str],
    rows: dict[tuple[str, str], Row],
) -> Table:
    """The table of these methods on these images, whatever order rows came in."""
    names = [column.name for column in protocol.scores]
    scores: dict[str, dict[str, dict[str, float]]] = {}
    problems, notes, groups = [], [], {}
    for method in methods:
        scores[method] = {column.name: {} for column in protocol.columns}
        for image in images:
            row = rows[method, image]
            groups[image] = groups.get(image) or row.group
            if row.problem:
                problems.append(f"{method}, {image}: {row.problem}")
            notes += [f"{method}, {image}: {note}" for note in row.notes]
            for name in names:
                if name in row.scores:
                    scores[method][name][image] = row.scores[name]
            for column in protocol.relative:
                reference = rows.get((column.reference, image))
                if row.scores and reference is not None and reference.scores:
                    value = column.compute(row.scores, reference.scores)
                    scores[method][column.score.name][image] = value
    return Table(
        protocol, tuple(methods), tuple(images), groups, scores, tuple(problems),
        tuple(notes),
    )  # fmt: skip


def grouped(tables: Mapping[str, Table]) -> Table:
    """One table of several with the same methods; their names are its groups."""
    first = next(iter(tables.values()))
    scores: dict[str, dict[str, dict[str, float]]] = {
        method: {column.name: {} for column in first.protocol.columns}
        for method in first.methods
    }
    for name, table in tables.items():
        for method, columns in table.scores.items():
            for column, held in columns.items():
                scores[method][column] |= {f"{name}/{i}": held[i] for i in held}
    images = {
        f"{n}/{image}": n for n, table in tables.items() for image in table.images
    }
    problems, notes = (
        tuple(f"{n}, {line}" for n, t in tables.items() for line in getattr(t, kind))
        for kind in ("problems", "notes")
    )
    return Table(
        first.protocol, first.methods, tuple(images), images, scores, problems, notes
    )


def differences(table: Table) -> list[Difference]:
    """The first method beside every other, in the first column."""
    column, reference = table.protocol.scores[0], table.methods[0]
    scores = {method: table.scores[method][column.name] for method in table.methods}
    # The better method first: a positive difference is what it gains.
    order = sorted(
        (m for m in table.methods if scores[m]),
        key=lambda method: sum(scores[method].values()) / len(scores[method]),
        reverse=not column.lower_is_better,
    )
    pairs = (pair for pair in combinations(order, 2) if reference in pair)
    found = (difference(a, b, column.name, scores) for a, b in pairs)
    return [change for change in found if change is not None]


def as_csv(table: Table) -> str:
    """A line a method and image: all values, none rounded for the eye."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = [column.name for column in table.columns]
    writer.writerow(["method", "image", "group", *columns])
    for method in table.methods:
        for image in table.images:
            held = (table.scores[method][column].get(image) for column in columns)
            cells = ["" if value is None else f"{value:.7g}" for value in held]
            writer.writerow([method, image, table.groups[image], *cells])
    return text.getvalue()


def as_json(table: Table, title: str) -> str:
    """Means with intervals, groups, differences, published rows and problems."""

    def mean(method: str, column: str, group: str | None = None) -> dict | None:
        values = table.values(method, column, group)
        return _jsonable(interval(values)) if values else None

    columns = [column.name for column in table.columns]
    document = {
        "title": title,
        "protocol": table.protocol.name,
        "summary": table.protocol.summary,
        "images": len(table.images),
        "methods": {m: {c: mean(m, c) for c in columns} for m in table.methods},
        "groups": {
            group: {m: {c: mean(m, c, group) for c in columns} for m in table.methods}
            for group in group_names(table)
        },
        "differences": [
            change._asdict() | {"interval": _jsonable(change.interval)}
            for change in differences(table)
        ],
        "published": [row._asdict() for row in table.protocol.published],
        "problems": table.problems,
        "notes": table.notes,
    }
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def _jsonable(found: Interval) -> dict[str, float | str]:
    """JSON has no infinity: it is written as a word."""
    parts = found._asdict().items()
    return {key: value if math.isfinite(value) else str(value) for key, value in parts}


def group_names(table: Table) -> list[str]:
    """The groups in the order of their first images."""
    return list(dict.fromkeys(g for i in table.images if (g := table.groups[i])))


def as_markdown(table: Table, title: str, command: str) -> str:
    """Title, command, means beside published rows, groups, differences, problems."""
    parts = [f"## {title}", f"    {command}", sentence(table)]
    parts.append(_main(table))
    groups = group_names(table)
    if len(groups) > 1:
        parts += [f"Means of {table.protocol.scores[0].name} by group:"]
        parts.append(_by_group(table, groups))
    if changes := differences(table):
        unit = table.protocol.scores[0].unit
        parts.append(
            "\n".join(f"- {change_text(change, unit)}" for change in changes),
        )
    for word, lines in {"problem": table.problems, "note": table.notes}.items():
        if lines:
            many = "s" if len(lines) > 1 else ""
            parts.append(f"{len(lines)} {word}{many}:")
            parts.append("\n".join(f"- {line}" for line in lines))
    return "\n\n".join(parts) + "\n"


def main_cells(table: Table) -> tuple[list[str], list[list[str]], str]:
    """Head, rows and a sentence on the published ones, which come last."""
    columns = table.columns
    heads = [f"{c.name} ({c.unit})" if c.unit else c.name for c in columns]
    rows = []
    for method in table.methods:
        scored = max(len(table.values(method, c.name)) for c in table.protocol.scores)
        cells = [_cell(table.values(method, c.name), c) for c in columns]
        rows.append([method, f"{scored} of {len(table.images)}", *cells])
    sources: dict[str, list[str]] = {}
    for row in table.protocol.published:
        sources.setdefault(row.source, []).append(row.label)
        # With the digits that were printed, no more.
        cells = [str(row.values.get(c.name, "")) for c in columns]
        rows.append([f"{row.label} (published)", row.images, *cells])
    told = (f"{', '.join(labels)}: {source}" for source, labels in sources.items())
    sentence = f"Published rows, not made here. {'; '.join(told)}." if sources else ""
    return ["method", "images", *heads], rows, sentence


def _main(table: Table) -> str:
    head, rows, sentence = main_cells(table)
    own = len(table.methods)
    lines = [_line(head), _line(["---"] * len(head))]
    lines += [_line(row) for row in rows[:own]]
    # Italics say at a glance which rows are not ours.
    lines += [_line([f"*{c}*" if c else "" for c in row]) for row in rows[own:]]
    return "\n".join([*lines, "", sentence] if sentence else lines)


def _cell(values: Sequence[float], column: Score) -> str:
    if not values:
        return ""
    mean, low, high, _ = (round(v, column.digits) for v in interval(values))
    form = f".{column.digits}f"
    return f"{mean:{form}} [{low:{form}}, {high:{form}}]"


def group_cells(table: Table, groups: Sequence[str]) -> list[list[str]]:
    """A row a method: the mean of the first column in each group."""
    column = table.protocol.scores[0]
    rows = []
    for method in table.methods:
        means = (table.values(method, column.name, group) for group in groups)
        cells = [f"{sum(v) / len(v):.{column.digits}f}" if v else "" for v in means]
        rows.append([method, *cells])
    return rows


def _by_group(table: Table, groups: Sequence[str]) -> str:
    rows = [["method", *groups], ["---"] * (1 + len(groups))]
    return "\n".join(_line(row) for row in rows + group_cells(table, groups))


def change_text(change: Difference, unit: str) -> str:
    """One line about a difference."""
    mean, low, high, count = change.interval
    unit = f" {unit}" if unit else ""
    return (
        f"{change.first} - {change.second}: {mean:+.3f}{unit} "
        f"[{low:+.3f}, {high:+.3f}] of {change.column}, "
        f"higher on {change.ahead} of {count} images"
    )


def sentence(table: Table) -> str:
    """What the table holds."""
    summary = table.protocol.summary
    return f"{summary[0].upper()}{summary[1:]}. Brackets: 95 % bootstrap interval."


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def put_section(path: Path, title: str, text: str) -> None:
    """Puts the table into a Markdown file, over the one of the same title."""
    begin, end = f"<!-- begin {title} -->", f"<!-- end {title} -->"
    section = f"{begin}\n{text}{end}\n"
    try:
        page = path.read_text() if path.exists() else ""
    except (OSError, UnicodeDecodeError):
        raise UserError(f"{path} is not a text file; choose another --table") from None
    if begin in page and end in page:
        before, _, rest = page.partition(begin)
        after = rest.partition(end)[2].lstrip("\n")
        page = before + section + (f"\n{after}" if after else "")
    else:
        page = f"{page.rstrip()}\n\n{section}" if page.strip() else section
    write_whole(path, page.encode())


def write_all(folder: Path, table: Table, title: str, command: str) -> str:
    """scores.csv, summary.json and table.md in a run's folder; returns the Markdown."""
    text = as_markdown(table, title, command)
    files: dict[str, Any] = {
        "scores.csv": as_csv(table),
        "summary.json": as_json(table, title),
        "table.md": text,
    }
    for name, content in files.items():
        write_whole(folder / name, content.encode())
    return text
