"""`flambeau demo`: runs examples/digits_lenet.py, which is shipped in the package, as `flambeau run` would."""
from __future__ import annotations

from pathlib import Path
from typing import Sequence

from .run import run

PROGRAM = Path(__file__).parents[1] / "examples" / "digits_lenet.py"


def demo(arguments: Sequence[str]) -> None:
    """Runs the demonstration with its own `arguments`."""
    run(str(PROGRAM), arguments)
