"""Connectionist temporal classification. The host computes it."""
from __future__ import annotations

from typing import Any, Callable

RULES: dict[str, Callable[..., Any]] = {}
HOST = ("ctc",)
