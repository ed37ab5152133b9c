"""Factorisations in LAPACK's packed form. The host computes it."""
from __future__ import annotations

from typing import Any, Callable

RULES: dict[str, Callable[..., Any]] = {}
HOST = ("linalg_geqrf", "linalg_ldl_factor", "linalg_ldl_solve",)
