"""`torch.Stream` and `torch.Event`, of any device. XLA orders a device's work by itself, and the CPU's calls run in order: each device has
one stream, whatever its handles, and an event is a point in it."""
from __future__ import annotations

import time
from typing import Any

from ..runtime.resident import DeviceTrace, home_of
from ..xla import backend
from .device import CPU, check_device, device as device_class

_TYPES = {"cpu": 0, "cuda": 1}  # the numbers of device types; whatever else XLA reaches is 9, "xla"


def place(device: Any = None, kind: str | None = None) -> device_class:
    """The device itself. An index is one of `kind`, and None its current one; kind: by default the accelerator's, or the CPU."""
    if device is None or isinstance(device, int):
        kind = kind or next((k for k in backend.PLATFORMS if k != "xla:cpu" and backend.devices(k)), "cpu")
        device = kind if device is None else f"{kind}:{device}"
    return check_device(device)


class Stream:
    """The sequence of a device's calls. device: the accelerator's current one by default, the CPU without an accelerator. priority: of no
    consequence, as there is one stream. As a context it changes nothing."""

    stream_id = 0

    def __init__(self, device: Any = None, *, priority: int = 0) -> None:
        self._set_up(place(device), priority)

    def _set_up(self, where: device_class, priority: int) -> None:
        self.device, self.priority = where, priority
        self._home: DeviceTrace | None = None if where is CPU else home_of(where)

    @property
    def device_index(self) -> int:
        """The device's index; -1 for the CPU."""
        return -1 if self.device.index is None else self.device.index

    @property
    def device_type(self) -> int:
        """The device type's number."""
        return _TYPES.get(self.device.type, 9)

    def query(self) -> bool:
        """Whether the device has done all that was recorded."""
        return self._home is None or self._home.is_idle()

    def synchronize(self) -> None:
        """Waits until the device has done all that was recorded."""
        if self._home is not None:
            self._home.synchronize()

    def is_capturing(self) -> bool:
        """False: there are no graphs that calls could be captured in."""
        return False

    def wait_stream(self, stream: Stream) -> None:
        """What is recorded from now on comes after what was, as it does anyway."""

    def wait_event(self, event: Event) -> None:
        """What is recorded from now on comes after the event, as it does anyway."""

    def record_event(self, event: Event | None = None) -> Event:
        """An event after what has been recorded."""
        event = self._new_event() if event is None else event
        event.record(self)
        return event

    def _new_event(self) -> Event:
        return Event(self.device)

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *exc: Any) -> None:
        return None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stream) and self.device == other.device

    def __hash__(self) -> int:
        return hash(self.device)

    def __repr__(self) -> str:
        return f"torch.Stream device_type={self.device.type}, device_index={self.device_index}, stream_id={self.stream_id}"


class Event:
    """A point in a device's calls. device: as for `Stream`. enable_timing: `record` waits for the device and looks at the clock, for
    `elapsed_time`. blocking and interprocess are of no consequence. RuntimeError if it is recorded on the CPU."""

    event_id = 0

    def __init__(self, device: Any = None, *, enable_timing: bool = False, blocking: bool = False, interprocess: bool = False) -> None:
        self._set_up(place(device), enable_timing)

    def _set_up(self, where: device_class | None, timed: bool) -> None:
        self._where, self._timed = where, timed
        self._home: DeviceTrace | None = None
        self._time: float | None = None

    @property
    def device(self) -> device_class | None:
        """Where it is recorded."""
        return self._where

    def record(self, stream: Stream | None = None) -> None:
        """Marks the point: after all that has been recorded."""
        home = Stream(self._where)._home if stream is None else stream._home
        if home is None:
            raise RuntimeError("cpu backend doesn't support events.")
        self._home, self._where = home, home.device
        if self._timed:
            home.synchronize()
            self._time = time.perf_counter()
        else:
            home.flush()

    def query(self) -> bool:
        """Whether the device has passed the point."""
        return self._home is None or self._home.is_idle()

    def synchronize(self) -> None:
        """Waits until the device has passed the point."""
        if self._home is not None:
            self._home.synchronize()

    def wait(self, stream: Stream | None = None) -> None:
        """What is recorded from now on comes after the event, as it does anyway."""

    def elapsed_time(self, end_event: Event) -> float:
        """Milliseconds from this event to another; both with enable_timing. ValueError otherwise."""
        if not (self._timed and end_event._timed):
            raise ValueError("Both events must be created with argument 'enable_timing=True'.")
        if self._time is None or end_event._time is None:
            raise ValueError("Both events must be recorded before calculating elapsed time.")
        return (end_event._time - self._time) * 1e3

    def __repr__(self) -> str:
        where = self._where
        kind, index = ("cpu", -1) if where is None else (where.type, -1 if where.index is None else where.index)
        return f"torch.Event device_type={kind}, device_index={index}, event_flag={int(self._timed)}, event_id={self.event_id}"
