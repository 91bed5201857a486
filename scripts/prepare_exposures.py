"""Makes pairs of a high-speed video: each run of frames is one long exposure.

    python scripts/prepare_exposures.py frames/ -o pairs/

y = the mean of n frames in light (gamma 2.2), x = the one in the middle; n goes round
in --lengths, and no frame is used twice. `pairs:` reads the result.
"""

from itertools import cycle
from pathlib import Path
from typing import Annotated

import jax.numpy as jnp
import numpy as np
import typer

import kernel_space_jax as ks
from kernel_space_jax.datasets.pairing import image_files
from kernel_space_jax.synthesis import average_frames


def main(
    frames: Annotated[Path, typer.Argument(help="A folder of frames, in order.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of pairs.")],
    lengths: Annotated[str, typer.Option(help="Frames of an exposure.")] = "7,9,11,13",
) -> None:
    files, first = image_files(frames), 0
    for n in cycle(int(length) for length in lengths.split(",")):
        taken = files[first : first + n]
        if len(taken) < n:
            break
        x = [ks.read(file).pixels for file in taken]
        y = np.asarray(average_frames(jnp.asarray(np.stack(x))))
        name = f"{frames.name}_{taken[n // 2].stem}_n{n:02d}.png"
        ks.write(output / "sharp" / name, ks.Photo(x[n // 2]))
        ks.write(output / "blurry" / name, ks.Photo(y))
        first += n


if __name__ == "__main__":
    typer.run(main)
