"""`torch.cuda`: GPUs, through XLA (the extra `xla`). Without one, what needs a GPU raises the error of a PyTorch built without CUDA,
and counters and switches are idle."""
from __future__ import annotations

import warnings
from typing import Any, Iterable, NamedTuple

from .. import accelerator, random as _random
from ..accelerator import AcceleratorError as AcceleratorError, OutOfMemoryError as OutOfMemoryError
from ..tensor.device import check_device, current_index, set_current_index
from ..tensor.placement import device_of as _tensor_device
from ..tensor.tensor import Tensor
from ..xla import backend as _backend
from . import amp as amp
from .streams import Event as Event, Stream as Stream, StreamContext as StreamContext
from ._tensor_types import (BFloat16Tensor as BFloat16Tensor, BoolTensor as BoolTensor, ByteTensor as ByteTensor, CharTensor as CharTensor,
                           DoubleTensor as DoubleTensor, FloatTensor as FloatTensor, HalfTensor as HalfTensor, IntTensor as IntTensor,
                           LongTensor as LongTensor, ShortTensor as ShortTensor)

has_half = True
has_magma = False  # decompositions are computed by LAPACK on the host


# ------------------------------------------------------------------ which devices there are

def is_available() -> bool:
    """Whether there is a GPU that XLA can use."""
    return device_count() > 0


def device_count() -> int:
    """How many GPUs there are."""
    return len(_backend.devices("cuda"))


def is_initialized() -> bool:
    """Whether GPUs have been used: where there are any, they always are ready."""
    return is_available()


def init() -> None:
    """Makes the GPUs ready, which they are. AssertionError without one."""
    check_device("cuda")


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """Whether bfloat16 can be computed with: on every GPU, by emulation before compute capability 8.0."""
    return is_available() and (including_emulation or get_device_capability() >= (8, 0))


def is_tf32_supported() -> bool:
    """Whether the GPU has TensorFloat-32: from compute capability 8.0 on."""
    return is_available() and get_device_capability() >= (8, 0)


def _index(device: Any) -> int:
    """The index of a GPU, given as in `torch.cuda`'s functions: None is the current one."""
    where = check_device("cuda" if device is None else f"cuda:{device}" if isinstance(device, int) else device)
    if where.type != "cuda":
        raise ValueError(f"Expected a cuda device, but got: {where}")
    assert where.index is not None
    return where.index


def current_device() -> int:
    """The index of the current GPU."""
    return _index(None)


def set_device(device: Any) -> None:
    """Makes a GPU the current one: that which "cuda" stands for. A negative index changes nothing."""
    if not (isinstance(device, int) and device < 0):
        set_current_index("cuda", _index(device))


class device:
    """A context in which a GPU is the current one. A negative index or None changes nothing."""

    def __init__(self, device: Any) -> None:
        self.idx = -1 if device is None or isinstance(device, int) and device < 0 else _index(device)

    def __enter__(self) -> None:
        self.prev_idx = current_index("cuda")
        if self.idx >= 0:
            set_current_index("cuda", self.idx)

    def __exit__(self, *exc: Any) -> None:
        set_current_index("cuda", self.prev_idx)


class device_of(device):
    """A context in which the GPU of a tensor is the current one; nothing changes for one that is not on a GPU."""

    def __init__(self, obj: Tensor) -> None:
        where = _tensor_device(obj)
        super().__init__(where.index if where.type == "cuda" else None)


class DeviceProperties(NamedTuple):
    """What is known of a GPU. total_memory: the bytes that XLA may use."""

    name: str
    major: int
    minor: int
    total_memory: int
    multi_processor_count: int


def get_device_name(device: Any = None) -> str:
    """The GPU's name."""
    return _handle(device).device_kind


def get_device_capability(device: Any = None) -> tuple[int, int]:
    """(major, minor) compute capability."""
    major, _, minor = str(getattr(_handle(device), "compute_capability", "0.0")).partition(".")
    return int(major), int(minor or 0)


def get_device_properties(device: Any = None) -> DeviceProperties:
    """Name, capability, memory and multiprocessors of a GPU."""
    handle = _handle(device)
    limit = _backend.memory_stats(handle).get("bytes_limit", 0)
    return DeviceProperties(handle.device_kind, *get_device_capability(device), limit, getattr(handle, "core_count", 0))


def get_arch_list() -> list[str]:
    """What XLA compiles for: the architectures of the GPUs that are there ("sm_90"); none without."""
    return sorted({"sm_%d%d" % get_device_capability(i) for i in range(device_count())})


def get_gencode_flags() -> str:
    """The same as options of NVIDIA's compiler."""
    return " ".join(f"-gencode compute=compute_{arch[3:]},code={arch}" for arch in get_arch_list())


def _handle(device: Any) -> Any:
    return _backend.devices("cuda")[_index(device)]


def can_device_access_peer(device: Any, peer_device: Any) -> bool:
    """Whether XLA can copy between two GPUs: between any."""
    return _index(device) != _index(peer_device)


# ------------------------------------------------------------------ waiting

def synchronize(device: Any = None) -> None:
    """Waits until a GPU has done all that was recorded; raises the errors that it met."""
    accelerator.home_of(_index(device), "cuda").synchronize()


def current_stream(device: Any = None) -> Stream:
    """The one stream of a GPU."""
    return Stream(_index(device))


default_stream = current_stream


