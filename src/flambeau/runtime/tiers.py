"""Tiers: a program runs in the interpreter at first sight, is compiled in the background at the second, and runs natively
from a fixed count on, so that the same script does the same thing every time. Programs that do much and differ in sizes alone, as for
sentences of many lengths, are counted together: once one of them is native, most of what another needs is compiled already, and it is
native at first sight. Large programs that do little wait longer; those whose values would fill much memory, which compiled
programs need a fraction of, and those that draw a model's first weights are compiled at first sight, too.

FLAMBEAU_EXECUTOR=interpreter | native forces one tier for every program.
"""
from __future__ import annotations

import os
import threading
from typing import Any, Callable, Hashable, Iterable
from weakref import WeakKeyDictionary, WeakValueDictionary

import numpy as np

from ..interpret.interpreter import Interpreter, scan_kernel
from ..ir.graph import Graph, GraphBuilder, Node
from ..primitives.scan import Body, scan_p
from .fragments import fragment_p, outlined
from .trace import fork_locks, trace

COMPILE_AT = 2  # the run that starts the compiler
SWITCH_AT = 4   # the first native run, which waits for the compiler if it must
LARGE = 1000    # nodes from which on compiling takes so long that a program must be worth it (see `_patience`)
NODE_LIMIT = 4000  # larger programs (long unrolled recurrences) stay in the interpreter: compiling them takes minutes
HEAVY = 128 << 20  # bytes alive at once in the interpreter from which on a program of many calls is compiled at first sight
MANY = 200         # calls: fewer are interpreted sooner than compiled
ALIKE = 1e-4       # seconds to compile a node of a program whose like is native, and
MOST_ONCE = 12     # how many of these may be compiled that have not come again, before others have to come twice
DRAWN = 1 << 20    # random words from which on a program that does little else is compiled sooner than interpreted

_compiling = threading.RLock()  # held while a compiler thread works: a child forked then would inherit LLVM's and the importer's locks
_forks = 0  # how many forks this process is away from the first
fork_locks.append(_compiling)


def _compile(graph: Graph, keeps: bool = True) -> Callable[..., list[np.ndarray]]:
    with _compiling:
        from ..compiler.executor import CompiledProgram
        observer = trace.observer
        if observer is None:
            return CompiledProgram(graph, keeps)
        return observer.compile(lambda: CompiledProgram(graph, keeps), graph)


def halves_of(compiled: Any, fixed: frozenset[int]) -> Any:
    """What a compiled program computes of inputs that stay, and the rest (see `compiler.held`); None if that is not worth it."""
    if fixed not in compiled.halves:
        with _compiling:
            from ..compiler.held import divided
            compiled.halves[fixed] = divided(compiled, fixed)
    return compiled.halves[fixed]


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


class _Ascent:
    """Counts the runs of something that is interpreted, and has it compiled. patience: runs more than usual until then."""

    __slots__ = ("runs", "patience", "future", "forks", "graph", "native")

    def __init__(self, patience: int = 0):
        self.runs = 0
        self.patience = patience
        self.future: _Compilation | None = None
        self.graph: Graph | None = None  # what is compiled
        self.native: Any = None  # the compiled program, from the moment on when it is to run

    def run(self, graph: Graph) -> Any:
        """Counts a run of `graph`; returns `native`."""
        if self.runs < SWITCH_AT + self.patience:
            self.runs += 1
            if self.runs == COMPILE_AT + self.patience:
                self.graph, self.future, self.forks = graph, _Compilation(graph), _forks
            elif self.runs == SWITCH_AT + self.patience and self.future is not None:
                if self.future.done() or self.forks == _forks:  # otherwise nobody is left to compile it
                    self.native = self.future.result()
                self.future = None
        return self.native


def _patience(graph: Graph) -> int:
    """How many runs more a large program is left to the interpreter: at most 10, fewer the more it computes. Programs that come a
    few times must not keep the compiler busy for longer than they run. Depends on the graph alone."""
    nodes = len(graph.nodes)
    return 0 if nodes <= LARGE else min(10, int(nodes * 4e-3 / (8 * _seconds(graph))))


def _seconds(graph: Graph) -> float:
    """What the interpreter takes, roughly."""
    return len(graph.nodes) * 1e-5 + _multiplications(graph.nodes) * 1e-10


def _multiplications(nodes: Iterable[Node]) -> float:
    """Of a product of a (m, k) and b (k, n): √(mk · kn · mn)."""
    return sum([(n.inputs[0].size * n.inputs[1].size * n.outputs[0].size) ** 0.5 for n in nodes if n.prim.kind == "contraction"]
               + [n.params[3] * _multiplications(n.params[0].expanded.nodes) for n in nodes if n.prim is scan_p])


def _is_heavy(graph: Graph) -> bool:
    """Whether the interpreter would hold so much at once that it decides how large the process grows."""
    if not MANY <= len(graph.nodes) <= NODE_LIMIT:
        return False
    last = {v: i for i, node in enumerate(graph.nodes) for v in node.inputs}
    gone: dict[int, int] = {}  # bytes whose last use is this node
    alive = 0
    for i, node in enumerate(graph.nodes):
        if node.prim.kind not in ("view", "constant"):
            made = sum([v.type.nbytes for v in node.outputs])
            alive += made
            end = max([last.get(v, i) for v in node.outputs])
            gone[end] = gone.get(end, 0) + made
        if alive >= HEAVY:
            return True
        alive -= gone.pop(i, 0)
    return False


