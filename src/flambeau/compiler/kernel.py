"""`Kernel`: one function of a program under construction, `void kernel(void **buffers, i64 chunk, void *scratch)`."""
from __future__ import annotations

from functools import lru_cache
from typing import Callable, Sequence

from ..ir.graph import Var
from .cache import compile_cached
from .llvm import ir, jit
from .llvm.emit import I64, PTR, Emitter, Index, Value, new_module
from .llvm.target import Target, host_target

CHUNK = 1 << 14  # elements that a chunk works on, about: large enough to pay for claiming it, small enough to balance
LEAST = 1 << 13  # elements of which two threads take a half each
FEW = 16  # chunks: with fewer it matters that each thread has as many


class Kernel:
    """One kernel's function under construction. slot_of: a buffer's number in the table of pointers.

    guarded: it does nothing once the program's error flag is set.
    """

    def __init__(self, module: ir.Module, target: Target, name: str, slot_of: dict[Var, int], guarded: bool = False):
        self.e = Emitter.define(module, target, name, [PTR, I64, PTR])
        self.name = name
        self.scratch = 0  # bytes that a chunk needs
        self.slot_of = slot_of
        self.pointers: dict[Var, Value] = {}
        self.flag = self.e.load(self.e.args[0], PTR)  # the table's first entry
        self.lanes = target.isa.lanes(4)
        if guarded:
            with self.e.when(self.e.b.icmp_signed("!=", self.e.load(self.flag, I64), I64(0)), likely=False):
                self.e.b.ret_void()

    @property
    def chunk(self) -> Value:
        return self.e.args[1]

    def pointer(self, var: Var) -> Value:
        """The address of a buffer, loaded once at the kernel's entry."""
        p = self.pointers.get(var)
        if p is None:
            slot = self.e.at(self.e.args[0], self.slot_of[var], PTR)
            p = self.pointers[var] = self.e.load(slot, PTR)
        return p

    def prepare(self, variables: Sequence[Var]) -> None:
        """Loads the addresses that the body will use."""
        for v in variables:
            self.pointer(v)

    def fail(self) -> None:
        """Sets the program's error flag: the interpreter then runs the program again, and raises the error."""
        self.e.store(self.e.i64(1), self.flag)

    def finish(self) -> None:
        self.e.b.ret_void()


def units_per_chunk(units: int, weight: int) -> int:
    """How many units, of about `weight` elements each, make a chunk. Few chunks are an even number, for two threads, if a half of one is
    worth claiming."""
    per = max(1, min(units, CHUNK // max(weight, 1)))
    chunks = -(-units // per)
    return -(-units // (chunks + chunks % 2)) if chunks < FEW and units * weight >= LEAST else per


def chunked(k: Kernel, units: int, weight: int) -> tuple[Index, Index, int]:
    """(first unit, past the last, number of chunks) of this chunk, for units of `weight` elements each."""
    e = k.e
    per = units_per_chunk(units, weight)
    chunks = max(1, -(-units // per))
    if chunks == 1:
        return 0, units, 1
    start = e.mul(k.chunk, per)
    return start, e.min(e.add(start, per), units), chunks


def common_kernel(write: Callable[[Emitter], None]) -> int:
    """The address of a kernel that is no step of a graph and that programs have in common: compiled when first wanted, and kept.
    write: writes its code; the kernel bears its name."""
    return _library_of(write)[write.__name__]


@lru_cache(None)
def _library_of(write: Callable[[Emitter], None]) -> jit.Library:
    target = host_target()
    module = new_module(target, write.__name__)
    e = Emitter.define(module, target, write.__name__, [PTR, I64, PTR], noalias=False)
    write(e)
    e.b.ret_void()
    return jit.load(compile_cached(module, target), [write.__name__])
