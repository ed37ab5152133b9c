"""What a call of the user's Python does beside recording: seen by a profile function while the call runs.

A replayed call runs no Python. So the user's code may be replayed only if its Python does nothing but record: it must not
print, store into objects that outlive the call, or ask anything (a clock, a file, a random number) that could answer
otherwise the next time. Whatever is not known to be harmless counts as harmful: the price is only speed.
"""
from __future__ import annotations

import builtins
import dis
import gc
import math
import sys
from functools import lru_cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from ..errors import is_own
from ..nn.modules.module import Module
from ..optim.optimizer import Optimizer
from ..tensor import saved_attributes as saved_attributes  # is loaded late, but not in a watched call, where finders of modules would count

_PACKAGE = Path(__file__).resolve().parent.parent
# Parts of flambeau whose Python does nothing but record, or changes only what `heap` sees
_RECORDING = ("tensor", "runtime", "ops", "primitives", "autograd", "nn", "ir", "interpret", "compiler", "linalg", "func", "sparse", "masked", "optim",
              "amp", "signal", "replay", "vision/models", "vision/ops", "special.py", "fft.py", "errors.py", "dtypes.py", "random.py", "misc.py",
              "return_types.py", "control_flow.py", "__init__.py", "utils/hooks.py", "utils/checkpoint.py", "storage.py", "overrides/install.py", "overrides/dispatch.py")
_STATEFUL = ("optim/lr_scheduler.py", "optim/swa_utils.py", "amp/grad_scaler.py")  # counters of their own
_STANDARD = {"functools", "contextlib", "collections", "operator", "typing", "enum", "abc", "_collections_abc", "copy", "weakref", "_weakrefset",
             "types", "numbers", "warnings", "re", "copyreg", "keyword", "inspect", "dis", "reprlib", "importlib", "_abc"}
_HARMLESS = {abs, all, any, callable, chr, divmod, getattr, hasattr, hash, id, isinstance, issubclass, len, max, min, ord, pow, repr, round, sorted, sum,
             format, iter, math.prod, builtins.__build_class__}
_MUTATORS = {"append", "extend", "insert", "pop", "remove", "clear", "update", "setdefault", "add", "discard", "sort", "reverse", "popitem", "appendleft",
             "popleft"}
_CONTAINERS = (list, dict, set)
_STORES = {"STORE_ATTR", "DELETE_ATTR", "STORE_SUBSCR", "DELETE_SUBSCR"}
_RECORDED_STORES = {"__setitem__", "setitem", "_set_grad"}  # flambeau's functions behind `x[…] = …` and `x.grad = …`
_GLOBAL_STORES = {"STORE_GLOBAL", "DELETE_GLOBAL"}


@lru_cache(maxsize=None)
def _kind_of(filename: str) -> str:
    """What a file is: "own" (only records), "standard" (harmless), "stateful" (neither) or "user"."""
    if is_own(filename):
        part = Path(filename).resolve().relative_to(_PACKAGE).as_posix()
        records = any(part == p or part.startswith(p + "/") for p in _RECORDING) and part not in _STATEFUL
        return "own" if records else "stateful"
    if filename.startswith("<frozen"):
        return "standard"
    path = Path(filename)
    if path.is_relative_to(_LIBRARY) and "site-packages" not in path.parts:
        room = path.relative_to(_LIBRARY).parts[0].removesuffix(".py")
        return "standard" if room in _STANDARD else "stateful"
    return "stateful" if any(package in path.parts for package in _PACKAGES) else "user"


_OVERRIDES = str(Path("overrides", "dispatch.py"))  # whose `ask` hands calls to users' classes and modes
_LIBRARY = Path(dis.__file__).resolve().parent
_PACKAGES = ("numpy", "llvmlite")  # that flambeau calls


