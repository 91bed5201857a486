"""Makes pairs of a high-speed video: each run of frames is one long exposure.

    python scripts/prepare_exposures.py frames/ -o pairs/

y = the mean of n frames in light (x^gamma), x = the one in the middle; n goes round in
--lengths. No frame is used twice, unless --stride says how far apart exposures begin.
With --noise both photos have that of a sensor, each its own. `pairs:` reads the result.
"""

from itertools import cycle
from pathlib import Path
from typing import Annotated

import jax.numpy as jnp
import numpy as np
import typer

import kernel_space_jax as ks
from kernel_space_jax.datasets import open_source
from kernel_space_jax.datasets.source import as_colour
from kernel_space_jax.synthesis import average_frames


def main(
    frames: Annotated[Path, typer.Argument(help="A folder of frames, in order.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of pairs.")],
    lengths: Annotated[str, typer.Option(help="Frames of an exposure.")] = "7,9,11,13",
    first: Annotated[int, typer.Option(min=0, help="The first frame.")] = 0,
    last: Annotated[
        int | None, typer.Option(min=1, help="The first frame after them.")
    ] = None,
    stride: Annotated[
        int | None, typer.Option(min=1, help="Frames from one exposure to the next.")
    ] = None,
    gamma: Annotated[float, typer.Option(help="Light is a pixel to this power.")] = 2.2,
    height: Annotated[
        int | None, typer.Option(min=16, help="Resize frames: their shorter side.")
    ] = None,
    noise: Annotated[
        float, typer.Option(min=0, help="Standard deviation of noise, white is 1.")
    ] = 0.0,
) -> None:
    spec = f"images:{frames}" + (f"?resize={height}" if height else "")
    source, at = open_source(spec), first
    end = min(last or len(source), len(source))
    rng = np.random.default_rng(0)

    def photo(x: np.ndarray) -> ks.Photo:
        return ks.Photo(x + noise * rng.standard_normal(x.shape, np.float32))

    for n in cycle(int(length) for length in lengths.split(",")):
        if at + n > end:
            break
        x = np.stack([as_colour(source.pixels(i)["sharp"]) for i in range(at, at + n)])
        y = np.asarray(average_frames(jnp.asarray(x), gamma))
        name = f"{frames.name}_{Path(source.names[at + n // 2]).stem}_n{n:02d}.png"
        ks.write(output / "sharp" / name, photo(x[n // 2]))
        ks.write(output / "blurry" / name, photo(y))
        at += stride or n


if __name__ == "__main__":
    typer.run(main)
