"""Scores methods on a data set: the same program as `kernel-space evaluate`.

python scripts/evaluate.py --data levin:data/levin09 --method blurry -o run

`scripts/evaluate.py blur-swap ...` is `kernel-space blur-swap ...`, and the other
experiments likewise: deblurgan, blur2blur.
"""

import sys

from kernel_space_jax.cli import main

if __name__ == "__main__":
    if sys.argv[1:2] not in (["blur-swap"], ["deblurgan"], ["blur2blur"]):
        sys.argv.insert(1, "evaluate")
    main()