class Watch:
    """codes: the user's code objects that ran, each with its globals. objects: the modules and optimizers whose methods ran.
    reason: None, or why the call must not be replayed."""

    def __init__(self) -> None:
        self.codes: dict[CodeType, dict] = {}
        self.objects: dict[int, Any] = {}
        self.reason: str | None = None
        self._own_stores: set[tuple[CodeType, int]] = set()  # places where a store was a call of flambeau's
        self._changed: list[tuple[Any, str]] = []  # built-in containers that were changed, and where

    def __enter__(self) -> Watch:
        self._collects = gc.isenabled()
        gc.disable()  # what a collection calls (finalizers, `gc.callbacks`) is not a part of the user's function
        sys.setprofile(self._event)
        return self

    def __exit__(self, *error: Any) -> None:
        sys.setprofile(None)
        if self._collects:
            gc.enable()

    def refuse(self, reason: str, frame: FrameType | None = None) -> None:
        """Notes why the call must not be replayed; the first reason counts."""
        if self.reason is None:
            where = "" if frame is None else f" ({frame.f_code.co_filename}:{frame.f_lineno})"
            self.reason = reason + where

    # ------------------------------------------------------------------ events

    def _event(self, frame: FrameType, event: str, arg: Any) -> None:
        if event == "call":
            self._call(frame)
        elif event == "c_call":
            self._builtin(frame, arg)

    def _call(self, frame: FrameType) -> None:
        code = frame.f_code
        kind = _kind_of(code.co_filename)
        caller = frame.f_back
        if kind == "own":
            if code.co_name == "ask" and code.co_filename.endswith(_OVERRIDES):
                self.refuse("`__torch_function__` overrides a function that is called")
            if code.co_argcount and code.co_varnames[0] == "self":
                owner = frame.f_locals["self"]
                if isinstance(owner, (Module, Optimizer)):
                    self.objects[id(owner)] = owner
            if code.co_name in _RECORDED_STORES and caller is not None and caller.f_code in self.codes:
                self._own_stores.add((caller.f_code, caller.f_lasti))
        elif kind == "user":
            self.codes[code] = frame.f_globals
        elif kind == "stateful" and caller is not None and caller.f_code in self.codes:
            self.refuse(f"it calls {code.co_name} of {Path(code.co_filename).stem}, which may keep a state in Python", caller)

    def _builtin(self, frame: FrameType, function: Any) -> None:
        if frame.f_code not in self.codes:
            return
        owner = getattr(function, "__self__", None)
        if function in _HARMLESS or getattr(function, "__module__", None) in ("math", "_operator", "itertools"):
            return
        if isinstance(owner, _CONTAINERS):
            if function.__name__ in _MUTATORS:
                self._changed.append((owner, f"{frame.f_code.co_filename}:{frame.f_lineno}"))
            return
        if isinstance(owner, (str, bytes, tuple, int, float, complex, frozenset, range, type(None))) or isinstance(owner, type):
            return
        if getattr(function, "__name__", "") == "setprofile":
            return
        self.refuse(f"it calls {getattr(function, '__qualname__', function)}", frame)

    # ------------------------------------------------------------------ verdict

    def judge(self, returned: set[int]) -> str | None:
        """`reason`, after a look at what the code that ran would do to objects that outlive the call. returned: the ids of
        the containers that the call made and returned."""
        for code in self.codes:
            self._judge_code(code)
        changed, self._changed = self._changed, []
        while changed:
            container, where = changed.pop()
            others = sum(container is c for c, _ in changed)
            if id(container) not in returned and sys.getrefcount(container) > 2 + others:  # ours, and the argument's
                self.refuse(f"it changes a {type(container).__name__} that outlives the call ({where})")
        return self.reason

    def _judge_code(self, code: CodeType) -> None:
        line = code.co_firstlineno
        for instruction in dis.get_instructions(code):
            line = instruction.starts_line if isinstance(instruction.starts_line, int) and instruction.starts_line > 1 else line
            name = instruction.opname
            where = f"({code.co_filename}, in {code.co_name})"
            if name in _GLOBAL_STORES or name == "STORE_DEREF" and instruction.argval in code.co_freevars:
                self.refuse(f"it assigns to the outer variable {instruction.argval!r} {where}")
            elif name in _STORES and (code, instruction.offset) not in self._own_stores:
                what = f"the attribute {instruction.argval!r}" if name.endswith("ATTR") else "an element of a container"
                self.refuse(f"it changes {what} {where}")
