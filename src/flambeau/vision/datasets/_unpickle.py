"""Reading the pickled batches of CIFAR without running code: only NumPy arrays and plain Python values are rebuilt."""
from __future__ import annotations

import codecs
import io
import pickle
from typing import Any

import numpy as np

try:
    from numpy._core.multiarray import _reconstruct, scalar
except ImportError:  # NumPy 1
    from numpy.core.multiarray import _reconstruct, scalar

_ALLOWED = {("numpy", "ndarray"): np.ndarray, ("numpy", "dtype"): np.dtype, ("_codecs", "encode"): codecs.encode}
for _module in ("numpy.core.multiarray", "numpy._core.multiarray"):
    _ALLOWED[_module, "_reconstruct"] = _reconstruct
    _ALLOWED[_module, "scalar"] = scalar


class _DataUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which is not data") from None


def load_arrays(path: str) -> Any:
    """The object pickled in the file at `path` (a Python 2 pickle: strings as latin-1).

    Errors: RuntimeError if the file is cut short, is not a pickle, or holds anything but arrays and plain values.
    """
    with open(path, "rb") as file:
        data = file.read()
    try:
        return _DataUnpickler(io.BytesIO(data), encoding="latin1").load()
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError, IndexError, KeyError) as error:
        raise RuntimeError(f"{path} ({len(data):,} bytes) is truncated or not a data file of this set: "
                           f"{error or 'it ends early'}. "
                           "Delete it and download it again.") from error
