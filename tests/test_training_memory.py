"""A step's memory is kept for the next one."""

import os
import subprocess
import sys

import pytest

# How often calls ask Linux for a page; each has 64 MB between its operations. After a
# few the heap is as large as it will be.
FAULTS = """
import resource
import jax, jax.numpy as jnp
from kernel_space_jax.training.memory import keep_memory
{keep}
a = jnp.ones((4096, 8))
step = jax.jit(lambda a: jnp.sum(jnp.sin(a @ a.T)))
count = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    step(a).block_until_ready()
before = count()
for _ in range(20):
    step(a).block_until_ready()
print(count() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only there memory is cleared")
def test_pages_are_asked_for_once():
    def faults(keep: str, **variables: str) -> int:
        code, env = FAULTS.format(keep=keep), os.environ | variables
        command = [sys.executable, "-c", code]
        return int(subprocess.check_output(command, env=env, text=True))

    anew = faults("")
    assert anew > 200_000
    assert faults("keep_memory()") < anew / 3
    # The user's own word stays.
    assert faults("keep_memory()", MALLOC_TRIM_THRESHOLD_="131072") > anew / 2
