"""`flambeau launch`: a program in several processes, with torchrun's arguments."""
from __future__ import annotations

from typing import Sequence

from ..distributed.run import main as run


def main(argv: Sequence[str]) -> int:
    """Starts what argv says; 0, or the exit code of the process that failed first."""
    return run(argv, "flambeau launch")
