"""Dense linear algebra on stacks of matrices."""
from __future__ import annotations

from typing import Any, Callable

RULES: dict[str, Callable[..., Any]] = {}
HOST = ("linalg_solve", "linalg_solve_triangular", "linalg_inv", "linalg_cofactor", "linalg_det", "linalg_slogdet", "linalg_cholesky",
        "linalg_undefined", "linalg_qr", "linalg_eigh", "linalg_eig", "linalg_svd", "linalg_singular_values", "linalg_pinv")
