"""Data sets: readers of the field's folders, and pipelines that feed the training.

`datasets.pipeline` makes batches; it is imported by itself, for it needs Grain.
"""

from kernel_space_jax.datasets.source import Record, Source
from kernel_space_jax.datasets.spec import open_source

__all__ = ["Record", "Source", "open_source"]
