"""Camera shake: how a point of the picture moves while the shutter is open.

Boracchi and Foi, "Modeling the Performance of Image Restoration from Motion Blur"
(2012), as DeblurGAN draws it: a particle of constant speed whose heading is pushed by
Gaussian tremor, pulled back to where it started, and now and then thrown around.
"""

import jax
import jax.numpy as jnp
from jax import Array, lax

# Steps that one iteration of the compiled loop makes: an iteration costs more than
# the arithmetic of a step. Twenty compile slowly, and on CPU are slower too.
UNROLL = 5


def shake_trajectory(
    key: Array,
    *,
    steps: int = 2000,
    length: float = 60.0,
    anxiety: float = 0.005,
    centripetal: float = 0.7,
    tremor: float = 10.0,
    abrupt: float = 0.2,
) -> Array:
    """The places of a shaken camera at equal times: (steps, 2) of (row, column), px.

        v <- v + b + anxiety (g n - c p) s,    v <- s v / |v|,    p <- p + v

    with s = length / (steps - 1), n ~ N(0, I) and p from (0, 0). The trajectory draws
    its own c ~ U(0, centripetal), g ~ U(0, tremor) and q ~ U(0, abrupt); with
    probability q anxiety a step is a jerk, b = 2v turned by half a turn and up to
    half a radian more or less, and otherwise b = 0.
    """
    hand, jerk, noise = jax.random.split(key, 3)
    pull, force, chance, heading = jax.random.uniform(hand, (4,))
    pull, force, chance = centripetal * pull, tremor * force, abrupt * chance
    stride = length / max(steps - 1, 1)
    angle = 2 * jnp.pi * heading
    start = stride * jnp.cos(angle), stride * jnp.sin(angle)
    when, turn = jax.random.uniform(jerk, (2, steps))
    jerked = when < chance * anxiety
    angles = jnp.pi + turn - 0.5
    # b + v = A v: A is the identity, but for jerks.
    along = jnp.where(jerked, 1 + 2 * jnp.cos(angles), 1.0)
    across = jnp.where(jerked, 2 * jnp.sin(angles), 0.0)
    pushes = anxiety * stride * force * jax.random.normal(noise, (2, steps))
    rein = anxiety * stride * pull

    def step(state: tuple[Array, ...], inputs: tuple[Array, ...]):
        py, px, vy, vx = state
        along, across, ny, nx = inputs
        wy = along * vy + across * vx + ny - rein * py
        wx = along * vx - across * vy + nx - rein * px
        scale = stride * lax.rsqrt(wy * wy + wx * wx + 1e-20)
        vy, vx = scale * wy, scale * wx
        return (py + vy, px + vx, vy, vx), (py, px)

    still = jnp.zeros(())
    _, (rows, columns) = lax.scan(
        step, (still, still, *start), (along, across, *pushes), unroll=UNROLL
    )
    return jnp.stack([rows, columns], -1)