def _mostly_draws(graph: Graph) -> bool:
    """Whether the graph makes many random numbers, such as a model's first weights, and multiplies no matrices."""
    if any(n.prim is scan_p or n.prim.kind == "contraction" for n in graph.nodes):
        return False
    return sum([n.outputs[0].size for n in graph.nodes if n.prim.kind == "random"]) >= DRAWN


_ascents: WeakKeyDictionary[Body, _Ascent] = WeakKeyDictionary()  # of the loops in interpreted programs


def tiered_scan(node: Node) -> Callable[..., list[np.ndarray]]:
    """The kernel of a scan in an interpreted program: NumPy at first, then native. Scans of any number of steps with the same
    body count, and are compiled, together."""
    body = node.params[0]
    ascent = _ascents.get(body) or _ascents.setdefault(body, _Ascent())
    interpreted = scan_kernel(node)
    builder = GraphBuilder()
    alone = builder.finish(builder.call(scan_p, tuple([builder.input(v.type) for v in node.inputs]), node.params,
                                        [v.type for v in node.outputs]))
    native: Any = None

    def kernel(*arrays: np.ndarray) -> list[np.ndarray]:
        nonlocal native
        if native is None:
            if ascent.run(alone) is None:
                return interpreted(*arrays)
            native = _compile(alone, keeps=False)  # the code is there: only what depends on the number of steps is made
        return native([np.ascontiguousarray(a) for a in arrays])
    return kernel


class _Fragment:
    """A part that programs have in common: interpreted at first, then native, whichever program runs it."""

    def __init__(self, graph: Graph):
        self.graph, self.ascent = graph, _Ascent()
        self.interpreted = Interpreter().prepare(graph)

    def __call__(self, *arrays: np.ndarray) -> list[np.ndarray]:
        run = self.ascent.run(self.graph) or self.interpreted
        return run([np.ascontiguousarray(a).reshape(a.shape) for a in arrays])


_fragments: WeakValueDictionary[str, _Fragment] = WeakValueDictionary()  # by the text of their graphs


def _tiered(node: Node) -> Callable[..., list[np.ndarray]]:
    """The kernel of a loop or a fragment in an interpreted program."""
    if node.prim is not fragment_p:
        return tiered_scan(node)
    graph, text = node.params
    fragment = _fragments.get(text)
    if fragment is None:
        fragment = _fragments[text] = _Fragment(graph)
    return fragment


class _Alike:
    """Programs that differ in sizes alone. once: how many were compiled at first sight and have not come again."""

    __slots__ = ("ascent", "once", "__weakref__")

    def __init__(self) -> None:
        self.ascent, self.once = _Ascent(), 0


_alike: WeakValueDictionary[Hashable, _Alike] = WeakValueDictionary()  # by their structure


def _those_like(graph: Graph) -> _Alike | None:
    """The programs that a graph is counted with; None for one that is interpreted sooner than compiled, even if they are native."""
    if len(graph.nodes) * ALIKE > (SWITCH_AT - 1) * _seconds(graph):
        return None
    structure = tuple([(n.prim, *[(v.dtype, v.ndim) for v in n.outputs]) for n in graph.nodes])
    return _alike.setdefault(structure, _Alike())


class TieredProgram:
    """Counts the runs of one program and moves it from tier to tier. early: it was compiled at first sight, and has run once."""

    __slots__ = ("graph", "ascent", "alike", "early", "native", "_interpreted")

    def __init__(self, graph: Graph):
        self.graph = graph
        self.ascent = _Ascent(_patience(graph)) if len(graph.nodes) <= NODE_LIMIT else None
        self.alike = None if self._is_interpreted_for_long() else _those_like(graph)
        self.early: Any = None
        self.native: Any = None
        self._interpreted: Any = None

    @property
    def interpreted(self) -> Callable[..., list[np.ndarray]]:
        """The graph for the interpreter, prepared when it is first to run it."""
        if self._interpreted is None:
            self._interpreted = Interpreter(_tiered).prepare(outlined(self.graph) if self._is_interpreted_for_long() else self.graph)
        return self._interpreted

    def _is_interpreted_for_long(self) -> bool:
        return self.ascent is None or self.ascent.patience > 0

    @property
    def compiled(self) -> Any:
        """The native program that is to run now, or None while the interpreter runs it. Counts the run."""
        if self.native is None and self.ascent is not None:
            return self._climb(self.ascent, self.alike)
        return self.native

    def _climb(self, ascent: _Ascent, alike: _Alike | None) -> Any:
        if alike is not None and self.early is not None:
            alike.once -= 1
            self.native = self.early
        elif alike is None or ascent.runs:
            self.native = ascent.run(self.graph)
        elif (native := alike.ascent.run(self.graph)) is None:
            if alike.ascent.runs >= SWITCH_AT:  # what was to be native first is lost (a fork, an error)
                self.native = ascent.run(self.graph)
        elif alike.ascent.graph is self.graph:
            self.native = native
        elif alike.once < MOST_ONCE:
            alike.once += 1
            self.early = _compile(self.graph)
            return self.early
        else:
            self.native = ascent.run(self.graph)
        return self.native

    def __call__(self, inputs: list) -> list[np.ndarray]:
        return self.interpreted(inputs)


class Tiered:
    """The `Executor` of a normal session."""

    def prepare(self, graph: Graph) -> Callable[..., list[np.ndarray]]:
        if _mostly_draws(graph):
            return _compile(graph, keeps=False)  # a model's weights are updated where they lie: nobody else may hold them
        return _compile(graph) if _is_heavy(graph) else TieredProgram(graph)


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