def stream(stream: Stream | None) -> StreamContext:
    """A context in which calls go to a stream: to the device's only one."""
    return StreamContext(stream)


def set_stream(stream: Stream) -> None:
    """Chooses among a GPU's streams, of which there is one."""


def is_current_stream_capturing() -> bool:
    """False: there are no CUDA graphs."""
    return False


# ------------------------------------------------------------------ memory, as XLA counts it; 0 without a GPU

def _counted(count: Any, device: Any, nothing: Any = 0) -> Any:
    return count(f"cuda:{_index(device)}") if is_available() else nothing


def memory_allocated(device: Any = None) -> int:
    """Bytes of the arrays on a GPU."""
    return _counted(accelerator.memory_allocated, device)


def max_memory_allocated(device: Any = None) -> int:
    """The most bytes that arrays on a GPU took: see `torch.accelerator.max_memory_allocated`."""
    return _counted(accelerator.max_memory_allocated, device)


def memory_reserved(device: Any = None) -> int:
    """Bytes that XLA holds of a GPU's memory."""
    return _counted(accelerator.memory_reserved, device)


def max_memory_reserved(device: Any = None) -> int:
    """The most bytes that XLA held of a GPU's memory."""
    return _counted(accelerator.max_memory_reserved, device)


def reset_peak_memory_stats(device: Any = None) -> None:
    """Starts the peaks anew."""
    _counted(accelerator.reset_peak_memory_stats, device)


def _warn(message: str) -> None:
    warnings.warn(message, FutureWarning, stacklevel=3)


def memory_cached(device: Any = None) -> int:
    """`memory_reserved` by its old name."""
    _warn("`torch.cuda.memory_cached` has been renamed to `torch.cuda.memory_reserved`")
    return memory_reserved(device)


def max_memory_cached(device: Any = None) -> int:
    """`max_memory_reserved` by its old name."""
    _warn("`torch.cuda.max_memory_cached` has been renamed to `torch.cuda.max_memory_reserved`")
    return max_memory_reserved(device)


_RESETS_ALL = "torch.cuda.{} now calls torch.cuda.reset_peak_memory_stats, which resets /all/ peak memory stats."


def reset_max_memory_allocated(device: Any = None) -> None:
    """`reset_peak_memory_stats` by an old name."""
    _warn(_RESETS_ALL.format("reset_max_memory_allocated"))
    reset_peak_memory_stats(device)


def reset_max_memory_cached(device: Any = None) -> None:
    """`reset_peak_memory_stats` by an old name."""
    _warn(_RESETS_ALL.format("reset_max_memory_cached"))
    reset_peak_memory_stats(device)


def memory_stats(device: Any = None) -> dict[str, int]:
    """XLA's counters, by XLA's names."""
    return _counted(accelerator.memory_stats, device, {})


def memory_summary(device: Any = None, abbreviated: bool = False) -> str:
    """XLA's counters as a table, one a line. abbreviated: only those of memory in bytes."""
    stats = {name: n for name, n in memory_stats(device).items() if not abbreviated or "bytes" in name}
    width = max(map(len, stats), default=0)
    return "\n".join([f"XLA's memory, device {_index(device) if is_available() else '-'}", *[f"{name:<{width}} {n:>16,}" for name, n in stats.items()]])


def mem_get_info(device: Any = None) -> tuple[int, int]:
    """(free, total) bytes of a GPU, of what XLA may use."""
    return accelerator.get_memory_info(f"cuda:{_index(device)}")


def empty_cache() -> None:
    """Does nothing: XLA keeps the memory that it has."""


def ipc_collect() -> None:
    """Does nothing: no memory is shared between processes' devices."""


# ------------------------------------------------------------------ random numbers

def _generators() -> list[_random.Generator]:
    return [_random.default_generator_of(check_device(f"cuda:{i}")) for i in range(device_count())]


def __getattr__(name: str) -> Any:
    if name == "default_generators":  # one for each GPU, once it is known which there are
        return tuple(_generators())
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _generator(device: Any) -> _random.Generator:
    return _random.default_generator_of(check_device(f"cuda:{_index(None if device == 'cuda' else device)}"))


def manual_seed(seed: int) -> None:
    """Seeds the current GPU's generator; without a GPU nothing happens."""
    if is_available():
        _generator(None).manual_seed(seed)


def manual_seed_all(seed: int) -> None:
    """Seeds the generators of all GPUs."""
    for generator in _generators():
        generator.manual_seed(seed)


def seed() -> None:
    """Seeds the current GPU's generator from the operating system."""
    if is_available():
        _generator(None).seed()


def seed_all() -> None:
    """Seeds the generators of all GPUs from the operating system, alike."""
    if is_available():
        manual_seed_all(_generator(None).seed())


def initial_seed() -> int:
    """The seed of the current GPU's generator."""
    return _generator(None).initial_seed()


def get_rng_state(device: Any = "cuda") -> Tensor:
    """The state of a GPU's generator."""
    return _generator(device).get_state()


def set_rng_state(new_state: Tensor, device: Any = "cuda") -> None:
    """Sets the state of a GPU's generator."""
    _generator(device).set_state(new_state)


def get_rng_state_all() -> list[Tensor]:
    """The states of all GPUs' generators."""
    return [generator.get_state() for generator in _generators()]


def set_rng_state_all(new_states: Iterable[Tensor]) -> None:
    """Sets the states of all GPUs' generators."""
    for generator, state in zip(_generators(), new_states):
        generator.set_state(state)
