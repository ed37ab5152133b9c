"""`torch.cuda`: GPUs, through XLA (the extra `xla`). Without one, what needs a GPU raises the error of a PyTorch built without CUDA,
and counters and switches are idle."""
from __future__ import annotations

from typing import Any, NamedTuple

from .. import accelerator
from ..accelerator import AcceleratorError as AcceleratorError, OutOfMemoryError as OutOfMemoryError
from ..tensor.device import check_device, current_index, set_current_index
from ..tensor.placement import device_of as _tensor_device
from ..tensor.tensor import Tensor
from ..xla import backend as _backend
from . import amp as amp, memory as memory, random as random
from ._devices import device_count as device_count, index_of as _index_of, is_available as is_available
from .memory import (memory_allocated as memory_allocated, max_memory_allocated as max_memory_allocated,
                     memory_reserved as memory_reserved, max_memory_reserved as max_memory_reserved,
                     reset_peak_memory_stats as reset_peak_memory_stats, memory_cached as memory_cached,
                     max_memory_cached as max_memory_cached, reset_max_memory_allocated as reset_max_memory_allocated,
                     reset_max_memory_cached as reset_max_memory_cached, memory_stats as memory_stats,
                     memory_summary as memory_summary, mem_get_info as mem_get_info, empty_cache as empty_cache)
from .random import (manual_seed as manual_seed, manual_seed_all as manual_seed_all, seed as seed, seed_all as seed_all,
                     initial_seed as initial_seed, get_rng_state as get_rng_state, set_rng_state as set_rng_state,
                     get_rng_state_all as get_rng_state_all, set_rng_state_all as set_rng_state_all)
from .random import generators as _generators
from .streams import Event as Event, Stream as Stream, StreamContext as StreamContext
from ._tensor_types import (BFloat16Tensor as BFloat16Tensor, BoolTensor as BoolTensor, ByteTensor as ByteTensor, CharTensor as CharTensor,
                           DoubleTensor as DoubleTensor, FloatTensor as FloatTensor, HalfTensor as HalfTensor, IntTensor as IntTensor,
                           LongTensor as LongTensor, ShortTensor as ShortTensor)

has_half = True
has_magma = False  # decompositions are computed by LAPACK on the host


# ------------------------------------------------------------------ which devices there are

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


def current_device() -> int:
    """The index of the current GPU."""
    return _index_of(None)


def set_device(device: Any) -> None:
    """Makes a GPU the current one: that which "cuda" stands for. A negative index changes nothing."""
    if not (isinstance(device, int) and device < 0):
        set_current_index("cuda", _index_of(device))


class device:
    """A context in which a GPU is the current one. A negative index or None changes nothing."""

    def __init__(self, device: Any) -> None:
        self.idx = -1 if device is None or isinstance(device, int) and device < 0 else _index_of(device)

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
    return _backend.devices("cuda")[_index_of(device)]


def can_device_access_peer(device: Any, peer_device: Any) -> bool:
    """Whether XLA can copy between two GPUs: between any."""
    return _index_of(device) != _index_of(peer_device)


# ------------------------------------------------------------------ waiting

def synchronize(device: Any = None) -> None:
    """Waits until a GPU has done all that was recorded; raises the errors that it met."""
    accelerator.home_of(_index_of(device), "cuda").synchronize()


def current_stream(device: Any = None) -> Stream:
    """The one stream of a GPU."""
    return Stream(_index_of(device))


default_stream = current_stream


def stream(stream: Stream | None) -> StreamContext:
    """A context in which calls go to a stream: to the device's only one."""
    return StreamContext(stream)


def set_stream(stream: Stream) -> None:
    """Chooses among a GPU's streams, of which there is one."""


def is_current_stream_capturing() -> bool:
    """False: there are no CUDA graphs."""
    return False


def ipc_collect() -> None:
    """Does nothing: no memory is shared between processes' devices."""


def __getattr__(name: str) -> Any:
    if name == "default_generators":  # one for each GPU, once it is known which there are
        return tuple(_generators())
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
