"""Values on a device (an accelerator, or XLA's own CPU) and the trace of each device.

A `Resident` is a value whose array lies on a device. Calls on one are recorded in the trace of its device, like calls on host
values in the host's, and run as one program that XLA compiles (`xla/`). A run does not wait for the device: whoever looks at
a value does, and meets the errors that depend on values then.
"""
from __future__ import annotations

import sys
import weakref
from collections import OrderedDict
from contextlib import contextmanager
from functools import lru_cache
from math import prod
from typing import Any, Callable, Iterator, Sequence

import numpy as np

from ..errors import Site, describe
from ..ir.graph import trace as trace_graph
from ..ir.types import TensorType, contiguous_strides
from ..primitives.shape import strided_view_at, strided_write_at
from .program import CACHE_SIZE, ProgramKey, flatten
from .specialization import Specialization
from .trace import FAILED, ROOM, SCALAR_TYPES, Value, at_boundaries, renewals, trace
from .transform import Batched, Dual, Transformed


MANY = 5  # so many offsets of like views make a program that is told the offset worth its run
REPEATED = 2  # the same for rows of memory that is computed already, as a loop over batches reads: each would make a program of its own
LITTLE = 1 << 20  # bytes of results that nobody wants, at most, for which another program's code is used


class Resident(Value):
    """An immutable dense array on a device. home: the device's trace. data: jax's array, None while pending."""

    __slots__ = ("home", "data", "era", "place")

    place: int  # the slot in the trace number `era`

    def __init__(self, type: TensorType, home: DeviceTrace, data: Any = None):
        super().__init__(type)
        self.slot = -1
        self.home, self.data = home, data
        self.era = -1

    def record(self, spec: Specialization, operands: Sequence[Any]) -> list[Value]:
        """Records a call with this value among its operands."""
        for v in operands:
            if v.__class__ is not Value and isinstance(v, Value) and not isinstance(v, Resident):
                return v.record(spec, operands)  # type: ignore[attr-defined]  # a transformation has its way first
        return self.home.record(spec, operands)

    def ready(self) -> Any:
        """jax's array, which may still be on its way; runs the device's trace if it has to."""
        if self.data is None:
            if self.era == self.home.epoch:
                self.home.flush()
            if self.data is None:
                raise RuntimeError(FAILED)
        return self.data

    def read_view(self, shape: tuple[int, ...], strides: tuple[int, ...], offset: int) -> Resident | None:
        """A strided view of this value's memory, read by a call that is told the offset, so that a loop over slices does not make a
        program for each. None where few offsets have been seen: programs are simpler if they know it."""
        rows = self.data is not None and strides == contiguous_strides(shape)
        if not prod(shape) or not self.home.is_at_many((self.type, shape, strides), offset, REPEATED if rows else MANY):
            return None
        return self.home.record(_view_at(self.type, shape, strides), [self, offset])[0]  # type: ignore[return-value]

    def write_at(self, new: Value, strides: tuple[int, ...], offset: int) -> Specialization | None:
        """The call on this value, `new` and an offset that overwrites a strided view of its memory. None as for `read_view`, or if the
        memory is read as another dtype."""
        if new.__class__ is not Resident or new.type.dtype is not self.type.dtype or not new.type.size \
                or not self.home.is_at_many((self.type, new.type, strides), offset):
            return None
        return _write_at(self.type, new.type, strides)

    def known(self) -> np.ndarray | None:
        """The array if it is computed already and in the host's own memory, else None."""
        if self.home.platform != "cpu" or self.data is None or not self.data.is_ready():
            return None
        return np.asarray(self.data).view(self.type.dtype.np)

    def array(self) -> np.ndarray:
        """A copy on the host. Waits for the device, and raises the errors of what it has done so far."""
        from ..xla import backend
        data = self.ready()
        self.home.raise_errors()
        return backend.fetch(data, self.type.dtype)


