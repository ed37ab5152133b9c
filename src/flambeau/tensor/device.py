"""`device`: where a tensor lives: on the CPU, whose programs flambeau compiles itself, or on a device of XLA's (the extra `xla`).

"cuda" and "tpu" are accelerators; "xla:cpu" is XLA's own CPU, for trying programs without one. On "meta" tensors have a shape and a
dtype, but no data.
"""
from __future__ import annotations

import os
from typing import Any

from ..xla import backend

_KINDS = ("cpu", "cuda", "mps", "meta", "xpu", "xla", "hip", "ipu", "mkldnn", "vulkan", "mtia", "hpu", "privateuseone", "tpu", "xla:cpu")


class device:
    """A device type and an optional index: `device("cpu")`, `device("cuda:0")`, `device("cuda", 0)`, `device("xla:cpu:1")`.

    In `with device(…):` new tensors are made there unless another device is given.
    """

    __slots__ = ("type", "index")

    type: str
    index: int | None

    def __new__(cls, type: Any = None, index: int | None = None):
        if isinstance(type, device):
            return type
        self = object.__new__(cls)
        if isinstance(type, int) and not isinstance(type, bool):
            type, index = "cuda", type
        if not isinstance(type, str):
            raise TypeError(f"device(): argument 'type' (position 1) must be str, not {type.__class__.__name__}")
        own = "xla:cpu" if type.startswith("xla:cpu") else ""  # the only type with a colon in its name
        kind, colon, number = type.removeprefix(own).partition(":")
        kind = own + kind
        if colon:
            if index is not None:
                raise RuntimeError(f"type (string) must not include an index because index was passed explicitly: {type}")
            if not number.isdigit() or number != str(int(number)):
                raise RuntimeError(f"Invalid device string: '{type}'")
            index = int(number)
        if kind not in _KINDS:
            raise RuntimeError(f"Expected one of cpu, cuda, ipu, xpu, mkldnn, opengl, opencl, ideep, hip, ve, fpga, maia, xla, lazy, "
                               f"vulkan, mps, meta, hpu, mtia, privateuseone device type at start of device string: {kind}")
        self.type = kind
        self.index = index
        return self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __repr__(self) -> str:
        return f"device(type='{self.type}')" if self.index is None else f"device(type='{self.type}', index={self.index})"

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __reduce__(self):
        return device, (str(self),)

    def __enter__(self):
        _defaults.append(check_device(self))
        return self

    def __exit__(self, *exc):
        _defaults.pop()


CPU, META = device("cpu"), device("meta")
_present: dict[tuple[str, int | None], device] = {("cpu", None): CPU, ("cpu", 0): CPU, ("meta", None): META, ("meta", 0): META}  # the devices that tensors can be put on, each once
_defaults: list[device] = [CPU]  # where new tensors are made: set_default_device's, then that of each `with device` around
_current: dict[str, int] = {}  # the index of a device type without one, where it is not 0


def check_device(where: Any) -> device:
    """The device itself, with its index. None stands for the default one. RuntimeError or AssertionError if there is no such device."""
    if where is None:
        return _defaults[-1]
    if where is CPU:
        return CPU
    d = device(where)
    index = _current.get(d.type, 0) if d.index is None and d.type not in ("cpu", "meta") else d.index
    found = _present.get((d.type, index))
    return _found(d, index) if found is None else found


def _found(d: device, index: int | None) -> device:
    count = len(backend.devices(d.type))
    if count and index is not None and index < count:
        return _present.setdefault((d.type, index), device(d.type, index))
    if count:
        raise RuntimeError("CUDA error: invalid device ordinal" if d.type == "cuda" else
                           f"invalid device ordinal: '{d}', but there are {count} devices of this type")
    if d.type == "cuda":
        raise AssertionError(f"Torch not compiled with CUDA enabled. {_advice(d.type)}")
    if d.type in backend.PLATFORMS:
        raise RuntimeError(f"Could not put a tensor on '{d}': no such device was found. {_advice(d.type)}")
    raise RuntimeError(f"Could not put a tensor on '{d}': flambeau has no {d.type} device")


def _advice(kind: str) -> str:
    return (f"jax finds none on this machine: {backend.INSTALL[kind]} has jax's part for it" if backend.is_installed() else
            f"flambeau reaches it through jax, which is not installed: {backend.INSTALL[kind]}")


def current_index(kind: str) -> int:
    """The index that a device type without one stands for."""
    return _current.get(kind, 0)


def set_current_index(kind: str, index: int) -> None:
    """Sets the index that a device type without one stands for."""
    _current[kind] = index


def get_default_device() -> device:
    """Where new tensors are made: the CPU unless `set_default_device` or a `with device` around says otherwise."""
    return _defaults[-1]


def set_default_device(device: Any) -> None:
    """Sets where tensors are made when no device is given (None: the CPU). FLAMBEAU_DEFAULT_DEVICE does so from the start."""
    _defaults[0] = CPU if device is None else check_device(device)


def forget_default_devices() -> None:
    """Makes the CPU the default again, inside `with device`, too."""
    _defaults[:] = [CPU]


if os.environ.get("FLAMBEAU_DEFAULT_DEVICE"):
    set_default_device(os.environ["FLAMBEAU_DEFAULT_DEVICE"])
