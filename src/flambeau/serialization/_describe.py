"""What is in a file, without making any of it: the tree with stand-ins for tensors and objects, and every name it uses.

It runs the same machine as `weights_only=True`, with a policy that never refuses a name because it never uses one:
whatever is not plain data becomes an `Inert` record of what the file says about it.
"""
from __future__ import annotations

import struct
from math import prod
from pickle import UnpicklingError
from typing import Any, NamedTuple

from .. import dtypes
from . import _rebuild
from ._allowlist import WeightsOnly
from ._archive import ArchiveReader, is_archive
from ._guards import GLOBALS
from ._machine import PickleMachine
from ._names import FOREIGN_DTYPES, FOREIGN_STORAGES, canonical
from ._source import Source
from ._storages import StorageClass
from ._tar import Geometry, Part, Tables, find_persistent, is_tar, look_up, read_tables


class Name:
    """A global as a value: a class, function or constant that the file names."""

    def __init__(self, path: str):
        self.path = path

    def __repr__(self) -> str:
        return self.path


class Inert:
    """An object that was not made: what the file would call or instantiate, with which arguments and state."""

    def __init__(self, path: str, args: tuple):
        self.path = path
        self.args = args
        self.state: Any = None
        self.items: list[Any] = []  # appended
        self.pairs: list[tuple[Any, Any]] = []  # set by key

    def parts(self) -> list[tuple[Any, Any]]:
        """(key, value) of everything in it, as far as it has a name."""
        state = self.state if isinstance(self.state, tuple) and len(self.state) == 2 else (self.state, None)
        named = [pair for part in state if isinstance(part, dict) for pair in part.items()]
        other = [] if named or self.state is None else [("state", self.state)]
        return [*enumerate(self.args), *named, *other, *self.pairs, *enumerate(self.items)]


class StorageInfo(NamedTuple):
    """A storage that a file refers to. size: elements."""

    key: str
    dtype: str
    location: str
    size: int
    nbytes: int