class DeviceTrace:
    """What is recorded for one device (or several that work as one) and has not run yet.

    device: as tensors report it. place: jax's sharding. platform: jax's name of it. shares: None, or, for several devices, the sharding
    that gives each an equal part along a dimension. divided: the shapes of which each of several devices keeps a part, with the dimension
    along which they are cut.
    """

    def __init__(self, device: Any, place: Any, platform: str, shares: Callable[[int], Any] | None = None):
        self.device, self.place, self.platform, self.shares = device, place, platform, shares
        self.epoch = 0
        self.divided: dict[tuple[int, ...], int] = {}
        self.noted: list[tuple[Any, list[Site]]] = []  # errors of programs that nobody has looked at yet
        self._offsets: dict[tuple, set[int]] = {}  # of views read and written, by the types and the strides
        self._latest: list[weakref.ref] = []  # the arrays that the last program makes
        self._programs: OrderedDict[ProgramKey, Any] = OrderedDict()
        self._returned: dict[tuple, list[tuple[int, ...]]] = {}  # of each list of records: the live slots of its programs
        self._clear()
        at_boundaries.append(self.flush)
        renewals.append(self._clear)

    def _clear(self) -> None:
        self.epoch += 1
        self.records: list[tuple] = [] if trace.observer is None else trace.observer.new_records()
        self.slots: list[Any] = []  # Resident, host Value or Python number, by slot
        self.sites: list[Site] = []
        self.room = ROOM

    def _clear_programs(self) -> None:
        self._programs.clear()
        self._returned.clear()

    def is_at_many(self, geometry: tuple, offset: int, many: int = MANY) -> bool:
        """Whether so many offsets of views of this geometry were seen that programs are to be told them."""
        if self.shares is not None:  # what several devices share is better cut where a program knows
            return False
        seen = self._offsets.setdefault(geometry, set())
        if len(seen) < many:
            seen.add(offset)
        return len(seen) >= many

    def widen(self, devices: tuple) -> None:
        """From now on divides programs among several devices, of which this one is the first. What was computed before is copied to all
        of them when it is used."""
        self.flush()
        self.place, self.shares = _among(devices)
        self._clear_programs()

    def divide(self, shape: tuple[int, ...]) -> None:
        """From now on cuts what programs make of this shape among the devices, along the first dimension that they divide evenly."""
        count = len(self.place.device_set)
        dim = next((d for d, n in enumerate(shape) if n and n % count == 0), None)
        if dim is not None and self.divided.setdefault(shape, dim) == dim:
            self._clear_programs()

    def place_of(self, shape: tuple[int, ...]) -> Any:
        """Where an array of this shape lies if nothing else is said."""
        dim = self.divided.get(shape)
        return self.place if dim is None or self.shares is None else self.shares(dim)

    def record(self, spec: Specialization, operands: Sequence[Any]) -> list[Value]:
        """Appends a call on this device's values, numbers and 0-dim host values; returns its outputs."""
        with trace.lock:
            site = trace.sites.pop(len(trace.records), None)  # `apply` marks calls that can fail before it knows where they run
            self._check_devices(operands)
            entry: list[Any] = [spec]
            for v in operands:
                if v.__class__ is Resident:
                    entry.append(v.place if v.era == self.epoch else self._enter(v))
                else:
                    entry.append(len(self.slots))
                    self.slots.append(v)
            self.records.append(tuple(entry))
            if site is not None:
                self.sites.append(site)
            outputs = self.of(spec.out_types)
            for made in outputs:
                self._enter(made)  # type: ignore[arg-type]
            self.room -= spec.cost
            if self.room <= 0:
                self.flush()
            return outputs

    def of(self, types: Sequence[TensorType]) -> list[Value]:
        """New values of these types, pending."""
        return [Resident(t, self) for t in types]

    def _enter(self, value: Resident) -> int:
        value.era, value.place = self.epoch, len(self.slots)
        self.slots.append(value)
        return value.place

    def _check_devices(self, operands: Sequence[Any]) -> None:
        for v in operands:
            if v.__class__ is Resident:
                if v.home is not self:
                    raise mixed_devices(self.device, v.home.device)
                if v.data is None and v.era != self.epoch:
                    raise RuntimeError(FAILED)
            elif isinstance(v, Value) and v.type.shape:
                raise mixed_devices(self.device, "cpu")

    def flush(self) -> None:
        """Starts everything recorded so far."""
        with trace.lock:
            if not self.records:
                return
            records, slots, sites = self.records, self.slots, self.sites
            live = _referenced(slots, _ALONE)
            self._clear()
            observer = trace.observer
            if live:
                key = self._like(ProgramKey(tuple(records), live), slots)
                program = self._find_program(key, slots) if observer is None else observer.find(self._find_program, key, slots, records)
                self._run(program, slots, key.live, sites)

    def _like(self, key: ProgramKey, slots: list) -> ProgramKey:
        """The key of a program that was made for the same calls and returns a little more than is wanted, or `key` itself. Whether a loop
        still holds its last loss, say, is not worth a program of its own."""
        if key in self._programs:
            return key
        earlier = self._returned.setdefault(key.records, [])
        for live in earlier:
            if set(live) >= set(key.live) and sum(slots[i].type.nbytes for i in set(live) - set(key.live)) <= LITTLE:
                return ProgramKey(key.records, live)
        earlier.append(key.live)
        return key

    def _forget(self, key: ProgramKey) -> None:
        returned = self._returned[key.records]
        returned.remove(key.live)
        if not returned:
            del self._returned[key.records]

    def _find_program(self, key: ProgramKey, slots: list) -> Any:
        program = self._programs.get(key)
        if program is None:
            from ..xla.program import DeviceProgram
            program = self._programs[key] = DeviceProgram(*flatten(key, slots), self.place, self.platform,
                                                                   self.place_of if self.divided else None)
            if len(self._programs) > CACHE_SIZE:
                self._forget(self._programs.popitem(last=False)[0])
        else:
            self._programs.move_to_end(key)
        return program

    def _run(self, program: Any, slots: list, live: tuple[int, ...], sites: list[Site]) -> None:
        dead = frozenset([n for n, i in enumerate(program.input_slots) if slots[i].__class__ is Resident
                          and _is_last(slots[i]) and _is_sole_owner(slots[i])] if self.shares is None else ())
        inputs = []
        for n, i in enumerate(program.input_slots):
            v = slots[i]
            if self.divided and v.__class__ is Resident and len(v.data.sharding.device_set) == 1:
                v.data = self._spread(v)
            inputs.append(v.data if v.__class__ is Resident else v.array() if isinstance(v, Value) else v)
            if n in dead:
                v.data = None
        results, noted = program.run(inputs, dead)
        for i, data in zip(live, results):
            slots[i].data = data
        self.noted += [(n, sites) for n in noted]
        self._latest = [weakref.ref(data) for data in results]

    def _spread(self, v: Resident) -> Any:
        """The array of a value that one device has, on all of them."""
        from ..xla import backend
        return backend.jax().device_put(v.data, self.place_of(v.type.shape))

    def is_idle(self) -> bool:
        """Whether the device has done all that was recorded."""
        return not self.records and all(a.is_ready() for a in self._running())

    def synchronize(self) -> None:
        """Starts what was recorded, waits for the device, and raises the errors that it met."""
        self.flush()
        for a in self._running():
            a.block_until_ready()
        self.raise_errors()

    def _running(self) -> list[Any]:
        return [a for r in self._latest if (a := r()) is not None and not a.is_deleted()]

    def raise_errors(self) -> None:
        """Waits for the programs that can fail, and raises the first error."""
        waiting, self.noted = self.noted, []
        for noted, sites in waiting:
            try:
                noted.raise_first()
            except Exception as error:
                where = f"; one of these calls made it:\n{chr(10).join(map(describe, sites))}" if sites else ""
                error.args = (f"{error.args[0]}\n  raised by a program that {self.device} ran earlier{where}",)
                raise error from None


