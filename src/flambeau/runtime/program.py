"""`Program`: a trace as one flat graph with an executor, cached by the trace's canonical key."""
from __future__ import annotations

from collections import OrderedDict
from typing import Any, Callable, NamedTuple, Protocol

import numpy as np

from ..ir.graph import Graph, GraphBuilder, Var, inline
from ..ir.types import tensor_type
from ..dtypes import bool_, complex128, float64, int64

CACHE_SIZE = 4096  # programs kept; one that was not used lately goes first
_SCALAR = {bool: tensor_type(bool_, ()), int: tensor_type(int64, ()), float: tensor_type(float64, ()),
           complex: tensor_type(complex128, ())}


class ProgramKey(NamedTuple):
    """The records and the slots whose values outlive the trace."""

    records: tuple
    live: tuple[int, ...]


class Executor(Protocol):
    """Turns a graph into a function from arrays and Python numbers to output arrays, each owned by nobody else.

    `run.compiled`, if its class has it and it is not None, is to be called instead: `compiled.call(inputs, addresses, dead)` with the
    addresses of the arrays returns (outputs, their addresses); `dead` are those inputs among `compiled.donatable` whose
    memory it may take over, because nobody else wants them any more, or None where `compiled.small` results shall lie in two
    places by turns.
    """

    def prepare(self, graph: Graph) -> Callable[..., list[np.ndarray]]: ...


class Program:
    """graph: flattened and without dead code. input_slots: the trace slots that feed the graph's inputs. compiles: whether
    `run` has a native form. used: whether it has run since somebody last looked for programs to forget."""

    __slots__ = ("graph", "input_slots", "run", "compiles", "used")

    def __init__(self, graph: Graph, input_slots: tuple[int, ...], run: Callable[..., list[np.ndarray]]):
        self.graph, self.input_slots, self.run = graph, input_slots, run
        self.compiles = hasattr(type(run), "compiled")
        self.used = False


_programs: OrderedDict[ProgramKey, Program] = OrderedDict()
_executor: Executor | None = None


def set_executor(executor: Executor) -> None:
    """Selects what runs programs from now on, and forgets the programs prepared for another executor."""
    global _executor
    _executor = executor
    clear_programs()


def clear_programs() -> None:
    """Forgets all prepared programs."""
    _programs.clear()


def known_program(key: ProgramKey) -> Program | None:
    """The program for `key`, if there is one."""
    return _programs.get(key)


def find_program(key: ProgramKey, slots: list) -> Program:
    """The program for `key`, built on first sight."""
    program = _programs.get(key)
    if program is None:
        program = _programs[key] = build_program(key, slots)
        while len(_programs) > CACHE_SIZE:
            _forget_one()
    else:
        program.used = True
    return program


def _forget_one() -> None:
    """Drops the first program that has not been used since the last time; the others get a second chance (the clock algorithm).
    To move a program to the end at each use would cost another hash of its key."""
    key, program = _programs.popitem(last=False)
    if program.used:
        program.used = False
        _programs[key] = program


def flatten(key: ProgramKey, slots: list, given: int = 0) -> tuple[Graph, tuple[int, ...]]:
    """One graph of all records: calls inlined, equal ones merged, dead ones dropped; and its inputs' slots.

    The first `given` slots are inputs whether or not a record uses them.
    """
    builder = GraphBuilder()
    input_slots = list(range(given))
    env: dict[int, Var] = {i: builder.input(slots[i].type) for i in input_slots}
    next_slot = given
    for number, (spec, *operands) in enumerate(key.records):
        args = []
        for slot in operands:
            if slot not in env:
                v: Any = slots[slot]
                env[slot] = builder.input(_SCALAR[v.__class__] if v.__class__ in _SCALAR else v.type)
                input_slots.append(slot)
                next_slot += 1
            args.append(env[slot])
        builder.origin = ((number, spec.name),)
        outs = inline(spec.graph, args, builder, expand=True)
        env.update(enumerate(outs, next_slot))  # slots are numbered in order of appearance
        next_slot += len(outs)
    return builder.finish([env[i] for i in key.live]), tuple(input_slots)


def build_program(key: ProgramKey, slots: list) -> Program:
    graph, input_slots = flatten(key, slots)
    if _executor is None:
        raise RuntimeError("no executor is set")
    return Program(graph, input_slots, _executor.prepare(graph))
