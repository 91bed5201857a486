"""One image of a run on the report: a view a method, the kernels, the scores."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np

from kernel_space_jax import images
from kernel_space_jax.datasets import Record
from kernel_space_jax.drawing import kernel_picture
from kernel_space_jax.errors import UserError
from kernel_space_jax.evaluation import page
from kernel_space_jax.evaluation.evaluate import Opened, open_run, table_of
from kernel_space_jax.evaluation.methods import Method, named
from kernel_space_jax.evaluation.results import recalled
from kernel_space_jax.evaluation.store import Store
from kernel_space_jax.evaluation.tables import Table

INPUT = "blurry"
# Kernels of a field are drawn this many pixels apart.


@dataclass(frozen=True)
class Finished:
    """A run that is done. `cheap` are methods whose images can be had again."""

    store: Store
    opened: Opened
    table: Table
    cheap: Mapping[str, Method]
    inputs: frozenset[str]


def open_finished(folder: Path) -> Finished:
    """The run in a folder; a `UserError` if there is none, or nothing is finished."""
    store = Store(folder)
    settings = store.settings()
    opened = open_run(settings)
    table = table_of(store, settings, opened)
    if not table.methods:
        raise UserError(
            f"{folder} has no finished method; end it with 'kernel-space evaluate'"
        )
    identities = settings.methods
    # Labels are the user's: only the identity shows that a method is the input.
    inputs = frozenset(m for m in table.methods if identities[m] == INPUT)
    cheap = {method: named(INPUT) for method in inputs}
    for method in table.methods:
        if again := recalled(method, identities[method], opened.names):
            cheap[method] = again
    return Finished(store, opened, table, cheap, inputs)


def card(run: Finished, name: str, folder: Path, part: str) -> str:
    """The HTML of one image; its pictures are written to `folder`/`part`."""
    index = run.opened.names.index(name)
    record = run.opened.problems[index].record

    def stored(kind: str, pixels: np.ndarray) -> str:
        """Writes a picture; its address as seen from the page."""
        path = f"{part}/{kind}/{name}.png"
        images.write(folder / path, images.Photo(pixels))
        return quote(path)

    # Underlined, because a method may be called anything, such as truth.
    shown = {"input": record.blurry, "truth": record.sharp}
    sides = {k: stored(f"_{k}", v) for k, v in shown.items() if v is not None}
    before, views = next(iter(sides.values())), []
    made = _made(run, record)
    for method, pixels in made.items():
        # The input is on the left of every view already.
        if method not in run.inputs:
            ratio = pixels.shape[1] / pixels.shape[0]
            after, caption = stored(method, pixels), _scores(run.table, method, name)
            views.append(page.view(before, after, method, caption, ratio))
    if record.sharp is not None:
        ratio = record.sharp.shape[1] / record.sharp.shape[0]
        of_input = (f"{m}: {_scores(run.table, m, name)}" for m in sorted(run.inputs))
        caption = "; ".join(of_input)
        views.append(page.view(before, sides["truth"], "truth", caption, ratio))
    pictures = [
        page.picture(stored(f"_kernel_{label}", kernel_picture(k)), label)
        for label, k in _kernels(run, record).items()
    ]
    return page.card(name, _ranks(run.table, name), sides, views, pictures)


def _ranks(table: Table, name: str) -> str:
    """What each method got in the first column, for the page to sort by."""
    column = table.protocol.scores[0].name
    held = {method: table.scores[method][column] for method in table.methods}
    values = {method: found[name] for method, found in held.items() if name in found}
    # Numbers as JavaScript writes them.
    infinite = {m: v if np.isfinite(v) else "Infinity" for m, v in values.items()}
    return json.dumps(infinite)


def _scores(table: Table, method: str, name: str) -> str:
    """What a method got on an image, but for shares, which need many."""
    held = table.scores[method]
    return ", ".join(
        f"{column.name} {held[column.name][name]:.{column.digits}f}"
        for column in table.columns
        if name in held[column.name] and column.unit != "%"
    )


def _made(run: Finished, record: Record) -> dict[str, np.ndarray]:
    """What each method made of the image, where it can be had."""
    made = {}
    for method in run.table.methods:
        kept = run.store.image_path(method, record.name)
        if kept.exists():
            made[method] = images.read(kept).pixels
        elif method in run.cheap:
            try:
                made[method] = run.cheap[method].restore(record).image
            except UserError:
                # The table lists it among the problems.
                continue
    return made


def _kernels(run: Finished, record: Record) -> dict[str, np.ndarray]:
    """The true kernel, and those that methods found."""
    kernels = {}
    if (h := record.extras.get("kernel")) is not None:
        kernels["true kernel"] = np.asarray(h)
    for method in run.table.methods:
        field = run.store.kernel_path(method, record.name)
        if field.exists():
            kernels[method] = np.load(field, allow_pickle=False)
    return kernels
