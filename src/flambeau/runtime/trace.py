"""The trace: op calls recorded and not yet run, and how they run.

A `Value` is an immutable array, computed (`buffer`) or pending. Recording appends `(specialization, slot, slot…)`; slots
number values in order of appearance, so the list of records is its own canonical key. `flush` runs what was recorded:
the values that something outside the trace still refers to are the program's outputs.
"""
from __future__ import annotations

import itertools
import os
import sys
import threading
from contextlib import contextmanager
from typing import Any, Callable, Iterator, NamedTuple, NoReturn

import numpy as np

from ..addresses import address_of
from ..dtypes import bool_, complex128, float64, int64
from ..errors import Site, call_site
from ..ir.types import TensorType, tensor_type
from .observer import Observer
from .program import Program, ProgramKey, find_program
from .specialization import Specialization

SCALAR_TYPES = {bool: tensor_type(bool_, (), True), int: tensor_type(int64, (), True),
                float: tensor_type(float64, (), True), complex: tensor_type(complex128, (), True)}

# A loop that never observes stays bounded: this many records (large results count for more, see `Specialization.cost`).
ROOM = 1000
ASYNCHRONOUS = os.environ.get("FLAMBEAU_ASYNC", "1") != "0"  # whether Python goes on while a program runs


FAILED = "the program that computes this value failed earlier; its error was raised there"


class Value:
    """An immutable dense array of `type`. `buffer` is None until the trace that records it is flushed; `address` is where it
    lies in memory, 0 before somebody asks.

    `pinned` is None, or says whether someone outside (a NumPy array) can still see the memory: a call that reads such a
    value runs at once, before that someone can change it.
    """

    __slots__ = ("type", "buffer", "address", "slot", "epoch", "pinned")
    slot: int

    def __init__(self, type: TensorType, buffer: np.ndarray | None = None):
        self.type = type
        self.buffer = buffer
        self.address = 0
        self.epoch = -1
        self.pinned: Callable[[], bool] | None = None

    def array(self) -> np.ndarray:
        """The computed array (bfloat16 as bits); runs the trace if it has to. Never write to it."""
        if trace.capture is not None:
            trace.capture.interrupt("it reads the values of a tensor")
        if self.buffer is None:
            if self.epoch == trace.epoch:
                flush()
            if self.buffer is None:
                raise RuntimeError(FAILED)
        flight = trace.flight
        if flight is not None and id(self) in flight.outputs:
            land()
            if self.buffer is None:
                raise RuntimeError(FAILED)
        return self.buffer

    def known(self) -> np.ndarray | None:
        """`array()` if it is computed already, else None."""
        return None if self.buffer is None else self.array()

    def location(self) -> int:
        """Where the computed array lies in memory. RuntimeError for one that was never computed."""
        if not self.address:
            if self.buffer is None:
                raise RuntimeError(FAILED)
            self.address = address_of(self.buffer)
        return self.address


class Flight(NamedTuple):
    """A program under way: what it makes (values by id), and the trace that it came from, for the case that it fails."""

    outputs: frozenset[int]
    compiled: Any
    inputs: list
    records: list[tuple]
    slots: list
    live: tuple[int, ...]
    sites: dict[int, Site]
    undo: list


class Trace:
    """The one trace of the process; all threads record into it under `lock`.

    epoch: the number of this trace, unlike that of any other. pending: the values that its calls make, in order. room: what
    may still be recorded before it runs. sites: where the user's program makes the calls that can still fail, by number of the
    record. flight: the program that runs while Python goes on, or None. observer: None, or what looks on (see `observer`).
    capture: None, or who records a call of the user's to replay it (see `replay`): until it is interrupted, the trace goes on
    over the ends of steps.
    """

    __slots__ = ("lock", "epoch", "undo", "records", "slots", "pending", "sites", "room", "flight", "observer", "capture", "_epochs")

    def __init__(self):
        self.lock = threading.RLock()
        self._epochs = itertools.count()
        self.flight: Flight | None = None
        self.observer: Observer | None = None
        self.capture: Any = None
        self.clear()

    def clear(self) -> None:
        self.epoch = next(self._epochs)
        self.records: list[tuple] = [] if self.observer is None else self.observer.new_records()
        self.slots: list[Any] = []  # Value or Python number, by slot
        self.pending: list[Value] = []
        self.sites: dict[int, Site] = {}
        self.room = ROOM
        self.undo: list[tuple[Any, Value]] = []  # (storage or generator, its value before the first write)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Records into a trace of its own, which is dropped at the end; it must not be observed."""
        with self.lock:
            kept = self.epoch, self.records, self.slots, self.pending, self.sites, self.room, self.undo
            self.clear()
            try:
                yield
            finally:
                self.epoch, self.records, self.slots, self.pending, self.sites, self.room, self.undo = kept

    def mark(self) -> None:
        """Remembers the user's line for the call that is recorded next."""
        site = call_site()
        if site is not None:
            self.sites[len(self.records)] = site

    def operand(self, value: Value) -> int:
        """The slot of a value that enters the trace as an input."""
        if value.buffer is None and (self.capture is None or not self.capture.stands_for(value)):
            raise RuntimeError(FAILED)
        value.epoch = self.epoch
        value.slot = slot = len(self.slots)
        self.slots.append(value)
        if value.pinned is not None:
            if value.pinned():
                if self.capture is None:
                    self.room = 0
            else:
                value.pinned = None
        return slot

    def enter(self, operand: Any) -> int | None:
        """The slot of an operand that is not in the trace: a computed value, or a number. None for a value of another kind."""
        if operand.__class__ is Value:
            return self.operand(operand)
        if isinstance(operand, Value):
            return None
        self.slots.append(operand)
        return len(self.slots) - 1

    def forget(self, known: int) -> None:
        """Takes back the slots from number `known` on: what was going to use them is not recorded."""
        for v in self.slots[known:]:
            if v.__class__ is Value:
                v.epoch = -1
        del self.slots[known:]


