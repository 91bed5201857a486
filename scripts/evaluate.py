"""Scores methods on a data set: the same program as `kernel-space evaluate`.

python scripts/evaluate.py --data levin:data/levin09 --method blurry -o run
"""

import sys

from kernel_space_jax.cli import main

if __name__ == "__main__":
    sys.argv.insert(1, "evaluate")
    main()
