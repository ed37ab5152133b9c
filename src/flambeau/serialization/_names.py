"""Names that files use: PyTorch's class paths for flambeau's classes and back, and storage classes for dtypes.

A file names `torch.nn.modules.conv.Conv2d`; here that class is `flambeau.nn.modules.conv.Conv2d`. Files lie where
PyTorch's class paths say, so one root stands for the other (`hook/names.py`); the tables below hold the exceptions.
"""
from __future__ import annotations

import _compat_pickle  # Python's own table of what Python 2 called differently
import difflib
import importlib
import sys
from typing import Any

from .. import dtypes
from ..hook.names import NAMESPACES, flambeau_name, torch_name

# Modules of PyTorch's C++ half, and what stands for them here.
_READ_AS = {"torch._C": "flambeau", "torch._C._VariableFunctions": "flambeau", "torch._C._nn": "flambeau.nn.functional",
            "torch._tensor": "flambeau"}
_CLASS_OF_FUNCTIONS = ("torch._C", "_VariableFunctionsClass")  # `torch.relu` is pickled as getattr(this class, "relu")
_WRITE_AS = {"Generator": "torch._C"}  # the other way round, for classes that PyTorch knows by their C++ name


def is_ours(module: str | None) -> bool:
    """Whether a module belongs to flambeau."""
    return module is not None and (module == "flambeau" or module.startswith("flambeau."))


def canonical(module: str, name: str) -> tuple[str, str]:
    """One name for what Python 2 and 3, or NumPy 1 and 2, call differently (the newer one)."""
    if (module, name) in _compat_pickle.NAME_MAPPING:
        return _compat_pickle.NAME_MAPPING[module, name]
    module = _compat_pickle.IMPORT_MAPPING.get(module, module)
    if module == "numpy.core" or module.startswith("numpy.core."):
        module = "numpy._core" + module[len("numpy.core"):]
    return module, name


def torch_path(obj: Any, name: str | None = None) -> tuple[str, str] | None:
    """(module, qualified name) under which PyTorch knows this class, function or dtype of ours; None if it does not."""
    if isinstance(obj, dtypes.dtype):
        return "torch", obj.name
    module: Any = getattr(obj, "__module__", None)
    if not is_ours(module):
        return None
    name = name or getattr(obj, "__qualname__", None) or obj.__name__
    if name in _WRITE_AS and getattr(sys.modules["flambeau"], name, None) is obj:
        return _WRITE_AS[name], name
    shown = torch_name(module)
    if shown is not None:
        return shown, name
    for namespace in NAMESPACES:
        if getattr(sys.modules.get(namespace), name, None) is obj:
            return str(torch_name(namespace)), name
    return None


def full_name(obj: Any) -> str:
    """`module.name` as a file written by PyTorch spells it."""
    module, name = torch_path(obj) or (obj.__module__, obj.__qualname__)
    return ".".join(canonical(module, name))


def find(module: str, name: str) -> Any:
    """Imports what a file names, for `weights_only=False`. PyTorch's names find flambeau's objects."""
    module, name = canonical(module, name)
    if module.startswith("numpy._core") and "numpy._core" not in sys.modules:  # NumPy 1
        module = "numpy.core" + module[len("numpy._core"):]
    if (module, name) == _CLASS_OF_FUNCTIONS:
        return sys.modules["flambeau"]
    here = _READ_AS.get(module) or flambeau_name(module)
    if here is None and module.partition(".")[0] not in ("torch", "torchvision"):
        return _attribute(importlib.import_module(module), name)
    for place in (here, "flambeau"):
        if place is None:
            continue
        try:
            return _attribute(importlib.import_module(place), name)
        except (ImportError, AttributeError):
            continue
    raise AttributeError(f"this file needs {module}.{name}, which flambeau does not have{_nearest(here, name)}")


def _attribute(module: Any, name: str) -> Any:
    for part in name.split("."):
        module = getattr(module, part)
    return module


def _nearest(module: str | None, name: str) -> str:
    close = difflib.get_close_matches(name, dir(sys.modules.get(module or "") or sys.modules["flambeau"]), 3)
    return f" (nearest: {', '.join(close)})" if close else ""


# ------------------------------------------------------------------ storage classes

# The dtypes that have a storage class (`torch.FloatStorage`). All others are written as the bytes of a
# `torch.storage.UntypedStorage` with the dtype beside them.
_WITH_CLASS = (
    dtypes.bool_, dtypes.uint8, dtypes.int8, dtypes.int16, dtypes.int32, dtypes.int64, dtypes.float16, dtypes.bfloat16,
    dtypes.float32, dtypes.float64, dtypes.complex64, dtypes.complex128,
)
STORAGE_DTYPES = {d._legacy + "Storage": d for d in _WITH_CLASS}

# Element types that PyTorch has and flambeau does not: files with them can be described, not loaded. Bytes an element.
FOREIGN_STORAGES = {
    "QInt8Storage": 1, "QUInt8Storage": 1, "QInt32Storage": 4, "QUInt4x2Storage": 1, "QUInt2x4Storage": 1,
}
FOREIGN_DTYPES = {
    "float8_e8m0fnu": 1, "float4_e2m1fn_x2": 1, "qint8": 1, "quint8": 1, "qint32": 4, "quint4x2": 1, "quint2x4": 1,
    "bits8": 1, "bits16": 2, "bits1x8": 1, "bits2x4": 1, "bits4x2": 1,
}


def storage_class(dtype: dtypes.dtype) -> tuple[str, str]:
    """(module, name) of the storage class in a file."""
    if dtype in _WITH_CLASS:
        return "torch", dtype._legacy + "Storage"
    return "torch.storage", "UntypedStorage"
