"""What a name that flambeau lacks says: that it is not there yet, and which names are nearest."""
from __future__ import annotations

import functools
import sys
from opcode import opmap
from types import FrameType, ModuleType
from typing import Any, Callable

from .names import flambeau_name, is_room, torch_name

_IMPORT_FROM = opmap["IMPORT_FROM"]


def missing_name(module_name: str, name: str) -> AttributeError:
    """The error for `module.name` when flambeau's module `module_name` has no `name`."""
    # obj=None: the interpreter then adds no "Did you mean" of its own to ours
    message = f"module {_shown(module_name)!r} has no attribute {name!r}{_hint(module_name, name)}"
    return AttributeError(message, name=name, obj=None)


def missing_import(module_name: str, name: str) -> ImportError:
    """The error for `from module import name` when flambeau's module `module_name` has no `name`."""
    shown = _shown(module_name)
    return ImportError(f"cannot import name {name!r} from {shown!r}{_hint(module_name, name)}", name=shown)


def missing_module(torch_module: str) -> ModuleNotFoundError:
    """The error for `import torch_module` (PyTorch's name) when flambeau has no such module."""
    parent, _, child = torch_module.rpartition(".")
    return ModuleNotFoundError(f"No module named {torch_module!r}{_module_hint(parent, child)}", name=torch_module)


class MissingNames:
    """A module's `__getattr__`: `__getattr__ = MissingNames(__name__)`. `own`, a `__getattr__`, is asked first."""

    def __init__(self, module_name: str, own: Callable[[str], Any] | None = None):
        self.module_name = module_name
        self.own = own

    def __call__(self, name: str) -> Any:
        if self.own is not None:
            try:
                return self.own(name)
            except AttributeError as error:
                if error.name not in (None, name):
                    raise  # a mistake inside it, not the answer "no such name"
        if _imports_from(sys._getframe(1)):
            raise missing_import(self.module_name, name)
        raise missing_name(self.module_name, name)


def _imports_from(frame: FrameType) -> bool:
    """Whether `frame` is in the middle of `from module import name`, where Python drops an AttributeError's words."""
    return frame.f_lasti >= 0 and frame.f_code.co_code[frame.f_lasti] == _IMPORT_FROM


def _shown(module_name: str) -> str:
    """The name by which the program knows the module: PyTorch's where the import hook has put it there."""
    name = torch_name(module_name)
    return name if name and sys.modules.get(name) is sys.modules.get(module_name) else module_name


@functools.lru_cache(maxsize=256)
def _hint(module_name: str, name: str) -> str:
    if name.startswith("__"):  # protocols look for these; nobody reads the answer
        return ""
    module = sys.modules.get(module_name)
    names = [n for n in dir(module) if n.startswith("_") <= name.startswith("_")]
    rooms = {n for n in names if isinstance(value := vars(module).get(n), ModuleType) and is_room(value.__name__)}
    return _not_yet(name, [n for n in names if n not in rooms])


def _module_hint(parent: str, child: str) -> str:
    import pkgutil  # here and difflib below: needed for this message only, and importing flambeau is to stay quick

    module = sys.modules.get(flambeau_name(parent) or "")
    children = [m.name for m in pkgutil.iter_modules(getattr(module, "__path__", ()))]
    return _not_yet(child, [c for c in children if flambeau_name(f"{parent}.{c}") and not c.startswith("_")])


def _not_yet(name: str, candidates: list[str]) -> str:
    import difflib

    close = difflib.get_close_matches(name, candidates)
    return ": flambeau does not have it yet." + (f" Nearest names: {', '.join(close)}" if close else "")
