"""Tiers: a program runs in the interpreter at first sight, is compiled in the background at the second, and runs natively
from a fixed count on, so that the same script does the same thing every time. Large programs that do little wait longer.

FLAMBEAU_EXECUTOR=interpreter | native forces one tier for every program.
"""
from __future__ import annotations

import os
import threading
from typing import Any, Callable

import numpy as np

from ..interpret import Interpreter
from ..ir.graph import Graph
from .trace import fork_locks

COMPILE_AT = 2  # the run that starts the compiler
SWITCH_AT = 4   # the first native run, which waits for the compiler if it must
LARGE = 1000    # nodes from which on compiling takes so long that a program must be worth it (see `_patience`)
NODE_LIMIT = 4000  # larger programs (long unrolled recurrences) stay in the interpreter: compiling them takes minutes

_compiling = threading.RLock()  # held while a compiler thread works: a child forked then would inherit LLVM's and the importer's locks
_forks = 0  # how many forks this process is away from the first
fork_locks.append(_compiling)


def _compile(graph: Graph) -> Callable[..., list[np.ndarray]]:
    with _compiling:
        from ..compiler.executor import CompiledProgram
        return CompiledProgram(graph)


class _Compilation(threading.Thread):
    """A program on its way through the compiler. One is compiled at a time: LLVM has one lock for all."""

    def __init__(self, graph: Graph):
        super().__init__(name="compiler-of-flambeau")
        self.graph = graph
        self.program: Any = None
        self.error: BaseException | None = None
        self.start()

    def run(self) -> None:
        with _compiling:
            if not threading.main_thread().is_alive():  # the interpreter is going: nobody will want it
                return
            try:
                self.program = _compile(self.graph)
            except BaseException as error:  # for `result`
                self.error = error

    def done(self) -> bool:
        """Whether `result` would not wait."""
        return not self.is_alive()

    def result(self) -> Any:
        """The compiled program, or the error that the compiler met."""
        self.join()
        if self.error is not None:
            raise self.error
        return self.program


def _patience(graph: Graph) -> int:
    """How many runs more a large program is left to the interpreter: at most 10, fewer the more it computes. Sentences of
    many lengths, unrolled, must not keep the compiler busy for longer than they run. Depends on the graph alone."""
    nodes = len(graph.nodes)
    if nodes <= LARGE:
        return 0
    # multiplications of a product of a (m, k) and b (k, n): √(mk · kn · mn)
    work = sum((n.inputs[0].size * n.inputs[1].size * n.outputs[0].size) ** 0.5 for n in graph.nodes if n.prim.kind == "contraction")
    interpreted = nodes * 1e-5 + work * 1e-10  # seconds, roughly
    return min(10, int(nodes * 4e-3 / (8 * interpreted)))


class TieredProgram:
    """Counts the runs of one program and moves it from tier to tier."""

    __slots__ = ("graph", "runs", "patience", "interpreted", "native", "future", "forks")

    def __init__(self, graph: Graph):
        self.graph = graph
        self.runs = 0
        self.patience = _patience(graph)
        self.interpreted = Interpreter().prepare(graph)
        self.native: Any = None
        self.future: _Compilation | None = None

    @property
    def compiled(self) -> Any:
        """The native program that is to run now, or None while the interpreter runs it. Counts the run."""
        if self.runs < SWITCH_AT + self.patience:
            self.runs += 1
            if self.runs == COMPILE_AT + self.patience and len(self.graph.nodes) <= NODE_LIMIT:
                self.future = _Compilation(self.graph)
                self.forks = _forks
            elif self.runs == SWITCH_AT + self.patience and self.future is not None:
                if self.future.done() or self.forks == _forks:  # otherwise nobody is left to compile it
                    self.native = self.future.result()
                self.future = None
        return self.native

    def __call__(self, inputs: list) -> list[np.ndarray]:
        return self.interpreted(inputs)


class Tiered:
    """The `Executor` of a normal session."""

    def prepare(self, graph: Graph) -> Callable[..., list[np.ndarray]]:
        return TieredProgram(graph)


class Native:
    """The `Executor` that compiles everything at first sight."""

    def prepare(self, graph: Graph) -> Callable[..., list[np.ndarray]]:
        return _compile(graph)


def default_executor() -> Any:
    """What the environment asks for: tiers unless FLAMBEAU_EXECUTOR says otherwise."""
    name = os.environ.get("FLAMBEAU_EXECUTOR", "tiered")
    try:
        return {"tiered": Tiered, "interpreter": Interpreter, "native": Native}[name]()
    except KeyError:
        raise ValueError(f"FLAMBEAU_EXECUTOR is {name!r}; it can be 'tiered', 'interpreter' or 'native'") from None


def _forget_after_fork() -> None:
    """A child has none of the compiler's threads."""
    global _forks
    _forks += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
