"""The machine code of kernels: one body for equal steps, of all the programs of a process.

A training step's program is not the only one with its kernels: the first step differs in how it begins, a sentence of another
length has the same optimizer. What a program has in common with others is there already, but for numbers perhaps (`families`);
the rest is compiled together, and kept on disk by what it computes.
"""
from __future__ import annotations

import json
from itertools import accumulate
from typing import Any, Hashable, Iterable
from weakref import WeakValueDictionary

from ..ir.graph import Var
from .cache import cache_key, object_cache
from .emission import emit
from .families import NAME, KernelText, family_of, found
from .kernel import Kernel
from .llvm import jit
from .llvm.emit import new_module
from .llvm.target import Target, host_target
from .schedule import Step
from .sharing import signature

OWN = 0  # the number of the object with the kernels that no earlier program had relatives of


class Body:
    """A kernel that is loaded. scratch: bytes that a chunk needs. library: what the address belongs to."""

    __slots__ = ("address", "chunks", "scratch", "library", "__weakref__")

    def __init__(self, address: int, chunks: int, scratch: int, library: Any):
        self.address, self.chunks, self.scratch, self.library = address, chunks, scratch, library


_bodies: WeakValueDictionary[Hashable, Body] = WeakValueDictionary()  # as long as a program wants them


def bodies_of(steps: Iterable[tuple[Step, bool]]) -> list[tuple[Body, list[Var]]]:
    """The body of each step, and the buffers in the order of its table. The flag says whether the step does nothing once
    the program's error flag is set."""
    wanted: list[tuple[Hashable, list[Var]]] = []
    found: dict[Hashable, Body] = {}
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
    rows, sizes = json.loads(header)
    ends = list(accumulate(sizes))
    objects = [code[end - size:end] for size, end in zip(sizes, ends)]
    own = [f"k{i}" for i, row in enumerate(rows) if row[2] == OWN]
    library = jit.load(objects[OWN], own) if own else None
    bodies = []
    for i, (chunks, scratch, number, values) in enumerate(rows):
        loaded, name = (library, f"k{i}") if number == OWN else (jit.load(objects[number], [NAME], values), NAME)
        bodies.append(Body(loaded[name], chunks, scratch, loaded))  # type: ignore[index]
    return bodies


def _compile(missing: dict[Hashable, tuple[Step, bool, list[Var]]], target: Target) -> bytes:
    """What the cache keeps: a line of JSON, and objects. The line: of each kernel [chunks, bytes of scratch, number of its object,
    values of the object's symbols], and the sizes of the objects."""
    rows: list[tuple] = []
    objects = [b""]
    own: dict[str, str] = {}  # functions and declarations, by name
    first: list[KernelText] = []
    for i, (step, guarded, buffers) in enumerate(missing.values()):
        module = new_module(target)
        k = Kernel(module, target, NAME, {v: slot for slot, v in enumerate(buffers, 1)}, guarded)
        chunks = emit(k, step)
        text = KernelText(module)
        family = family_of(text)
        if family is None:
            first.append(text)
            own.update(text.numbered(i))
            rows.append((chunks, k.scratch, OWN, {}))
        else:
            code, values = family.member(text, lambda ir: _compiled(ir, target))
            if code not in objects:
                objects.append(code)
            rows.append((chunks, k.scratch, objects.index(code), values))
    if own:
        objects[OWN] = _compiled("\n".join(own.values()), target)
    for text in first:
        found(text)
    return json.dumps([rows, [len(code) for code in objects]]).encode() + b"\n" + b"".join(objects)


def _compiled(text: str, target: Target) -> bytes:
    return jit.compile_module(f"{new_module(target)}\n{text}", target, level=1)
