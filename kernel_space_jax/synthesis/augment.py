"""The blur of one data set on the sharp images of another, on disk as pairs.

y'_i = F(x'_i, G(x_j, y_j)),    j drawn for each i

Where both are one data set, no image is given its own blur: j != i.
"""

import json
import zlib
from collections.abc import Callable
from functools import reduce
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from kernel_space_jax import images
from kernel_space_jax.datasets.source import Source
from kernel_space_jax.errors import UserError
from kernel_space_jax.metrics import psnr
from kernel_space_jax.synthesis.transfer import extract_blur, transfer
from kernel_space_jax.weights import Weights

LOG = "augment.jsonl"


def augment(
    pairs: Source,
    sharp: Source,
    output: Path,
    count: int,
    *,
    weights: Weights | None = None,
    seed: int = 0,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Writes `count` pairs into `output`, as `pairs:` reads them; how many were new.

    A run that was stopped goes on: pairs that the log names are kept. The log says
    whose blur each image was given, and how well F gives that pair back (dB).
    """
    swap = pairs.spec == sharp.spec
    check_pairs(pairs, least=2 if swap else 1)
    made_of: dict[str, object] = {
        "pairs": pairs.spec,
        "sharp": sharp.spec,
        "seed": seed,
        "weights": _checksum(weights),
    }
    done = _logged(output, made_of)
    made = 0
    for number in range(count):
        tell(number, count)
        which = number % len(sharp)
        target = sharp[which]
        name = f"{number:05d}_{Path(target.name).name}"
        if name in done:
            continue
        x = target.sharp if target.sharp is not None else target.blurry
        assert x is not None
        draw = np.random.default_rng([seed, number])
        # The one after it takes the place of the one left out.
        others = len(pairs) - swap
        chosen = int(draw.integers(others))
        source = pairs[chosen + (swap and chosen >= which)]
        assert source.sharp is not None and source.blurry is not None
        operator, k = extract_blur(source.sharp, source.blurry, weights)
        again, blurry = transfer(operator, k, [source.sharp, x])
        found = psnr(jnp.asarray(again)[None], jnp.asarray(source.blurry)[None])
        images.write(output / "sharp" / f"{name}.png", images.Photo(x))
        images.write(output / "blurry" / f"{name}.png", images.Photo(blurry))
        line = {"name": name, "blur of": source.name, "reconstruction": float(found[0])}
        with (output / LOG).open("a") as file:
            file.write(json.dumps(line) + "\n")
        made += 1
    tell(count, count)
    return made


def check_pairs(pairs: Source, *, least: int = 1) -> None:
    """A `UserError` unless a data set has pairs, at least so many."""
    if "blurry" not in pairs.parts() or "sharp" not in pairs.parts():
        raise UserError(f"{pairs.spec} has no pairs to take blur from")
    if len(pairs) < least:
        raise UserError(f"{pairs.spec} holds one pair; swapping blur takes two")


def _checksum(weights: Weights | None) -> int:
    """What tells two sets of weights apart; 0 for none."""
    leaves = jax.tree.leaves(weights.variables) if weights else []
    add = lambda sum, leaf: zlib.crc32(np.asarray(leaf).tobytes(), sum)
    return reduce(add, leaves, 0)


def _logged(output: Path, made_of: dict[str, object]) -> set[str]:
    """The names that the log of a folder has; a folder of something else is refused."""
    log = output / LOG
    if not log.exists():
        if output.exists() and any(output.iterdir()):
            raise UserError(f"{output} has files in it; give a new folder with -o")
        output.mkdir(parents=True, exist_ok=True)
        log.write_text(json.dumps(made_of) + "\n")
        return set()
    first, *lines = log.read_text().splitlines()
    if json.loads(first) != made_of:
        raise UserError(
            f"{output} was made of other data, with other weights or another seed; "
            "give a new folder"
        )
    return {json.loads(line)["name"] for line in lines}
