"""`torch.accelerator`: the accelerator of this machine, whatever its kind: GPUs ("cuda"), else TPUs, else none."""
from __future__ import annotations

from typing import Any

from .dtypes import ALL
from .tensor.device import check_device, current_index, device as device_class, set_current_index
from .tensor.streams import Stream
from .xla import backend

_KINDS = ("cuda", "tpu")


class AcceleratorError(RuntimeError):
    """An accelerator's failure."""


class OutOfMemoryError(RuntimeError):
    """An accelerator has not enough memory."""


def _kind() -> str | None:
    return next((kind for kind in _KINDS if backend.devices(kind)), None)


def _required() -> str:
    kind = _kind()
    if kind is None:
        raise RuntimeError("Cannot access accelerator device when none is available.")
    return kind


def is_available() -> bool:
    """Whether there is an accelerator."""
    return _kind() is not None


def device_count() -> int:
    """How many devices the accelerator has."""
    kind = _kind()
    return 0 if kind is None else len(backend.devices(kind))


def current_accelerator(check_available: bool = False) -> device_class | None:
    """The device type of the accelerator, without an index; None if there is none."""
    kind = _kind()
    return None if kind is None else device_class(kind)


def current_device_index() -> int:
    """The index of the accelerator's current device."""
    return current_index(_required())


def set_device_index(device: Any, /) -> None:
    """Makes a device (or the device of this index) the current one. A negative index changes nothing."""
    kind = _required()
    where = check_device(f"{kind}:{max(device, 0)}" if isinstance(device, int) else device)
    if where.type != kind:
        raise ValueError(f"{where.type} doesn't match the current accelerator {kind}.")
    if not (isinstance(device, int) and device < 0):
        assert where.index is not None
        set_current_index(kind, where.index)


current_device_idx, set_device_idx = current_device_index, set_device_index  # their names before


class device_index:
    """A context in which the accelerator's device of this index is the current one. None changes nothing."""

    def __init__(self, device: int | None, /) -> None:
        self.idx = device

    def __enter__(self) -> None:
        if self.idx is not None:
            self.prev_idx = current_device_index()
            set_device_index(self.idx)

    def __exit__(self, *exc: object) -> None:
        if self.idx is not None:
            set_device_index(self.prev_idx)


def get_device_capability(device: Any = None, /) -> dict[str, Any]:
    """What a device can do. supported_dtypes: the dtypes of tensors on it, which are all."""
    home_of(device)
    return {"supported_dtypes": set(ALL)}


def current_stream(device: Any = None, /) -> Stream:
    """The one stream of a device."""
    return Stream(home_of(device).device)


def set_stream(stream: Stream) -> None:
    """Makes the device of a stream the current one; among its streams there is no choice."""
    set_device_index(stream.device)


def synchronize(device: Any = None, /) -> None:
    """Waits until a device has done all that was recorded; raises the errors that it met."""
    home_of(device).synchronize()


def home_of(device: Any, kind: str | None = None) -> Any:
    """The trace of a device: an index of `kind` (the accelerator's by default), a device, or None for the current one."""
    from .runtime import resident
    kind = _required() if kind is None else kind
    return resident.home_of(check_device(kind if device is None else f"{kind}:{device}" if isinstance(device, int) else device))


def jax_device(device: Any, kind: str | None = None) -> Any:
    """jax's handle of a device, given as in `home_of`."""
    where = home_of(device, kind).device
    return backend.devices(where.type)[where.index]


# ------------------------------------------------------------------ memory, as XLA counts it

_peaks_forgotten: dict[Any, int] = {}  # the peak when reset_peak_memory_stats was called, by jax's device


def memory_allocated(device: Any = None, /) -> int:
    """Bytes of the arrays on a device."""
    return backend.memory_stats(jax_device(device)).get("bytes_in_use", 0)


def max_memory_allocated(device: Any = None, /) -> int:
    """The most bytes that arrays on a device took. XLA never forgets its peak: after `reset_peak_memory_stats` this is the bytes in use
    until the old peak is passed."""
    handle = jax_device(device)
    stats = backend.memory_stats(handle)
    peak = stats.get("peak_bytes_in_use", 0)
    return peak if peak > _peaks_forgotten.get(handle, -1) else stats.get("bytes_in_use", 0)


def memory_reserved(device: Any = None, /) -> int:
    """Bytes that XLA holds of a device's memory, for arrays now or later."""
    stats = backend.memory_stats(jax_device(device))
    return stats.get("pool_bytes", stats.get("bytes_reserved", stats.get("bytes_in_use", 0)))


def max_memory_reserved(device: Any = None, /) -> int:
    """The most bytes that XLA held."""
    stats = backend.memory_stats(jax_device(device))
    return max(memory_reserved(device), stats.get("peak_pool_bytes", stats.get("peak_bytes_in_use", 0)))


def reset_peak_memory_stats(device: Any = None, /) -> None:
    """Starts the peaks anew: see `max_memory_allocated`."""
    handle = jax_device(device)
    _peaks_forgotten[handle] = backend.memory_stats(handle).get("peak_bytes_in_use", 0)


def memory_stats(device: Any = None, /) -> dict[str, int]:
    """XLA's counters of a device's memory, by XLA's names."""
    return backend.memory_stats(jax_device(device))


def get_memory_info(device: Any = None, /) -> tuple[int, int]:
    """(free, total) bytes of a device, of what XLA may use."""
    stats = backend.memory_stats(jax_device(device))
    total = stats.get("bytes_limit", 0)
    return total - stats.get("bytes_in_use", 0), total


def empty_cache() -> None:
    """Does nothing: XLA keeps the memory that it has."""


def empty_host_cache() -> None:
    """Does nothing: the host's memory that XLA copies from is NumPy's."""
    _required()
