"""`ReduceOp`: how the values of several processes become one."""
from __future__ import annotations

import enum


class ReduceOp(enum.Enum):
    """SUM, AVG (the sum divided by the number of processes), PRODUCT, MIN, MAX; BAND, BOR, BXOR bit by bit, for integers."""

    SUM = 0
    AVG = 1
    PRODUCT = 2
    MIN = 3
    MAX = 4
    BAND = 5
    BOR = 6
    BXOR = 7

    def __repr__(self) -> str:
        return f"<RedOpType.{self.name}: {self.value}>"

    def __str__(self) -> str:
        return f"RedOpType.{self.name}"


def supports_complex(reduceOp: ReduceOp) -> bool:
    """Whether complex numbers can be reduced so: they have no order, and their bits no meaning."""
    return reduceOp in (ReduceOp.SUM, ReduceOp.AVG, ReduceOp.PRODUCT)
