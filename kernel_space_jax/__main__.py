"""`python -m kernel_space_jax` is `kernel-space`."""

from kernel_space_jax.cli import main

main()
