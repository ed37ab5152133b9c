"""`torch.cpu`: the one device that is always there. Its calls are recorded and run in order; `synchronize` waits for them."""
from __future__ import annotations

from typing import Any

from ..runtime.trace import flush
from . import amp as amp


def is_available() -> bool:
    """True."""
    return True


def is_initialized() -> bool:
    """True: there is nothing to set up."""
    return True


def device_count() -> int:
    """1: all cores are one device."""
    return 1


def current_device() -> str:
    """'cpu'."""
    return "cpu"


def set_device(device: Any) -> None:
    """Chooses among the CPUs, of which there is one."""


def synchronize(device: Any = None) -> None:
    """Runs what has been recorded so far."""
    flush()


class Event:
    """A point in the sequence of calls. All that was recorded before an event is run before what is recorded after it."""

    def query(self) -> bool:
        """True: whoever looks at a result has it."""
        return True

    def record(self, stream: Any = None) -> None:
        """Marks the point."""

    def synchronize(self) -> None:
        """Runs what was recorded before."""
        flush()

    def wait(self, stream: Any = None) -> None:
        """What is recorded from now on comes after the event, as it does anyway."""


class Stream:
    """The sequence of recorded calls: there is one, whatever its handle."""

    def __init__(self, priority: int = -1) -> None:
        self.priority = priority

    def wait_stream(self, stream: Any) -> None:
        """What is recorded from now on comes after what was, as it does anyway."""

    def record_event(self, event: Event | None = None) -> Event:
        """An event after what has been recorded."""
        return Event() if event is None else event

    def wait_event(self, event: Event) -> None:
        """What is recorded from now on comes after the event, as it does anyway."""


_stream = Stream()


def current_stream(device: Any = None) -> Stream:
    """The stream that calls go to."""
    return _stream


class StreamContext:
    """A context in which `current_stream` is the given one."""

    def __init__(self, stream: Stream | None) -> None:
        self.stream = stream

    def __enter__(self) -> None:
        global _stream
        self.before = _stream
        if self.stream is not None:
            _stream = self.stream

    def __exit__(self, *exc: Any) -> None:
        global _stream
        _stream = self.before


def stream(stream: Stream | None) -> StreamContext:
    """A context in which `current_stream` is the given one."""
    return StreamContext(stream)
