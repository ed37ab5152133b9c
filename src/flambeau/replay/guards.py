"""What a recorded call depends on beside its arguments: looked up once, compared before each replay.

The names that the user's code mentions (globals, closures, attributes) must still refer to what they did; plain values,
lists and dicts must be equal; modules and optimizers must have kept their structure, modes and options.
"""
from __future__ import annotations

import dis
import gc
import operator
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, GetSetDescriptorType, MethodType, ModuleType
from typing import Any, Iterable

import numpy as np

from ..dtypes import dtype
from ..errors import is_own
from ..nn.modules._hooked_call import _GLOBAL_TABLES
from ..nn.modules.module import Module, _Registered
from ..optim.optimizer import Optimizer, _global_post_hooks, _global_pre_hooks
from ..random import Generator, default_generator
from ..runtime.changes import changes
from ..tensor.device import device
from ..tensor.node import AccumulateGrad
from ..tensor.size import Size
from ..tensor.tensor import Tensor

PLAIN = (bool, int, float, complex, str, bytes, type(None), dtype, device, Size, range, slice, type(Ellipsis))
_NUMBERS = (bool, int, float, complex, str, bytes)
_TABLES = ("_parameters", "_buffers", "_modules")
_LIMIT = 20_000  # things that one call may depend on
_MISSING = object()


class Unguarded(Exception):
    """Something that a call depends on, of which nobody can tell whether it has changed."""


def _same(a: Any, b: Any) -> bool:
    return a is b or a.__class__ is b.__class__ and a.__class__ in _NUMBERS and a == b


def _is_bare(leaf: AccumulateGrad) -> bool:
    return leaf.hooks is None and not leaf.post_accumulate_hooks


def _global_hooks() -> Iterable[dict]:
    return *_GLOBAL_TABLES, _global_pre_hooks, _global_post_hooks


