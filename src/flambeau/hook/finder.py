"""The finder. What comes in is the name of a module that a program imports; what goes out is flambeau's module for it.

- `torch.x` is the same module object as `flambeau.x`: `_AliasLoader` imports the one and hands it out as the other.
- A module of flambeau is *presented* after it ran: its classes and functions get PyTorch's path for their `__module__`,
  so that they print and pickle as PyTorch's do, and names that it lacks get a helpful error.
"""
from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import sys
from types import FunctionType, ModuleType
from typing import Any, Callable, Iterable, Iterator, Sequence

from .missing import MissingNames, missing_module
from .names import NAMESPACES, ROOTS, flambeau_name, is_room, torch_name
from .processes import install_in_children


def install() -> None:
    """Makes `torch` and `torchvision` flambeau for every import from now on.

    In this process and in the children that multiprocessing starts. May be called again.
    Raises ImportError if PyTorch itself is already imported: its modules would mix with flambeau's.
    """
    if any(isinstance(finder, TorchFinder) for finder in sys.meta_path):
        return
    for root in ROOTS:
        if root in sys.modules:
            place = getattr(sys.modules[root], "__file__", "an unknown place")
            raise ImportError(f"{root!r} is already imported, from {place}: call flambeau.install() before", name=root)
    sys.meta_path.insert(0, TorchFinder())
    for module in _loaded("flambeau"):
        present(module)
    if "multiprocessing.spawn" in sys.modules:
        install_in_children(sys.modules["multiprocessing.spawn"])


class TorchFinder:
    """Answers for PyTorch's modules and distributions, and watches flambeau's as they load."""

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None):
        root = name.partition(".")[0]
        if root in ROOTS:
            spec = _alias_spec(name)
            # None would let the next finder see a room (torch.ir) in flambeau's own folder and run it a second time
            if spec is None and (flambeau_name(name) is None or _is_import_statement(sys._getframe(2))):
                raise missing_module(name)
            return spec
        if root == "flambeau":
            return self._watched_spec(name, path, target, present)
        if name == "multiprocessing.spawn":
            return self._watched_spec(name, path, target, install_in_children)
        return None

    def find_distributions(self, context: Any = None) -> Iterable[Any]:
        from .distributions import find_distributions  # importlib.metadata, which it needs, takes 20 ms to import

        return find_distributions(context)

    def _watched_spec(self, name, path, target, then):
        """The spec that the other finders give, with a loader that calls `then(module)` after the module ran."""
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(name, path, target)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _WatchedLoader(spec.loader, then)
                return spec
        return None


class _WatchedLoader:
    """A loader, and something to do after it ran."""

    def __init__(self, loader: Any, then: Callable[[ModuleType], None]):
        self._loader = loader
        self._then = then

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def exec_module(self, module: ModuleType) -> None:
        assert module.__spec__ is not None
        module.__spec__.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        self._then(module)


class _AliasLoader:
    """Loads a module of PyTorch's by importing flambeau's, which is handed out as it is, never executed again."""

    def __init__(self, name: str):
        self._name = name

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        module = importlib.import_module(self._name)
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec  # the import system has put the alias's there
        # What flambeau has loaded already is loaded under PyTorch's name, too, as after a real `import torch`
        for loaded in _loaded(self._name):
            _alias(loaded)


def _alias_spec(name: str) -> importlib.machinery.ModuleSpec | None:
    real_name = flambeau_name(name)
    real = importlib.util.find_spec(real_name) if real_name else None
    if real is None or real_name is None:
        return None
    spec = importlib.machinery.ModuleSpec(name, _AliasLoader(real_name), origin=real.origin)  # type: ignore[arg-type]
    spec.submodule_search_locations = real.submodule_search_locations
    return spec


def _is_import_statement(frame: Any) -> bool:
    """Whether the import system's `frame` is about to load the module (`importlib.util.find_spec` only asks)."""
    return frame.f_code.co_name == "_find_and_load_unlocked"


def _loaded(root: str) -> list[ModuleType]:
    return [module for name, module in sorted(sys.modules.items()) if name == root or name.startswith(root + ".")]


def present(module: ModuleType) -> None:
    """Gives what `module` defines, and what it shows from flambeau's rooms, PyTorch's path; does nothing to a room."""
    name = module.__name__
    shown = torch_name(name)
    if shown is None:
        return
    for obj in _definitions(vars(module), lambda origin: origin == name):
        line = vars(obj).get("__firstlineno__")  # Python 3.13 forgets it with the new name; inspect.getsource wants it
        obj.__module__ = shown
        if line is not None:
            obj.__firstlineno__ = line
    if name in NAMESPACES:
        for obj in _definitions(vars(module), is_room):
            if vars(module).get(obj.__qualname__) is obj:
                obj.__module__ = shown
    own = vars(module).get("__getattr__")
    if not isinstance(own, MissingNames):
        setattr(module, "__getattr__", MissingNames(name, own))
    _alias(module)


def _alias(module: ModuleType) -> None:
    """Puts `module` under PyTorch's name into sys.modules, if the program has imported that package."""
    shown = torch_name(module.__name__)
    if shown is not None and shown.partition(".")[0] in sys.modules:
        sys.modules.setdefault(shown, module)


def _definitions(namespace: Any, wanted: Callable[[str], bool]) -> Iterator[Any]:
    """The classes (nested ones, too), functions and the like in `namespace` whose `__module__` is `wanted`."""
    for obj in list(namespace.values()):
        if isinstance(obj, (type, FunctionType)) or "__module__" in getattr(obj, "__dict__", ()):
            origin = obj.__module__
            if isinstance(origin, str) and wanted(origin):
                yield obj
                if isinstance(obj, type):
                    yield from _definitions(vars(obj), wanted)