trace = Trace()
_new = object.__new__


def append_call(spec: Specialization, entry: tuple) -> list[Value]:
    """Appends (spec, slot, slot…); returns the outputs as new Values. The caller holds the lock."""
    t = trace
    t.records.append(entry)
    epoch, slot = t.epoch, len(t.slots)
    outputs = []  # refers to the values, so that they are results if the trace runs now
    for type in spec.out_types:
        v = _new(Value)
        v.type = type
        v.buffer = v.pinned = None
        v.epoch = epoch
        v.slot = slot
        slot += 1
        outputs.append(v)
    t.slots += outputs
    t.pending += outputs
    room = t.room = t.room - spec.cost
    if room <= 0:
        flush()
    return outputs


def record(spec: Specialization, operands: list) -> list[Value]:
    """Appends a call on Values and Python numbers; returns its outputs as new Values."""
    t = trace
    t.lock.acquire()  # a `with` costs twice as much, and comprehensions are calls: this is the recorder's path
    try:
        epoch, enter, known = t.epoch, t.enter, len(t.slots)
        places = [v.slot if v.__class__ is Value and v.epoch == epoch else enter(v) for v in operands]
        if None in places:  # a value of a running transformation, which records something else
            t.forget(known)
            return next(v for v, place in zip(operands, places) if place is None).record(spec, operands)
        return append_call(spec, (spec, *places))
    finally:
        t.lock.release()


def _referenced(pending: list[Value], alone: int) -> tuple[int, ...]:
    references = sys.getrefcount
    return tuple([v.slot for v in pending if references(v) > alone])


def _calibrate() -> int:
    """What sys.getrefcount says in `_referenced` of a value that nothing but the trace refers to."""
    slots = [Value(SCALAR_TYPES[int])]
    slots[0].slot = 0
    pending = slots.copy()
    return next(count for count in range(16) if not _referenced(pending, count))


_ALONE = _calibrate()


def referenced(pending: list[Value]) -> tuple[int, ...]:
    """The slots of a trace's pending values that something outside the trace refers to."""
    return _referenced(pending, _ALONE)


renewals: list[Callable[[], None]] = []  # what makes the lists of records of devices' traces anew


def observe(observer: Observer | None) -> None:
    """Lets `observer` look on from now on (None: nobody). What was recorded must have run."""
    trace.observer = observer
    trace.clear()
    for renew in renewals:
        renew()


at_boundaries: list[Callable[[], None]] = []  # what runs at the end of a step besides: the traces of devices


def end_step() -> None:
    """Runs everything recorded so far, on all devices; a call that is captured goes on."""
    if trace.capture is not None:
        trace.capture.boundary = True
        return
    flush()
    for run in at_boundaries:
        run()


def flush() -> None:
    """Runs everything recorded so far on the host."""
    with trace.lock:
        if trace.capture is not None:
            trace.capture.interrupt("it needs a result before its end")
        if not trace.records:
            trace.clear()
            return
        records, slots = trace.records, trace.slots
        live = referenced(trace.pending)
        observer = trace.observer
        if observer is not None:
            live = observer.wanted(records, slots, live)
        try:
            if live:
                key = ProgramKey(tuple(records), live)
                program = find_program(key, slots) if observer is None else observer.find(find_program, key, slots, records)
                run_program(program, slots, live)
        except BaseException as error:
            sites, undo = trace.sites, trace.undo
            trace.clear()
            raise_failure(error, records, slots, live, sites, undo)
        trace.clear()