class TensorInfo:
    """A tensor that a file describes."""

    def __init__(self, storage: StorageInfo, dtype: str, itemsize: int, args: tuple, kind: str):
        self.storage, self.dtype, self.itemsize, self.kind = storage, dtype, itemsize, kind
        self.offset = args[0]
        self.shape, self.strides = tuple(args[1]), tuple(args[2])
        self.requires_grad = len(args) > 3 and args[3] is True
        self.attributes: dict[str, Any] = {}
        try:
            _rebuild.check_geometry(storage.nbytes // itemsize, self.offset, self.shape, self.strides)
            self.problem = ""
        except RuntimeError as error:
            self.problem = str(error)

    @property
    def nbytes(self) -> int:
        """Size of its elements, shared or not."""
        return prod(self.shape) * self.itemsize if not self.problem else 0


class Describe(WeightsOnly):
    """The policy that makes nothing. `names` collects (module, name) of every global in order of appearance."""

    def __init__(self) -> None:
        super().__init__()
        self._user = {}
        self.names: dict[tuple[str, str], None] = {}

    def find_global(self, module: str, name: str) -> Any:
        module, name = canonical(module, name)
        self.names[module, name] = None
        full = f"{module}.{name}"
        if full in GLOBALS and not full.startswith("torch."):
            return GLOBALS[full]
        return Name(full)

    def call(self, function: Any, args: tuple) -> Any:
        if not isinstance(function, Name):
            return super().call(function, args) if function is not None else None
        path = function.path
        self.machine.spend(len(args))
        try:
            if path in (
                "torch._utils._rebuild_tensor",
                "torch._utils._rebuild_tensor_v2",
                "torch._utils._rebuild_tensor_v3",
            ):
                return _tensor_info(args)
            if path in ("torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state"):
                info = args[0]
                info.kind, info.requires_grad = "Parameter", args[1] is True
                if len(args) > 3 and isinstance(args[3], dict):
                    info.attributes = args[3]
                return info
            if path == "torch._tensor._rebuild_from_type_v2":
                info = self.call(args[0], args[2])
                info.kind = args[1].path.rpartition(".")[2]
                info.attributes = args[3] if isinstance(args[3], dict) else {}
                return info
        except (AttributeError, IndexError, TypeError, ValueError):
            pass  # not what the name promises: shown as it is
        return Inert(path, args)

    def new(self, cls: Any, args: tuple, kwargs: dict) -> Any:
        if isinstance(cls, Name):
            return Inert(cls.path, args)
        return super().new(cls, args, kwargs)

    def build(self, instance: Any, state: Any) -> Any:
        if isinstance(instance, Inert):
            instance.state = state
            return instance
        if isinstance(instance, TensorInfo):
            return instance
        return super().build(instance, state)

    def persistent(self, pid: Any) -> Any:
        if not isinstance(pid, tuple) or len(pid) not in (4, 5, 6):
            return Inert("persistent id", (pid,))
        if len(pid) == 4:  # ("module", class, file, source) of the legacy format
            return pid[1]
        _, cls, key, location, size = pid[:5]
        name = cls.path.rpartition(".")[2] if isinstance(cls, Name) else ""
        found = GLOBALS.get(f"torch.{name}")
        if isinstance(found, StorageClass) and found.dtype is not None:
            dtype, itemsize = found.dtype.name, found.dtype.itemsize
        else:
            dtype, itemsize = name.removesuffix("Storage").lower(), FOREIGN_STORAGES.get(name, 1)
        if type(size) is not int or size < 0:
            raise UnpicklingError("corrupt storage: its size is no number")
        return StorageInfo(str(key), dtype, str(location), size, size * itemsize)

    def extend(self, instance: Any, items: list) -> None:
        if isinstance(instance, Inert):
            instance.items.extend(items)
        else:
            super().extend(instance, items)

    def set_items(self, instance: Any, items: list) -> None:
        if isinstance(instance, Inert):
            instance.pairs.extend(zip(items[::2], items[1::2]))
        else:
            super().set_items(instance, items)

    def is_key(self, obj: Any) -> bool:
        return isinstance(obj, (Name, Inert, TensorInfo, StorageInfo)) or super().is_key(obj)

    def children(self, obj: Any) -> list | None:
        if isinstance(obj, Inert):
            return [obj.args, obj.state, obj.items, obj.pairs]
        if isinstance(obj, TensorInfo):
            return [obj.attributes]
        return super().children(obj)


def _tensor_info(args: tuple) -> TensorInfo:
    storage = args[0]
    dtype, itemsize = storage.dtype, storage.nbytes // storage.size if storage.size else 1
    if len(args) > 6 and isinstance(args[6], Name):  # _rebuild_tensor_v3
        dtype = args[6].path.rpartition(".")[2]
    if dtype in dtypes.BY_NAME:
        itemsize = dtypes.BY_NAME[dtype].itemsize
    else:
        itemsize = FOREIGN_DTYPES.get(dtype, itemsize)
    return TensorInfo(storage, dtype, itemsize, args[1:], "Tensor")


def globals_of(pickled: bytes) -> list[tuple[str, str]]:
    """(module, name) of every global that a pickle names."""
    policy = Describe()
    PickleMachine(pickled, policy).run()
    return list(policy.names)


# ------------------------------------------------------------------ files

class Description(NamedTuple):
    """What a file holds. format: in words. records: (name, bytes). names: "module.name" of every global."""

    format: str
    nbytes: int
    records: list[tuple[str, int]]
    root: Any
    names: list[str]


def describe_file(f: Any) -> Description:
    """Describes a checkpoint: PyTorch's formats, TorchScript, safetensors. Raises as `load` does if it is damaged."""
    with Source(f) as source:
        if is_archive(source):
            return _describe_archive(source)
        if _looks_like_safetensors(source):
            return _describe_safetensors(source)
        if is_tar(source):
            return _describe_tar(source)
        return _describe_legacy(source)


def _dotted(policy: Describe) -> list[str]:
    return [f"{module}.{name}" for module, name in policy.names]


def _describe_archive(source: Source) -> Description:
    archive = ArchiveReader(source)
    policy = Describe()
    root = PickleMachine(archive.read("data.pkl"), policy).run()
    kind = "TorchScript archive" if "constants.pkl" in archive else "PyTorch zip file"
    order = archive.text("byteorder", "").strip()
    return Description(f"{kind}{f', {order}-endian' if order else ''}", source.size,
                       [(name, archive.size(name)) for name in archive.names()], root, _dotted(policy))


def _describe_legacy(source: Source) -> Description:
    from ._legacy import MAGIC_NUMBER
    from ._load import refuse_other_files
    refuse_other_files(source)
    window = source.window()
    policy = Describe()
    objects: list[Any] = []
    position = 0
    for _ in range(5):
        machine = PickleMachine(window, policy, position, encoding="latin1")
        objects.append(machine.run())
        position = machine.position
        if objects[0] != MAGIC_NUMBER:
            return Description("plain pickle (not made by torch.save)", source.size, [], objects[0], _dotted(policy))
    records = [(f"storage {key}", 0) for key in objects[4]] if isinstance(objects[4], list) else []
    return Description("PyTorch legacy file (before 1.6)", source.size, records, objects[3], _dotted(policy))


class _DescribeTar(Describe):
    """For the object in a tar file, whose tensors have been described before it."""

    def __init__(self, tensors: dict[int, TensorInfo]):
        super().__init__()
        self.tensors = tensors

    def persistent(self, pid: Any) -> Any:
        return find_persistent(self.tensors, pid)


def _describe_tar(source: Source) -> Description:
    window = source.window()
    tables = read_tables(source, window)
    policy = _DescribeTar({key: _tensor_in_tar(tables, tensor) for key, tensor in tables.tensors.items()})
    root = PickleMachine(window, policy, tables.pickle, encoding="latin1").run()
    records = [(name, end - begin) for name, (begin, end) in tables.members.items()]
    return Description("PyTorch tar file (0.1)", source.size, records, root, _dotted(policy))


def _tensor_in_tar(tables: Tables, tensor: Geometry) -> TensorInfo:
    part = tables.parts.get(tensor.storage, Part(tensor.storage, 0, 0))
    data = look_up(tables.storages, part.whole)
    name, itemsize = data.dtype.name, data.dtype.itemsize
    storage = StorageInfo(str(part.whole), name, data.location, data.size, data.size * itemsize)
    return TensorInfo(storage, name, itemsize, (part.offset + tensor.offset, tensor.shape, tensor.strides), "Tensor")


def _looks_like_safetensors(source: Source) -> bool:
    head = source.read(0, 9)
    return len(head) == 9 and head[8:9] == b"{" and struct.unpack("<Q", head[:8])[0] <= source.size - 8


def _describe_safetensors(source: Source) -> Description:
    from ..safetensors import CODES, read_header
    header, _ = read_header(source)
    root: dict[str, Any] = {}
    for name, entry in header.items():
        if name == "__metadata__":
            root[name] = entry
            continue
        begin, end = entry["data_offsets"]
        dtype = CODES.get(entry["dtype"])
        size = prod(entry["shape"])
        storage = StorageInfo(name, dtype.name if dtype else entry["dtype"], "cpu", size, end - begin)
        strides = [prod(entry["shape"][i + 1:]) for i in range(len(entry["shape"]))]
        itemsize = max((end - begin) // max(size, 1), 1)
        root[name] = TensorInfo(storage, storage.dtype, itemsize, (0, entry["shape"], strides), "Tensor")
    return Description("safetensors file", source.size, [], root, [])