@lru_cache(maxsize=4096)
def _view_at(memory: TensorType, shape: tuple[int, ...], strides: tuple[int, ...]) -> Specialization:
    graph, _ = trace_graph(lambda x, at: strided_view_at(x, at, shape, strides), [memory, SCALAR_TYPES[int]])
    return Specialization("strided_view", None, graph, True)


@lru_cache(maxsize=4096)
def _write_at(memory: TensorType, new: TensorType, strides: tuple[int, ...]) -> Specialization:
    graph, _ = trace_graph(lambda x, y, at: strided_write_at(x, y, at, strides), [memory, new, SCALAR_TYPES[int]])
    return Specialization("strided_write", "CopySlices", graph, True)


def mixed_devices(first: Any, second: Any) -> RuntimeError:
    """The error for operands on different devices."""
    return RuntimeError(f"Expected all tensors to be on the same device, but found at least two devices, {first} and {second}!")


def _referenced(slots: list, alone: int) -> tuple[int, ...]:
    """The slots of pending values that something outside the trace refers to."""
    return tuple([i for i, v in enumerate(slots) if v.__class__ is Resident and v.data is None and sys.getrefcount(v) > alone])


def _is_last(value: Resident) -> bool:
    """Whether nothing but the slots and the caller refer to the value."""
    return sys.getrefcount(value) <= _UNREFERENCED


