"""Run on several devices by test_blind_search.py: a stack over them, and each alone."""

import jax
import jax.numpy as jnp
import numpy as np

from kernel_space_jax.solvers.batch import solve_each, spread


def halvings(limit, x):
    """How often x must be halved to be under the limit, and what is left."""
    return jax.lax.while_loop(
        lambda state: state[1] > limit,
        lambda state: (state[0] + 1, state[1] / 2),
        (0, x),
    )


assert jax.device_count() == 4
stack = jnp.asarray([1.0, 300.0, 7.0, 2.0, 90.0, 5.0])
limit = jnp.float32(1)
for way in ("map", "vmap"):
    together = spread(halvings, way)
    counts, left = together(limit, stack)
    alone = [halvings(limit, x) for x in stack]
    np.testing.assert_array_equal(counts, [count for count, _ in alone])
    np.testing.assert_array_equal(left, [x for _, x in alone])
    each = solve_each(halvings, limit, stack)
    np.testing.assert_array_equal(each[1], left)
    program = together.lower(limit, jnp.tile(stack, 2)).compile().as_text()
    # No device waits for another, however long its photos take.
    assert not any(f"all-{what}" in program for what in ("reduce", "gather", "to-all"))