class Guards:
    """All that one recorded call depends on."""

    def __init__(self, names: set[str]) -> None:
        self._names = names  # that the user's code mentions
        self._entries: list[tuple[dict, Any, Any]] = []  # (mapping, key, expected value)
        self._cells: list[tuple[CellType, Any]] = []
        self._lists: list[tuple[Any, list]] = []  # (list or tuple, expected elements)
        self._sizes: list[tuple[Any, int]] = []  # (dict, expected size)
        self._sets: list[tuple[Any, frozenset]] = []
        self._modules: list[tuple[Module, tuple]] = []
        self.optimizers: list[Optimizer] = []
        self.tensors: list[Tensor] = []  # that can be reached
        self.generators: list[Generator] = [default_generator._current()]
        self.leaves: list[AccumulateGrad] = []  # which must have no hooks
        self._seen: dict[int, Any] = {}
        self._count = changes.count

    # ------------------------------------------------------------------ comparing

    def hold(self) -> bool:
        """Whether everything is as it was."""
        for mapping, key, expected in self._entries:
            if (found := mapping.get(key, _MISSING)) is not expected and not _same(found, expected):
                return False
        for cell, expected in self._cells:
            if cell.cell_contents is not expected and not _same(cell.cell_contents, expected):
                return False
        for sequence, elements in self._lists:
            if len(sequence) != len(elements) or not all(map(operator.is_, sequence, elements)) and not all(map(_same, sequence, elements)):
                return False
        for container, size in self._sizes:
            if len(container) != size:
                return False
        for members, expected in self._sets:
            if members != expected:
                return False
        if changes.count != self._count:
            if any(_global_hooks()) or not all(map(_is_bare, self.leaves)) or not all(_snapshot(m) == seen for m, seen in self._modules):
                return False
            self._count = changes.count
        return True

    def release(self, mapping: dict, key: str) -> None:
        """No longer depends on an entry."""
        self._entries = [e for e in self._entries if e[0] is not mapping or e[1] != key]

    # ------------------------------------------------------------------ collecting

    def add_codes(self, codes: dict[CodeType, dict]) -> None:
        """What the user's code refers to: globals, and what its functions close over."""
        for code, namespace in codes.items():
            for instruction in dis.get_instructions(code):
                if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME") and instruction.argval in namespace:
                    self._entry(namespace, instruction.argval)
        for function in gc.get_referrers(*codes):
            if isinstance(function, FunctionType):
                self._function(function)

    def _function(self, function: FunctionType) -> None:
        for cell in function.__closure__ or ():
            try:
                content = cell.cell_contents
            except ValueError:  # not assigned yet
                continue
            self._cells.append((cell, content))
            self.add(content)
        for default in (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()):
            self.add(default)

    def _entry(self, mapping: dict, key: Any) -> None:
        value = mapping[key]
        self._entries.append((mapping, key, value))
        self.add(value)

    def add(self, value: Any) -> None:
        """What can be reached from a value by the names that the code mentions. Unguarded if it could change unseen."""
        if isinstance(value, PLAIN) or isinstance(value, BuiltinFunctionType) or id(value) in self._seen:
            return
        self._seen[id(value)] = value
        if isinstance(value, Tensor):
            self.tensors.append(value)
            return
        if isinstance(value, Generator):
            self.generators.append(value)
            return
        if len(self._seen) > _LIMIT:
            raise Unguarded(f"it depends on more than {_LIMIT} objects")
        if isinstance(value, Module):
            self._module(value)
        elif isinstance(value, Optimizer):
            self._optimizer(value)
        elif isinstance(value, (list, tuple)):
            if not isinstance(value, tuple):
                self._lists.append((value, list(value)))
            for x in value:
                self.add(x)
        elif isinstance(value, dict):
            self._sizes.append((value, len(value)))
            for key in value:
                self._entry(value, key)
        elif isinstance(value, (set, frozenset)):
            self._sets.append((value, frozenset(value)))
        elif isinstance(value, (ModuleType, type)):
            self._namespace(value)
        elif isinstance(value, MethodType):
            self.add(value.__self__)
        elif isinstance(value, FunctionType):
            if not is_own(value.__code__.co_filename):
                for attribute in value.__dict__:
                    self._entry(value.__dict__, attribute)
        else:
            self._object(value)

    def _namespace(self, value: Any) -> None:
        """A module or class of the user's: the attributes that the code mentions."""
        file = getattr(value, "__file__", None) if isinstance(value, ModuleType) else getattr(_python_module(value), "__file__", None)
        if not file or is_own(file) or "site-packages" in file:
            return
        table = vars(value)
        for name in self._names & table.keys():
            if isinstance(table, dict):
                self._entry(table, name)
            else:  # a class's mappingproxy answers as a dict does
                self._entries.append((table, name, table[name]))  # type: ignore[arg-type]
                if not isinstance(table[name], (FunctionType, GetSetDescriptorType)):
                    self.add(table[name])

    def _object(self, value: Any) -> None:
        if isinstance(value, (np.generic, property, staticmethod, classmethod)) or type(value).__module__ == "builtins" and callable(value):
            return
        if isinstance(value, np.ndarray):
            raise Unguarded("it reads a NumPy array, which could change")
        table = getattr(value, "__dict__", None)
        if table is None and isinstance(value, _Registered):
            return  # how a module finds its parts
        if not isinstance(table, dict):
            raise Unguarded(f"it depends on a {type(value).__qualname__}, which could change")
        for name in self._names & table.keys():
            self._entry(table, name)

    def _module(self, module: Module) -> None:
        for m in module.modules():
            if m is not module and id(m) in self._seen:
                continue
            self._seen[id(m)] = m
            self._modules.append((m, _snapshot(m)))
            for table in _TABLES[:2]:
                self.tensors += [t for t in m.__dict__[table].values() if t is not None]
            for name, value in m.__dict__.items():
                if name in self._names and name not in _TABLES or isinstance(value, Tensor):
                    self.add(value)

    def _optimizer(self, optimizer: Optimizer) -> None:
        self.optimizers.append(optimizer)
        self._entries.append((optimizer.__dict__, "state", optimizer.state))
        for table in (optimizer.state, optimizer._optimizer_step_pre_hooks, optimizer._optimizer_step_post_hooks):
            self._sizes.append((table, len(table)))
        self._entries.append((optimizer.__dict__, "param_groups", optimizer.param_groups))
        self._lists.append((optimizer.param_groups, list(optimizer.param_groups)))
        for state in optimizer.state.values():
            self.tensors += [t for t in state.values() if isinstance(t, Tensor)]
        for group in optimizer.param_groups:
            self.tensors += group["params"]
            self._lists.append((group["params"], list(group["params"])))
            for key in group:
                if key != "params":
                    self._entry(group, key)


def _python_module(cls: Any) -> Any:
    import sys
    return sys.modules.get(getattr(cls, "__module__", ""), None)


class _Snapshot(tuple):
    """What a module's `__dict__` held; equal if it holds the same objects, or equal plain values."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, tuple) and len(self) == len(other) and all(map(_same, self, other))

    __hash__ = None  # type: ignore[assignment]


def _snapshot(module: Module) -> _Snapshot:
    found: list[Any] = []
    for name, value in module.__dict__.items():
        found += name, value
        if isinstance(value, dict):  # tables of parts and hooks
            for key, x in value.items():
                found += key, x
    return _Snapshot(found)
