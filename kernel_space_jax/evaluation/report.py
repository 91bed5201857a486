"""Runs as one page that a person can look at."""

import json
import re
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

import numpy as np

from kernel_space_jax import images
from kernel_space_jax.datasets import Record
from kernel_space_jax.errors import UserError
from kernel_space_jax.evaluation import methods, page
from kernel_space_jax.evaluation.curves import draw_distribution, draw_sweep
from kernel_space_jax.evaluation.evaluate import Opened, open_run, table_of
from kernel_space_jax.evaluation.protocol import Score
from kernel_space_jax.evaluation.results import recalled
from kernel_space_jax.evaluation.store import Settings, Store
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

TRUE_KERNEL = "true kernel"
INPUT = "blurry"
# Kernels of a field are drawn this many pixels apart.
GAP = 1

Images = dict[str, np.ndarray]


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
    opened = [_open(run) for run in runs]
    chosen = [_chosen(table, most) for _, _, _, table in opened]
    total, done = sum(map(len, chosen)), 0
    sections = {}
    for number, (store, settings, run, table) in enumerate(opened):
        cards = []
        for name in chosen[number]:
            place = folder / "images" / str(number)
            cards.append(_card(store, settings, run, table, name, place, folder))
            done += 1
            tell(done, total)
        heading = _title(store.folder, sections)
        sections[heading] = _section(heading, table, cards)
    target = folder / "index.html"
    write_whole(target, page.page(title, sections).encode())
    return target


def _open(folder: Path) -> tuple[Store, Settings, Opened, Table]:
    store = Store(folder)
    settings = store.settings()
    run = open_run(settings)
    table = table_of(store, settings, run)
    if not table.methods:
        raise UserError(
            f"{folder} has no finished method; end it with 'kernel-space evaluate'"
        )
    return store, settings, run, table


def _title(folder: Path, taken: dict[str, str]) -> str:
    """The run's own title, told apart from another's of the same."""
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
    # What Matplotlib says of itself is no part of the picture.
    return re.sub(
        r"<metadata>.*?</metadata>", "", drawn[drawn.index("<svg") :], flags=re.S
    )


def _card(
    store: Store,
    settings: Settings,
    run: Opened,
    table: Table,
    name: str,
    place: Path,
    folder: Path,
) -> str:
    """One image: a view a method, its kernels, its scores."""
    record = run.problems[run.names.index(name)].record
    made, kernels = _made(store, settings, run, table, record)

    def stored(part: str, pixels: np.ndarray) -> str:
        """Writes a picture; its address as seen from the page."""
        path = place / part / f"{name}.png"
        images.write(path, images.Photo(pixels))
        return quote(path.relative_to(folder).as_posix())

    # A method may be called anything, such as sharp.
    shown = {"input": record.blurry, "truth": record.sharp}
    known = {k: stored(f"_{k}", v) for k, v in shown.items() if v is not None}
    before, views = next(iter(known.values())), []
    for method, pixels in made.items():
        # The input is on the left of every view already.
        if method != INPUT:
            after, ratio = stored(method, pixels), pixels.shape[1] / pixels.shape[0]
            caption = _scores(table, method, name)
            views.append(page.view(before, after, method, caption, ratio))
    if record.sharp is not None:
        ratio = record.sharp.shape[1] / record.sharp.shape[0]
        input_scores = _scores(table, INPUT, name) if INPUT in made else ""
        caption = f"(input: {input_scores})" if input_scores else ""
        views.append(page.view(before, known["truth"], "truth", caption, ratio))
    pictures = [
        page.picture(stored(f"_kernel_{label}", kernel_picture(k)), label)
        for label, k in kernels.items()
    ]
    first = table.protocol.scores[0].name
    held = {method: table.scores[method][first] for method in made}
    values = {method: images[name] for method, images in held.items() if name in images}
    # The page reads numbers as JavaScript writes them.
    scores = {m: v if np.isfinite(v) else "Infinity" for m, v in values.items()}
    sides = "".join(
        f'<option value="{escape(address)}">{escape(side)}</option>'
        for side, address in known.items()
    )
    return f"""<article class="card" data-scores="{escape(json.dumps(scores))}">
<h4>{escape(name)}<span class="rank"></span></h4><p>left: <select>{sides}</select>
<button data-zoom="2" aria-label="zoom in">+</button>
<button data-zoom="0.5" aria-label="zoom out">&minus;</button></p>
<div class="views">{"".join(views)}</div>
<div class="kernels">{"".join(pictures)}</div></article>"""


def _scores(table: Table, method: str, name: str) -> str:
    """What a method got on an image, but for shares, which need many."""
    held = table.scores[method]
    return ", ".join(
        f"{column.name} {held[column.name][name]:.{column.digits}f}"
        for column in table.columns
        if name in held[column.name] and column.unit != "%"
    )


def _made(
    store: Store, settings: Settings, run: Opened, table: Table, record: Record
) -> tuple[Images, Images]:
    """What each method made of the image, where it can be had; and kernels."""
    made, kernels = {}, {}
    if record.extras.get("kernel") is not None:
        kernels[TRUE_KERNEL] = np.asarray(record.extras["kernel"])
    for method in table.methods:
        kept = store.image_path(method, record.name)
        field = store.kernel_path(method, record.name)
        if kept.exists():
            made[method] = images.read(kept).pixels
        elif method == INPUT and record.blurry is not None:
            made[method] = methods.blurry(record).image
        else:
            again = recalled(method, settings.methods[method], run.names)
            try:
                if again is not None:
                    made[method] = again.restore(record).image
            except UserError:
                # The table lists it among the problems.
                continue
        if field.exists():
            kernels[method] = np.load(field, allow_pickle=False)
    return made, kernels


def kernel_picture(kernels: np.ndarray) -> np.ndarray:
    """Kernels (h, w) or (rows, columns, h, w) as one image, each as bright as it can.

    A field is drawn as a grid, its kernels where they act.
    """
    field = kernels.reshape((1, 1, *kernels.shape)) if kernels.ndim == 2 else kernels
    peak = field.max((2, 3), keepdims=True)
    bright = np.sqrt(np.clip(field, 0, None) / np.where(peak > 0, peak, 1))
    padded = np.pad(bright, ((0, 0), (0, 0), (0, GAP), (0, GAP)), constant_values=0.3)
    rows, columns, height, width = padded.shape
    grid = padded.transpose(0, 2, 1, 3).reshape(rows * height, columns * width, 1)
    return grid[:-GAP, :-GAP].astype(np.float32)
