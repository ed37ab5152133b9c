"""jax, its devices, and arrays on their way between the host and a device."""
from __future__ import annotations

import importlib.util
import os
from functools import lru_cache
from typing import Any

import numpy as np

from ..dtypes import dtype

PLATFORMS = {"cuda": "cuda", "tpu": "tpu", "xla:cpu": "cpu"}  # device types, and what jax calls them
INSTALL = {"cuda": 'pip install "flambeau[xla]" "jax[cuda12]"', "tpu": 'pip install "flambeau[xla]" "jax[tpu]"',
           "xla:cpu": 'pip install "flambeau[xla]"'}
_PLUGINS = {"cuda": ("jax_cuda12_plugin", "jax_cuda13_plugin"), "tpu": ("libtpu",), "xla:cpu": ("jax",)}  # what jax needs for each
WORTH_KEEPING = 0.2  # seconds that a compilation must take to be kept on disk


def is_installed() -> bool:
    """Whether jax can be imported. Does not import it."""
    return importlib.util.find_spec("jax") is not None


@lru_cache(None)
def jax() -> Any:
    """The module, set up for 64-bit dtypes and with compiled programs kept under FLAMBEAU_CACHE_DIR."""
    import jax as module

    from ..compiler.cache import default_directory
    module.config.update("jax_enable_x64", True)
    directory = default_directory()
    if directory is not None and module.config.jax_compilation_cache_dir is None:
        module.config.update("jax_compilation_cache_dir", os.path.join(directory, "xla"))
        module.config.update("jax_persistent_cache_min_compile_time_secs", WORTH_KEEPING)
    return module


@lru_cache(None)
def devices(kind: str) -> tuple[Any, ...]:
    """jax's devices of a device type; none where jax or the hardware is missing."""
    if kind not in PLATFORMS or not is_installed() or not any(map(importlib.util.find_spec, _PLUGINS[kind])):
        return ()  # without importing jax, which takes long
    try:
        return tuple(jax().local_devices(backend=PLATFORMS[kind]))
    except RuntimeError:  # jax was built without this platform, or finds no such device
        return ()


@lru_cache(None)
def array_type(dt: dtype) -> Any:
    """The NumPy type of a device's arrays of `dt`: formats that NumPy lacks are ml_dtypes'; complex32 stays bits."""
    if not dt.encoded or dt.kind == "c":
        return dt.np
    import ml_dtypes
    return np.dtype(getattr(ml_dtypes, dt.name))


@lru_cache(None)
def cpu_options(quick: bool) -> dict[str, Any]:
    """How XLA compiles for the CPU: in a half of the time that it takes by itself, or (quick) a fifth. None where this jax does
    not know the options."""
    options: dict[str, Any] = {"xla_cpu_use_fusion_emitters": False, **({"xla_backend_optimization_level": 0} if quick else {})}
    try:
        with jax().default_device(devices("xla:cpu")[0]):
            jax().jit(lambda: 0, compiler_options=options).lower().compile()
    except RuntimeError:
        return {}
    return options


def put(array: np.ndarray, dt: dtype, place: Any) -> Any:
    """A copy of a host array on a jax device or sharding. Returns before it has arrived."""
    # a copy of its own: jax may read it later, or make it the device's memory, and ours may be written to
    return jax().device_put(np.array(array, copy=True, order="C").view(array_type(dt)), place)


def fetch(array: Any, dt: dtype) -> np.ndarray:
    """A copy of a device's array on the host, in the form in which the host stores `dt`. Waits for it."""
    return np.array(array, order="C").view(dt.np)


def memory_stats(device: Any) -> dict[str, int]:
    """XLA's counters of a device's memory, in bytes; empty for devices that do not count."""
    return dict(device.memory_stats() or {})
