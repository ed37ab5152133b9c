"""The user's additions to the allow-list of `weights_only=True`: `add_safe_globals` and its relatives."""
from __future__ import annotations

from typing import Any, Callable

from ._names import full_name

_user: dict[str, Any] = {}  # by full name in a file


def _named(item: Any) -> tuple[str, Any]:
    """(full name in a file, object) of an entry: a class or function, or (class or function, "module.name")."""
    if isinstance(item, tuple):
        if len(item) != 2 or not isinstance(item[1], str):
            raise ValueError(f"Expected item to be a tuple of (global, str path of the global), but got {item}")
        return item[1], item[0]
    if not hasattr(item, "__module__") or not hasattr(item, "__qualname__"):
        raise TypeError(f"expected a class, a function or a tuple (class or function, 'module.name'), got {item!r}")
    return full_name(item), item


def add_safe_globals(safe_globals: list[Callable | tuple[Callable, str]]) -> None:
    """Lets `load(weights_only=True)` use these classes and functions, for the rest of the program.

    safe_globals: classes or functions, each alone or as (object, "module.name as in the file"). Allow only what is
    safe to call with arguments of a stranger's choosing.
    """
    _user.update(_named(item) for item in safe_globals)


def get_safe_globals() -> list[Callable | tuple[Callable, str]]:
    """What has been added to the allow-list."""
    return [
        obj if getattr(obj, "__qualname__", None) and full_name(obj) == name else (obj, name)
        for name, obj in _user.items()
    ]


def clear_safe_globals() -> None:
    """Empties the list that `add_safe_globals` fills."""
    _user.clear()


class safe_globals:
    """Context manager: `add_safe_globals` for the block. `with safe_globals([MyClass]): torch.load(…)`."""

    def __init__(self, safe_globals: list[Callable | tuple[Callable, str]]):
        self.safe_globals = safe_globals
        self._before: dict[str, Any] = {}

    def __enter__(self) -> None:
        self._before = dict(_user)
        add_safe_globals(self.safe_globals)

    def __exit__(self, type: Any, value: Any, tb: Any) -> None:
        _user.clear()
        _user.update(self._before)


def allowed_by_user() -> dict[str, Any]:
    """What is allowed now, by full name."""
    return dict(_user)
