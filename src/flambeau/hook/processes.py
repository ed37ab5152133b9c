"""Children that multiprocessing starts afresh (spawn, forkserver) find `torch` as their parent does.

Such a child first unpickles a dict of preparation data (its `sys.path`, how to import the parent's main module), then
the function to run. An entry in front of that dict, whose unpickling installs the hook, comes before all that needs it.
Nothing is left in the environment, so other programs that the parent starts are not affected.
"""
from __future__ import annotations

import functools
from types import ModuleType
from typing import Any


def _install_hook() -> None:
    from .finder import install

    install()


class _InstallHook:
    """Unpickles by installing the hook."""

    def __reduce__(self):
        return _install_hook, ()


def install_in_children(spawn: ModuleType) -> None:
    """Wraps `get_preparation_data` of the module multiprocessing.spawn, which every start method but fork uses."""
    original = vars(spawn)["get_preparation_data"]

    @functools.wraps(original)
    def get_preparation_data(name: str) -> dict[str, Any]:
        data = original(name)
        if name == "ignore":
            # For the fork server itself, which has no hook and so must not import the main module ahead of its children
            return {key: value for key, value in data.items() if not key.startswith("init_main")}
        return {"flambeau": _InstallHook(), **data}

    setattr(spawn, "get_preparation_data", get_preparation_data)
