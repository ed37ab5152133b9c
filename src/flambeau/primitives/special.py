"""Special functions as elementwise primitives, with NumPy kernels from published approximations."""
from __future__ import annotations

import numpy as np

from .elementwise import _binary

gcd = _binary("gcd", np.gcd, None)
