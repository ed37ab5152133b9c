"""Puts dispatchers into the public functions, methods and properties. Reading `names.py` first tells which they are."""
from __future__ import annotations

import functools
from types import CodeType, FunctionType
from typing import Any

from ..tensor.overriding import copied, inner_code, is_guarded, records, with_constants
from ..tensor.tensor import Tensor
from .dispatch import KEPT, PLAIN, PUBLIC, Entry
from .names import MODES_ONLY, OPERATORS, functions, methods, properties

# free: names of as many variables as there are in the closure of the function that this is for
_DISPATCHER = """
def scope({free}):
    def dispatcher(*args, **kwargs):
        entry = "entry"
        plain = "plain"
        for a in args:
            if a.__class__ not in plain:
                return entry.call(args, kwargs)
        if kwargs or entry.modes:
            return entry.call(args, kwargs)
        original = "original"
        return original(*args)
        {free}
"""


@functools.lru_cache(maxsize=None)
def _dispatcher(n_free: int) -> CodeType:
    text = _DISPATCHER.format(free="".join(f"free{i:02d}, " for i in range(n_free)))
    return inner_code(inner_code(compile(text, __file__, "exec")))


def install(function: FunctionType, public: Any, by_arguments: bool = True, is_operator: bool = False) -> None:
    """Makes `function` dispatch under the name of `public`. What it does itself goes on in another function."""
    original = function.__wrapped__ if is_guarded(function) else copied(function)  # type: ignore[attr-defined]
    if records(function):
        function.__globals__["recorder"] = original
    entry = Entry(public, original, by_arguments, is_operator)
    function.__code__ = with_constants(_dispatcher(len(function.__closure__ or ())), function.__code__.co_name, entry=entry, plain=PLAIN, original=original)
    function.__defaults__ = function.__kwdefaults__ = None
    function.__wrapped__ = original  # type: ignore[attr-defined]  # whose signature is shown
    PUBLIC.add(public)


def install_all() -> None:
    """Makes the whole surface dispatch."""
    done: set[int] = set()
    for name, method in methods():  # first: `torch.relu_` is a method, too
        if id(method) not in done:
            done.add(id(method))
            method.__name__ = name  # handlers show it
            install(method, getattr(Tensor, OPERATORS.get(name, name)), True, name in OPERATORS)
    for _, name, function in functions():
        if id(function) not in done:
            done.add(id(function))
            if function.__name__.startswith("_"):
                function.__name__ = name
            install(function, function, name not in MODES_ONLY)
    for name, attribute in properties():
        install(attribute.fget, attribute.__get__)  # type: ignore[arg-type]
        if attribute.fset is not None:
            install(attribute.fset, attribute.__set__)  # type: ignore[arg-type]
    KEPT.update(getattr(Tensor, name).__get__ for name in ("grad", "_base"))
