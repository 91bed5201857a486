"""One run from its settings to its table: what the command line calls."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kernel_space_jax import metrics
from kernel_space_jax.datasets import Record, open_source
from kernel_space_jax.datasets.spec import absolute
from kernel_space_jax.errors import UserError, unknown
from kernel_space_jax.evaluation.methods import Method
from kernel_space_jax.evaluation.protocol import Problems, Protocol, Restored, Score
from kernel_space_jax.evaluation.protocols import find_protocol
from kernel_space_jax.evaluation.protocols.common import as_floats, batch_of_one
from kernel_space_jax.evaluation.protocols.sweep import sweep_protocol
from kernel_space_jax.evaluation.run import score_all
from kernel_space_jax.evaluation.store import Settings, Store
from kernel_space_jax.evaluation.tables import Table, tabulate
from kernel_space_jax.weights import Weights

# Scores that can join any protocol, of whole images as they are.
ALSO = {
    "ssim-3d": Score("SSIM 3-D", digits=4),
    "ms-ssim": Score("MS-SSIM", digits=4),
    "lpips": Score("LPIPS", digits=4, lower_is_better=True),
}


@dataclass(frozen=True)
class Opened:
    """A run's protocol and images, made of its settings alone."""

    protocol: Protocol
    problems: Problems
    names: list[str]


def open_run(settings: Settings, perceptual: Weights | None = None) -> Opened:
    """The protocol and the images that settings speak of; LPIPS wants weights."""
    source = open_source(settings.data)
    if settings.sweep:
        protocol = sweep_protocol(settings.sweep, settings.limit)
    else:
        protocol = find_protocol(settings.protocol or None, source.name)
    shown = ("", settings.published or source.name)
    published = tuple(row for row in protocol.published if row.data in shown)
    protocol = replace(protocol, published=published)
    protocol = with_also(protocol, settings.also, perceptual)
    problems = protocol.problems(source)
    names = problems.names if settings.sweep else problems.names[: settings.limit]
    return Opened(protocol, problems, names)


def evaluate(
    folder: Path,
    settings: Settings,
    make_methods: Callable[[Sequence[str]], Sequence[Method]],
    *,
    perceptual: Weights | None = None,
    keep_images: bool = True,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> Table:
    """Scores what the folder does not have yet; the table of all its methods.

    `make_methods` is given the names of the images. A folder that holds a run of the
    same data and protocol goes on, and its methods stay in the table.
    """
    settings = replace(settings, data=absolute(settings.data))
    if "lpips" in settings.also and perceptual is None:
        raise UserError("LPIPS needs weights; give them with --lpips")
    run = open_run(settings, perceptual)
    methods = make_methods(run.names)
    labels = [method.label for method in methods]
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None:
        raise UserError(
            f"two methods would be called '{twice}'; name a folder with LABEL=FOLDER"
        )
    store = Store(folder)
    identities = {method.label: method.identity for method in methods}
    settings = replace(settings, protocol=run.protocol.name, methods=identities)
    settings = store.begin(settings)
    score_all(
        run.protocol,
        run.problems,
        methods,
        store,
        names=run.names,
        keep_images=keep_images,
        tell=tell,
    )
    return table_of(store, settings, run)


def table_of(store: Store, settings: Settings, run: Opened) -> Table:
    """The table of the methods that a run has finished."""
    complete = [
        label
        for label in settings.methods
        if all((label, name) in store.rows for name in run.names)
    ]
    return tabulate(run.protocol, complete, run.names, store.rows)


def with_also(
    protocol: Protocol, also: Sequence[str], perceptual: Weights | None
) -> Protocol:
    """The protocol with more columns, of the names in `ALSO`."""
    for name in also:
        if name not in ALSO:
            raise unknown("score", name, ALSO)
    functions = {
        "ssim-3d": metrics.ssim_3d,
        "ms-ssim": metrics.ms_ssim,
        "lpips": lambda x, z: metrics.lpips(x, z, perceptual),
    }

    def score(record: Record, restored: Restored) -> dict[str, float]:
        scores = protocol.score(record, restored)
        x, z = batch_of_one(record, restored)
        more = {ALSO[name].name: functions[name](x, z) for name in also}
        return scores | as_floats(more)

    if not also:
        return protocol
    columns = tuple(ALSO[name] for name in also)
    return replace(protocol, scores=protocol.scores + columns, score=score)
