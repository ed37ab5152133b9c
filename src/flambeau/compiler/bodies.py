"""The machine code of kernels: one body for equal steps, of all the programs of a process.

A training step's program is not the only one with its kernels: the first step differs in how it begins, a sentence of another
length has the same optimizer. What a program has in common with others is there already, but for numbers perhaps (`families`);
the rest is compiled together, and kept on disk by what it computes.
"""
from __future__ import annotations

import json
import math
import threading
from concurrent.futures import Future, ThreadPoolExecutor
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

BATCH = 200_000  # characters of IR that are compiled together, while what follows is written


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
    batches: dict[int, list[str]] = {}
    for _, _, number, name, _ in rows:
        if name != NAME:
            batches.setdefault(number, []).append(name)
    libraries = {number: jit.load(objects[number], names) for number, names in batches.items()}
    bodies = []
    for chunks, scratch, number, name, values in rows:
        library = libraries.get(number) or jit.load(objects[number], [NAME], values)
        bodies.append(Body(library[name], chunks, scratch, library))
    return bodies


def _compile(missing: dict[Hashable, tuple[Step, bool, list[Var]]], target: Target) -> bytes:
    """What the cache keeps: a line of JSON, and objects. The line: of each kernel [chunks, bytes of scratch, number of its object,
    its name there, values of the object's symbols], and the sizes of the objects."""
    rows: list[list] = []
    first: list[KernelText] = []
    members: list[bytes] = []  # the objects of families
    with ThreadPoolExecutor(1) as background:
        batches = _Batches(target, background)
        for i, (step, guarded, buffers) in enumerate(missing.values()):
            module = new_module(target)
            k = Kernel(module, target, NAME, {v: slot for slot, v in enumerate(buffers, 1)}, guarded)
            chunks = emit(k, step)
            text = KernelText(module)
            family = family_of(text)
            if family is None:
                first.append(text)
                rows.append([chunks, k.scratch, batches.add(text, i), f"k{i}", {}])
            else:
                code, values = family.member(text, lambda ir: _compiled(ir, target))
                if code not in members:
                    members.append(code)
                rows.append([chunks, k.scratch, members.index(code), NAME, values])
        objects = batches.objects()
    for row in rows:
        if row[3] == NAME:
            row[2] += len(objects)
    for text in first:
        found(text)
    objects += members
    return json.dumps([rows, [len(code) for code in objects]]).encode() + b"\n" + b"".join(objects)


class _Batches:
    """Kernels that are compiled as they are, many together, by another thread while the next ones are written."""

    def __init__(self, target: Target, background: ThreadPoolExecutor):
        self._target, self._background = target, background
        self._limit = BATCH if threading.main_thread().is_alive() else math.inf  # at the interpreter's exit threads cannot be started
        self._started: list[Future] = []
        self._parts: dict[str, str] = {}  # functions and declarations, by name
        self._length = 0

    def add(self, kernel: KernelText, number: int) -> int:
        """Adds a kernel as k`number`; returns the number of the object that it will be in."""
        self._parts.update(kernel.numbered(number))
        self._length += len(kernel.text)
        if self._length > self._limit:
            self._started.append(self._background.submit(_compiled, "\n".join(self._parts.values()), self._target))
            self._parts, self._length = {}, 0
            return len(self._started) - 1
        return len(self._started)

    def objects(self) -> list[bytes]:
        """The objects, when they are all there."""
        rest = [_compiled("\n".join(self._parts.values()), self._target)] if self._parts else []
        return [batch.result() for batch in self._started] + rest


def _compiled(text: str, target: Target) -> bytes:
    return jit.compile_module(f"{new_module(target)}\n{text}", target, level=1)
