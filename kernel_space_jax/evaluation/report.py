"""Runs as one page that a person can look at."""

import json
import re
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path

import numpy as np

from kernel_space_jax.evaluation import page
from kernel_space_jax.evaluation.cards import card, open_finished
from kernel_space_jax.evaluation.curves import draw_distribution, draw_sweep
from kernel_space_jax.evaluation.protocol import Score
from kernel_space_jax.evaluation.tables import (
    Table,
    change_text,
    differences,
    group_cells,
    group_names,
    main_cells,
    sentence,
)
from kernel_space_jax.files import write_whole


def write_report(
    runs: Sequence[Path],
    folder: Path,
    *,
    title: str = "Evaluation",
    most: int = 40,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """index.html and its images in `folder`: a section a run; returns the page.

    Of a run with more than `most` images, those are shown that its best method did
    worst and best on. The data sets must still be where the runs found them.
    """
    opened = [open_finished(run) for run in runs]
    chosen = [_chosen(run.table, most) for run in opened]
    total, done = sum(map(len, chosen)), 0
    sections = {}
    for number, (run, names) in enumerate(zip(opened, chosen, strict=True)):
        cards = []
        for name in names:
            cards.append(card(run, name, folder, f"images/{number}"))
            done += 1
            tell(done, total)
        heading = _title(run.store.folder, sections)
        sections[heading] = _section(heading, run.table, cards)
    target = folder / "index.html"
    write_whole(target, page.page(title, sections).encode())
    return target


def _title(folder: Path, taken: dict[str, str]) -> str:
    """The run's own title, made different from another's of the same."""
    try:
        title = json.loads((folder / "summary.json").read_text())["title"]
    except (OSError, ValueError, KeyError):
        title = folder.name
    return f"{title} ({folder.name})" if title in taken else title


def _chosen(table: Table, most: int) -> list[str]:
    """All images, or the ends of what the best method scored, in the run's order."""
    if len(table.images) <= most:
        return list(table.images)
    column = table.protocol.scores[0]
    held = table.scores[_best(table)][column.name]
    ranked = sorted(held, key=lambda image: _sign(column) * held[image])
    ends = {*ranked[: most - most // 2], *ranked[len(ranked) - most // 2 :]}
    return [image for image in table.images if image in ends]


def _best(table: Table) -> str:
    """The method of the best mean in the first column."""
    column = table.protocol.scores[0]
    values = {method: table.values(method, column.name) for method in table.methods}
    means = {m: _sign(column) * float(np.mean(v)) for m, v in values.items() if v}
    return max(means or table.methods, key=lambda method: means.get(method, 0.0))


def _sign(column: Score) -> int:
    return -1 if column.lower_is_better else 1


def _section(heading: str, table: Table, cards: Sequence[str]) -> str:
    head, rows, sources = main_cells(table)
    column = table.protocol.scores[0]
    published = len(table.protocol.published)
    parts = [
        f'<section data-lower="{str(column.lower_is_better).lower()}">',
        f"<h2>{escape(heading)}</h2><p>{escape(sentence(table))}</p>",
        page.table(head, rows, published),
        f"<p>{escape(sources)}</p>" if sources else "",
    ]
    if len(groups := group_names(table)) > 1:
        parts.append(f"<h3>{escape(column.name)} by group</h3>")
        parts.append(page.table(["method", *groups], group_cells(table, groups)))
    if changes := differences(table):
        texts = (escape(change_text(change, column.unit)) for change in changes)
        lines = "".join(f"<li>{text}</li>" for text in texts)
        parts.append(f"<h3>Differences, image by image</h3><ul>{lines}</ul>")
    parts.append(f'<div class="curves">{_curves(table)}</div>')
    for word, lines in {"Problems": table.problems, "Notes": table.notes}.items():
        if lines:
            items = "".join(f"<li>{escape(line)}</li>" for line in lines)
            parts.append(f'<h3>{word}</h3><ul class="problems">{items}</ul>')
    ranked = sorted(table.methods, key=lambda method: method != _best(table))
    choices = "".join(f"<option>{escape(method)}</option>" for method in ranked)
    parts.append(
        f"""<h3>Images</h3><div class="controls"><label>rank by {escape(column.name)} of
<select class="by">{choices}</select></label><label>show <select class="order">
<option value="ends">worst and best first</option><option value="worst">worst first
</option><option value="best">best first</option><option value="name">in order</option>
</select></label><span>Wheel: zoom everywhere. Drag: move, or slide the line. Double
click: whole image.</span></div><div class="cards">{"".join(cards)}</div></section>"""
    )
    return "\n".join(parts)


def _curves(table: Table) -> str:
    """The pictures of a run, as SVG within the page."""
    is_sweep = table.protocol.name == "sweep"
    drawn = (draw_sweep if is_sweep else draw_distribution)(table, "svg").decode()
    drawn = drawn[drawn.index("<svg") :]
    # Matplotlib's version in the file would change it.
    return re.sub(r"<metadata>.*?</metadata>", "", drawn, flags=re.S)
