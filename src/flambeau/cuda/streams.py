"""`torch.cuda.Stream` and `Event`: those of a GPU (see `tensor/streams.py`)."""
from __future__ import annotations

from typing import Any

from ..tensor import streams
from ..tensor.device import device as device_class


class Stream(streams.Stream):
    """The sequence of a GPU's calls: there is one, whatever its handle."""

    def __init__(self, device: Any = None, priority: int = 0, **kwargs: Any) -> None:
        self._set_up(streams.place(device, "cuda"), priority)

    def _new_event(self) -> Event:
        return Event()

    def __repr__(self) -> str:
        return f"<torch.cuda.Stream device={self.device}>"


class Event(streams.Event):
    """A point in a GPU's calls, of that on whose stream it is recorded."""

    def __init__(self, enable_timing: bool = False, blocking: bool = False, interprocess: bool = False, external: bool = False) -> None:
        self._set_up(None, enable_timing)

    def record(self, stream: streams.Stream | None = None) -> None:
        """Marks the point: after all that has been recorded on the stream, by default that of the current GPU."""
        super().record(Stream() if stream is None else stream)

    @property
    def device(self) -> device_class:
        """Where it was recorded; the current GPU before."""
        return streams.place(None, "cuda") if self._where is None else self._where


class StreamContext:
    """A context in which calls go to a stream: to the device's only one."""

    def __init__(self, stream: Stream | None) -> None:
        self.stream = stream

    def __enter__(self) -> None:
        return None

    def __exit__(self, *exc: Any) -> None:
        return None
