"""The reference executor: walks a graph in order and calls each primitive's NumPy kernel. Plain on purpose."""
from .interpreter import Interpreter

__all__ = ["Interpreter"]