def _is_sole_owner(value: Resident) -> bool:
    """Whether nothing but the value refers to its array."""
    return sys.getrefcount(value.data) <= _OWNED


def _calibrate() -> tuple[int, int, int]:
    """What sys.getrefcount says in the three functions above where nobody else refers to a value or its array."""
    global _UNREFERENCED, _OWNED
    slots = [Resident(SCALAR_TYPES[int], None)]  # type: ignore[arg-type]
    alone = next(count for count in range(16) if not _referenced(slots, count))
    slots[0].data = np.empty(1)
    for _UNREFERENCED in range(16):
        if [n for n, i in enumerate([0]) if _is_last(slots[i])]:
            break
    for _OWNED in range(16):
        if [n for n, i in enumerate([0]) if _is_sole_owner(slots[i])]:
            break
    return alone, _UNREFERENCED, _OWNED


_ALONE, _UNREFERENCED, _OWNED = _calibrate()


# ------------------------------------------------------------------ from place to place

_homes: dict[Any, DeviceTrace] = {}


def home_of(device: Any) -> DeviceTrace:
    """The trace of a device, which has an index and is there."""
    found = _homes.get(device)
    if found is None and device.type == "meta":
        from .meta import MetaTrace
        found = _homes[device] = MetaTrace(device)
    if found is None:
        from ..xla import backend
        place = backend.jax().sharding.SingleDeviceSharding(backend.devices(device.type)[device.index])
        found = _homes[device] = DeviceTrace(device, place, backend.PLATFORMS[device.type])
    return found


def home(value: Value) -> DeviceTrace | None:
    """The device's trace of a value, or of what it holds; None for the host's."""
    while isinstance(value, Transformed):
        value = value.physical if isinstance(value, Batched) else value.primal  # type: ignore[attr-defined]
    return value.home if isinstance(value, Resident) else None


def moved(value: Value, to: DeviceTrace | None, split: int | None = None) -> Value:
    """A copy of a value elsewhere (None: on the host). split: the dimension along which several devices share it."""
    if isinstance(value, Batched):
        return Batched(value.type, moved(value.physical, to), value.level)
    if isinstance(value, Dual):
        return Dual(moved(value.primal, to), moved(value.tangent, to), value.level, value.swapped)
    if to is None:
        return Value(value.type, value.array())
    if to.platform == "meta":
        return to.of([value.type])[0]
    from ..xla import backend
    place = to.place_of(value.type.shape) if split is None or to.shares is None else to.shares(split)
    if isinstance(value, Resident):
        return Resident(value.type, to, backend.jax().device_put(value.ready(), place))
    return Resident(value.type, to, backend.put(value.array(), value.type.dtype, place))


def several(devices: tuple) -> DeviceTrace:
    """The trace of devices that work as one: their programs are divided among them by XLA. It reports the first."""
    found = _homes.get(devices)
    if found is None:
        from ..xla import backend
        everywhere, shares = _among(devices)
        found = _homes[devices] = DeviceTrace(devices[0], everywhere, backend.PLATFORMS[devices[0].type], shares)
    return found


def _among(devices: tuple) -> tuple[Any, Callable[[int], Any]]:
    """jax's shardings of arrays that all devices have, and (a function of the dimension) of which each has an equal part."""
    from ..xla import backend
    sharding = backend.jax().sharding
    mesh = sharding.Mesh(np.array([backend.devices(d.type)[d.index] for d in devices]), ("batch",))

    def shares(dim: int) -> Any:
        return sharding.NamedSharding(mesh, sharding.PartitionSpec(*[None] * dim, "batch"))
    return sharding.NamedSharding(mesh, sharding.PartitionSpec()), shares


@contextmanager
def working_as(home: DeviceTrace) -> Iterator[None]:
    """Inside, what is made on the first of several devices is made on all of them."""
    before = home_of(home.device)
    _homes[home.device] = home
    try:
        yield
    finally:
        _homes[home.device] = before
