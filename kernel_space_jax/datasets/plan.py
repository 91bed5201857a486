"""What every example of a run will be, drawn before any picture is read."""

import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import grain
import numpy as np

from kernel_space_jax.datasets.crops import Augment, Draw, draw
from kernel_space_jax.datasets.source import Part, Source
from kernel_space_jax.datasets.spec import open_source
from kernel_space_jax.errors import UserError

# One data set, or several, all with a weight or all without.
Mixture = str | Source | Sequence[str | Source | tuple[str | Source, float]]


class Stream(NamedTuple):
    """One mixture: its sources, and the key of the batch under which each part goes."""

    sources: list[Source]
    keys: dict[Part, str]


class Plan(NamedTuple):
    """What a backend needs: an element of `draws` is a tuple of one `Draw` a stream."""

    streams: list[Stream]
    draws: grain.MapDataset
    batch_size: int
    crop: int
    bits: int

    def draw(self, number: int) -> tuple[Draw, ...]:
        """What example `number` of this process is made of, stream by stream."""
        drawn = self.draws[number]
        assert drawn is not None
        return drawn


def make_plan(
    sources: Mixture | None,
    unpaired: Mapping[str, Mixture],
    *,
    batch_size: int,
    crop: int,
    augment: Augment,
    bits: int,
    seed: int,
    process: tuple[int, int],
) -> Plan:
    """The plan of this process: see `pipeline.batches`."""
    mixtures: list[tuple[str, Mixture]] = [*unpaired.items()]
    if sources is not None:
        mixtures = [("", sources), *mixtures]
    if not mixtures:
        raise UserError("there is nothing to read; give a data set")
    streams, parts = [], []
    for number, (key, mixture) in enumerate(mixtures):
        opened, weights = _open(mixture)
        streams.append(Stream(opened, _keys(key, opened)))
        parts.append(_draws(opened, weights, [seed, number], augment))
    keys = [name for stream in streams for name in stream.keys.values()]
    if twice := next((name for name in keys if keys.count(name) > 1), None):
        raise UserError(
            f"the batch would hold {twice!r} twice; rename the unpaired one"
        )
    index, count = process
    draws = grain.experimental.ZipMapDataset(parts).slice(slice(index, None, count))
    return Plan(streams, draws, batch_size, crop, bits)


def _open(mixture: Mixture) -> tuple[list[Source], list[float]]:
    """The sources of a mixture and their weights, by default their lengths."""
    items = [mixture] if isinstance(mixture, str | Source) else list(mixture)
    pairs = [item if isinstance(item, tuple) else (item, None) for item in items]
    if not pairs:
        raise UserError("there is nothing to read; give a data set")
    opened = [s if isinstance(s, Source) else open_source(s) for s, _ in pairs]
    weights = [weight for _, weight in pairs if weight is not None]
    if not weights:
        return opened, [float(len(source)) for source in opened]
    if len(weights) < len(pairs) or min(weights) <= 0:
        raise UserError("give every data set of a mixture a weight above 0, or none")
    return opened, [float(weight) for weight in weights]


def _keys(key: str, sources: Sequence[Source]) -> dict[Part, str]:
    """Where the parts of a stream go; all its sources must have the same parts."""
    first, parts = sources[0], sources[0].parts()
    for source in sources[1:]:
        if source.parts() != parts:
            raise UserError(
                f"{first.spec} has {' and '.join(parts)} pictures and {source.spec} "
                f"{' and '.join(source.parts())} ones; add keep=sharp or keep=blurry "
                "to mix them"
            )
    if not parts:
        raise UserError(f"{first.spec} has no kind of picture that all records share")
    if not key:
        return {part: part for part in parts}
    if len(parts) > 1:
        raise UserError(
            f"{first.spec} has pairs, but {key!r} takes single pictures; add "
            "keep=sharp or keep=blurry"
        )
    return {parts[0]: key}


class _Shuffled:
    """The numbers below `count` without end, in a new order at each epoch.

    Grain's own shuffle needs 14 ms an element for 5 records, 0.25 ms for 400.
    """

    def __init__(self, count: int, seed: int):
        self.count, self.seed = count, seed

    def __len__(self) -> int:
        return sys.maxsize

    def __getitem__(self, index: int) -> int:
        epoch, place = divmod(index, self.count)
        return int(_order(self.count, self.seed, epoch)[place])


@lru_cache(maxsize=16)
def _order(count: int, seed: int, epoch: int) -> np.ndarray:
    return np.random.default_rng([seed, epoch]).permutation(count)


class _Draw(grain.transforms.RandomMap):
    """An index of source number `source` becomes a `Draw`."""

    def __init__(self, source: int, augment: Augment):
        self.source: int = source
        self.augment: Augment = augment

    def random_map(self, element: int, rng: np.random.Generator) -> Draw:
        return draw(rng, self.source, element, self.augment)


def _draws(
    sources: Sequence[Source], weights: list[float], seed: list[int], augment: Augment
) -> grain.MapDataset:
    """Endless draws from a mixture, every source shuffled anew at each epoch."""
    parts = []
    for number, source in enumerate(sources):
        words = np.random.SeedSequence([*seed, number]).generate_state(1)
        own = int(words[0] >> 1)
        indices = grain.MapDataset.source(_Shuffled(len(source), own)).seed(own)
        parts.append(indices.random_map(_Draw(number, augment)))
    return grain.MapDataset.mix(parts, weights)
