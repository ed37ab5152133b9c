"""Reading the weights of a TorchScript archive (`torch.jit.save`), whose program stays unread.

Such an archive pickles the module as objects of classes `__torch__.…` whose states hold tensors, submodules and
constants.
"""
from __future__ import annotations

from collections import OrderedDict
from typing import Any, Iterator

from ..tensor.tensor import Tensor
from ._allowlist import WeightsOnly
from ._archive import ArchiveReader, is_archive
from ._describe import Inert, Name
from ._load import ArchiveStorages
from ._location import restorer
from ._machine import PickleMachine
from ._source import Source

MAX_MODULES = 100_000


class _Script(WeightsOnly):
    """weights_only=True, with TorchScript's own classes as inert records."""

    def find_global(self, module: str, name: str) -> Any:
        if module.startswith("__torch__") or module == "torch.jit._pickle":
            return Name(f"{module}.{name}")
        return super().find_global(module, name)

    def call(self, function: Any, args: tuple) -> Any:
        return Inert(function.path, args) if isinstance(function, Name) else super().call(function, args)

    def new(self, cls: Any, args: tuple, kwargs: dict) -> Any:
        return Inert(cls.path, args) if isinstance(cls, Name) else super().new(cls, args, kwargs)

    def build(self, instance: Any, state: Any) -> Any:
        if isinstance(instance, Inert):
            instance.state = state
            return instance
        return super().build(instance, state)

    def children(self, obj: Any) -> list | None:
        return [obj.args, obj.state] if isinstance(obj, Inert) else super().children(obj)


def load_torchscript_weights(f: Any, map_location: Any = None) -> OrderedDict[str, Tensor]:
    """The parameters and buffers of a TorchScript archive, under the names of its `state_dict()`.

    f: a path or seekable binary file. Runs no code. Raises RuntimeError if the file is no TorchScript archive or is
    damaged.
    """
    with Source(f) as source:
        if not is_archive(source):
            raise RuntimeError("this is no TorchScript archive: it is no zip file")
        archive = ArchiveReader(source)
        if "constants.pkl" not in archive:
            raise RuntimeError("this is no TorchScript archive; torch.load reads what torch.save wrote")
        storages = ArchiveStorages(archive, "data/", restorer(map_location), False)
        root = PickleMachine(archive.read("data.pkl"), _Script(storages.load)).run()
    weights: OrderedDict[str, Tensor] = OrderedDict()
    for prefix, module in _modules(root):
        for name, value in module.state.items():
            if isinstance(value, Tensor):
                weights[f"{prefix}{name}"] = value
    return weights


def _modules(root: Any) -> Iterator[tuple[str, Inert]]:
    """(prefix, module) of a module and all below it, each before its submodules, as `state_dict` orders them."""
    pending = [("", root)]
    for _ in range(MAX_MODULES):
        if not pending:
            return
        prefix, module = pending.pop()
        if not isinstance(module, Inert) or not isinstance(module.state, dict):
            continue
        yield prefix, module
        below = [(f"{prefix}{name}.", value) for name, value in module.state.items()
                 if isinstance(value, Inert) and value.path.startswith("__torch__")]
        pending.extend(reversed(below))
    raise RuntimeError(f"corrupt archive: over {MAX_MODULES} modules, or a module that contains itself")
