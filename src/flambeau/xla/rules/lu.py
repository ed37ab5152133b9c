"""LU factorisation. The host computes it."""
from __future__ import annotations

from typing import Any, Callable

RULES: dict[str, Callable[..., Any]] = {}
HOST = ("linalg_lu_factor", "linalg_permutation",)
