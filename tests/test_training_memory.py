"""A step's memory is kept for the next one."""

import subprocess
import sys

import pytest

from kernel_space_jax.training import memory

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
    def faults(keep: str) -> int:
        command = [sys.executable, "-c", FAULTS.format(keep=keep)]
        return int(subprocess.check_output(command, text=True))

    anew = faults("")
    assert anew > 200_000
    assert faults("keep_memory()") < anew / 3


def test_the_users_own_word_stays(monkeypatch):
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "131072")
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: pytest.fail("asked"))
    memory.keep_memory()
