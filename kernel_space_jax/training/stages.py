"""Crops and batches whose sizes change as training goes on (Restormer's recipe).

    config.stages = ((92_001, 160, 40), (156_001, 192, 32), ...)

From step 92,001 on crops of 160 pixels, 40 of them a step; before the first of these
steps `data.crop` and `batch_size` hold, and of the photos only the sharpest are used
(`data.sharpest`, Blur2Blur's curriculum). Each stage draws the data anew. Validation
keeps the crop and the batch of the config.
"""

from typing import NamedTuple

from kernel_space_jax.errors import UserError
from kernel_space_jax.training.task import Config


class Stage(NamedTuple):
    """Steps of one crop and batch size; `seen` are the examples of all before them."""

    number: int
    first: int
    crop: int
    batch_size: int
    seen: int

    def config(self, config: Config) -> Config:
        """The config as it is in this stage."""
        config = config.copy_and_resolve_references().unlock()
        config.data.crop, config.batch_size = self.crop, self.batch_size
        # Another seed, so that no stage begins with the examples of the first.
        config.seed += self.number
        if self.number:
            for data in (config.data, *config.data.streams.values()):
                if "sharpest" in data:
                    data.sharpest = 1.0
        return config


def stages(config: Config) -> list[Stage]:
    """The stages of a run, in order; one where the config names none."""
    found = [Stage(0, 1, config.data.crop, config.batch_size, 0)]
    for row in config.stages:
        if len(row) != 3 or not all(isinstance(n, int) and n > 0 for n in row):
            raise UserError(
                f"stages has {row!r}; each is (first step, crop, batch size), "
                "three numbers from 1 on"
            )
        first, crop, batch_size = row
        last = found[-1]
        if first <= last.first:
            raise UserError(
                f"the stage {tuple(row)!r} does not begin after step {last.first}; "
                "sort config.stages by their first steps"
            )
        seen = last.seen + (first - last.first) * last.batch_size
        found.append(Stage(len(found), first, crop, batch_size, seen))
    return found


def stage_of(found: list[Stage], step: int) -> Stage:
    """The stage that a step belongs to; steps count from 1."""
    return next(stage for stage in reversed(found) if stage.first <= step)
