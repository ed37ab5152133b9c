"""The machine code of kernels: one body for equal steps, of all the programs of a process.

A training step's program is not the only one with its kernels: the first step differs in how it begins, a sentence of another
length has the same optimizer. What a program has in common with others is there already; the rest is compiled together, and kept
on disk by what it computes.
"""
from __future__ import annotations

import json
from typing import Any, Hashable, Iterable
from weakref import WeakValueDictionary

from ..ir.graph import Var
from .cache import cache_key, object_cache
from .emission import emit
from .kernel import Kernel
from .llvm import jit
from .llvm.emit import new_module
from .llvm.target import Target, host_target
from .schedule import Step
from .sharing import signature


class Body:
    """A kernel that is loaded. scratch: bytes that a chunk needs. library: what the address belongs to."""

    __slots__ = ("address", "chunks", "scratch", "library", "__weakref__")

    def __init__(self, address: int, chunks: int, scratch: int, library: Any):
        self.address, self.chunks, self.scratch, self.library = address, chunks, scratch, library


_bodies: WeakValueDictionary[Hashable, Body] = WeakValueDictionary()  # as long as a program wants them


def bodies_of(steps: Iterable[tuple[Step, bool]]) -> list[tuple[Body, list[Var]]]:
    """The body of each step, and the buffers in the order of its table. The flag says whether the step does nothing once
    the program's error flag is set."""
    wanted, found = [], {}
    missing: dict[Hashable, tuple[Step, bool, list[Var]]] = {}
    for step, guarded in steps:
        key, buffers = signature(step)
        key = (key, guarded)
        wanted.append((key, buffers))
        body = found.get(key) or _bodies.get(key)
        if body is not None:
            found[key] = body
        else:
            missing.setdefault(key, (step, guarded, buffers))
    if missing:
        for key, body in zip(missing, _load(missing)):
            found[key] = _bodies[key] = body
    return [(found[key], buffers) for key, buffers in wanted]


def _load(missing: dict[Hashable, tuple[Step, bool, list[Var]]]) -> list[Body]:
    target = host_target()
    key = cache_key("kernels\n" + "\n".join(map(repr, missing)), target)
    header, _, code = object_cache().get_or_make(key, lambda: _compile(missing, target)).partition(b"\n")
    sizes = json.loads(header)
    names = [f"k{i}" for i in range(len(sizes))]
    library = jit.load(code, names)
    return [Body(library[name], chunks, scratch, library) for name, (chunks, scratch) in zip(names, sizes)]


def _compile(missing: dict[Hashable, tuple[Step, bool, list[Var]]], target: Target) -> bytes:
    """What the cache keeps: a line of JSON, [chunks, bytes of scratch] of each kernel, and the object code."""
    module = new_module(target)
    sizes = []
    for i, (step, guarded, buffers) in enumerate(missing.values()):
        k = Kernel(module, target, f"k{i}", {v: slot for slot, v in enumerate(buffers, 1)}, guarded)
        sizes.append((emit(k, step), k.scratch))
    return json.dumps(sizes).encode() + b"\n" + jit.compile_module(module, target, level=1)
