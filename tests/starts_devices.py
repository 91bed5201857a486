"""Run by test_blind_map.py: writes what a search on several devices finds."""

import sys

import jax
import numpy as np
from test_blind_map import photo

from kernel_space_jax.solvers import blind_map

devices, file = int(sys.argv[1]), sys.argv[2]
assert jax.device_count() == devices
np.save(file, blind_map(photo(), 9).h)
