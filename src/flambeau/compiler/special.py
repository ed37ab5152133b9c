"""Kernels for the primitives that are neither elementwise nor plain reductions. One row a primitive.

A row is `lower(kernel, node) -> number of chunks`; its operands and results are row-major buffers.
"""
from __future__ import annotations

from typing import Callable

SPECIAL: dict[str, Callable] = {}
