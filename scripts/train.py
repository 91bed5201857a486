"""Train a network: python scripts/train.py --config=configs/NAME.py --workdir=DIR

The same program as `kernel-space train`; keys of the config may follow as
--config.key=value.
"""

import sys

from kernel_space_jax.cli import main

sys.argv.insert(1, "train")
main()
