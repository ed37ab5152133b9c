"""`torch.cuda.Stream` and `Event`. XLA orders a device's work by itself: there is one stream, and calls run as if in order."""
from __future__ import annotations

import time
from typing import Any

from ..accelerator import home_of


class Stream:
    """The sequence of a device's calls: there is one, whatever its handle."""

    def __init__(self, device: Any = None, priority: int = 0, **kwargs: Any) -> None:
        self._home = home_of(device, "cuda")
        self.priority = priority

    @property
    def device(self) -> Any:
        """Where the calls run."""
        return self._home.device

    def query(self) -> bool:
        """Whether the device has done all that was recorded."""
        return self._home.is_idle()

    def synchronize(self) -> None:
        """Waits until the device has done all that was recorded."""
        self._home.synchronize()

    def wait_stream(self, stream: Any) -> None:
        """What is recorded from now on comes after what was, as it does anyway."""

    def wait_event(self, event: Event) -> None:
        """What is recorded from now on comes after the event, as it does anyway."""

    def record_event(self, event: Event | None = None) -> Event:
        """An event after what has been recorded."""
        event = Event() if event is None else event
        event.record(self)
        return event

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *exc: Any) -> None:
        return None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stream) and self._home is other._home

    def __hash__(self) -> int:
        return hash(id(self._home))

    def __repr__(self) -> str:
        return f"<torch.cuda.Stream device={self.device}>"


class Event:
    """A point in a device's calls. enable_timing: `record` waits for the device and looks at the clock, for `elapsed_time`."""

    def __init__(self, enable_timing: bool = False, blocking: bool = False, interprocess: bool = False, external: bool = False) -> None:
        self._timed = enable_timing
        self._home: Any = None
        self._time: float | None = None

    def record(self, stream: Stream | None = None) -> None:
        """Marks the point: after all that has been recorded."""
        self._home = home_of(None, "cuda") if stream is None else stream._home
        if self._timed:
            self._home.synchronize()
            self._time = time.perf_counter()
        else:
            self._home.flush()

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
        """Milliseconds from this event to another; both with enable_timing. ValueError or RuntimeError otherwise."""
        if not (self._timed and end_event._timed):
            raise ValueError("Both events must be created with argument 'enable_timing=True'.")
        if self._time is None or end_event._time is None:
            raise ValueError("Both events must be recorded before calculating elapsed time.")
        return (end_event._time - self._time) * 1e3