def raise_failure(error: BaseException, records: list, slots: list, live: tuple[int, ...], sites: dict[int, Site],
                  undo: list) -> NoReturn:
    """Takes back what a failed program was to change, and raises its error, with the user's line where that is known."""
    found = error
    if sites and isinstance(error, Exception):
        from .blame import blame  # for errors only
        found, computed = blame(error, records, slots, sites, Value)
        for slot in live:
            slots[slot].buffer, slots[slot].address = computed.get(slot), 0
    for holder, value in reversed(undo):  # a failed step changes nothing
        holder.restore(value)
    if found is error:
        raise error
    raise found from None


def land() -> None:
    """Waits for the program that is under way, if any, and takes part in it. Raises the error that it met."""
    with trace.lock:
        flight, trace.flight = trace.flight, None
        if flight is None:
            return
        flight.compiled.join()
        try:
            results = flight.compiled.rerun_if_failed(flight.inputs)
        except BaseException as error:
            for i in flight.live:
                flight.slots[i].buffer, flight.slots[i].address = None, 0
            raise_failure(error, *flight[3:])
        if results is not None:
            for i, buffer in zip(flight.live, results):
                flight.slots[i].buffer, flight.slots[i].address = buffer, 0


def run_program(program: Program, slots: list, live: tuple[int, ...]) -> None:
    """Feeds a program the buffers of its inputs and hands out its results."""
    if trace.flight is not None:
        land()
    inputs, addresses = _feed(program.input_slots, slots)
    compiled = program.run.compiled if program.compiles else None  # type: ignore[attr-defined]
    if compiled is None:
        for i, buffer in zip(live, program.run(inputs)):
            value = slots[i]
            value.buffer, value.address = buffer, 0
        return
    # a replayed step, which is one call, is going to be bound to the memory that it takes over
    dead = None if compiled.small and len(trace.records) > 1 else _unwanted(compiled.donatable, program.input_slots, slots)
    results = compiled.post(inputs, addresses, dead) if ASYNCHRONOUS else None
    if results is not None:
        made = frozenset([id(slots[i]) for i in live])
        trace.flight = Flight(made, compiled, inputs, trace.records, slots, live, trace.sites, trace.undo)
    else:
        results = compiled.call(inputs, addresses, dead)
    for i, buffer, address in zip(live, *results):
        value = slots[i]
        value.buffer, value.address = buffer, address
    if trace.flight is not None and trace.room <= 0:  # an input that someone outside can write to
        land()


def _feed(input_slots: tuple[int, ...], slots: list) -> tuple[list, list[int]]:
    """A program's inputs (arrays and numbers), and the addresses of the arrays."""
    inputs: list[Any] = []
    addresses = []
    for i in input_slots:
        value = slots[i]
        if value.__class__ is Value:
            inputs.append(value.buffer)
            addresses.append(value.address or value.location())
        else:
            inputs.append(value)
            addresses.append(0)
    return inputs, addresses


_UNREFERENCED = _OWNED = 0  # what sys.getrefcount says in `_unwanted` of a value, and of its array, that nobody else refers to


def _unwanted(donatable: tuple[int, ...], input_slots: tuple[int, ...], slots: list) -> frozenset[int]:
    """Which of these inputs hold memory that nobody wants after the program: only the slots (and what could be undone) refer
    to the value, and only the value and the list of inputs to its array, which is no part of another."""
    kept: dict[Any, int] = {}  # references that the undo list holds, and one of this table itself
    for _, value in trace.undo:
        kept[value] = kept[value] + 1 if value in kept else 2
    dead = []
    references, last, owned, also = sys.getrefcount, _UNREFERENCED, _OWNED, kept.get
    for n in donatable:
        value = slots[input_slots[n]]
        if value.__class__ is Value and references(value) <= last + also(value, 0) and value.pinned is None:
            buffer = value.buffer
            if references(buffer) <= owned and buffer.base is None:  # type: ignore[union-attr]
                dead.append(n)
    return frozenset(dead)


def _calibrate_references() -> tuple[int, int]:
    """(_UNREFERENCED, _OWNED) of this Python."""
    global _UNREFERENCED, _OWNED
    slots = [Value(SCALAR_TYPES[int], np.empty(1))]
    inputs = [slots[0].buffer]
    found = []
    for first, second in ((0, 99), (99, 0)):
        _UNREFERENCED, _OWNED = first, second
        while not _unwanted((0,), (0,), slots):
            _UNREFERENCED, _OWNED = _UNREFERENCED + (second > 0), _OWNED + (first > 0)
        found.append(_UNREFERENCED if second else _OWNED)
    del inputs
    return found[0], found[1]


_UNREFERENCED, _OWNED = _calibrate_references()


# Locks that a fork waits for, in this order: a child could never take one that another thread of its parent held.
fork_locks: list[Any] = [trace.lock]


def _before_fork() -> None:
    """A child must not inherit a pending trace: run it, and let nobody be in the midst of anything."""
    flush()
    land()
    for lock in fork_locks:
        lock.acquire()


def _after_fork() -> None:
    for lock in reversed(fork_locks):
        lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
