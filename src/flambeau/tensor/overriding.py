"""What `__torch_function__` needs of everybody: nothing at a call, and a way to notice its first use.

As long as no class or mode overrides functions, nothing is looked up at a call. The first instance of a subclass of Tensor (`adopt`), the
first mode, or the first argument that is no tensor but has `__torch_function__` puts dispatchers into all public functions
(`overrides/install.py`): into the functions themselves, by giving them other code, so that names that were bound before
(`from torch import mean`) dispatch, too. An argument that is no tensor is refused: by an op on its slow path, by other public functions
with some exception, which the guard around them sees.
"""
from __future__ import annotations

import functools
import sys
from inspect import CO_VARARGS, CO_VARKEYWORDS
from types import CodeType, FunctionType
from typing import Any, Callable

from .tensor import DENSE, Tensor

_GUARDS = {(__file__, "_guard")}  # (file, name) of the code that handles refusals
_state = {"installed": False}  # whether the public functions dispatch


def disabled(func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
    """What stands for `__torch_function__` in classes that do not override: runs func as if no argument did."""
    from ..overrides.dispatch import DisableTorchFunctionSubclass
    with DisableTorchFunctionSubclass():
        return func(*args, **(kwargs or {}))


def handler(kind: type) -> Any:
    """The `__torch_function__` by which arguments of this class override functions, or None."""
    found = None if kind is Tensor else getattr(kind, "__torch_function__", None)
    return None if found is disabled else found


def adopt(cls: type) -> None:
    """Prepares for instances of a subclass of Tensor."""
    if handler(cls) is None:
        return
    if hasattr(cls, "__torch_dispatch__"):
        raise TypeError(f"{cls.__name__} defines __torch_dispatch__, which is not available: below the public functions there is no "
                        "dispatcher whose operators could be overridden; __torch_function__ overrides the functions themselves")
    install()
    DENSE.add(cls)


def install() -> None:
    """Makes all public functions dispatch from now on."""
    if not _state["installed"]:
        from ..overrides.install import install_all
        _state["installed"] = True
        install_all()


def refused(args: tuple, kwargs: dict) -> bool:
    """For a function that cannot take its arguments: whether to call it once more, because now it dispatches to one of them."""
    if _state["installed"] or not any(_overrides(a) for a in (*args, *kwargs.values())) or _is_guarded(sys._getframe(2)):
        return False
    install()
    return True


def _overrides(x: Any) -> bool:
    return any(map(_overrides, x)) if x.__class__ in (list, tuple) else handler(type(x)) is not None


def _is_guarded(frame: Any) -> bool:
    """Whether the frame is below another public function, whose arguments are the ones to look at."""
    while frame is not None and (frame.f_code.co_filename, frame.f_code.co_name) not in _GUARDS:
        frame = frame.f_back
    return frame is not None


def handles_refusals(function: Any) -> Any:
    """Marks a function that asks `refused`."""
    _GUARDS.add((function.__code__.co_filename, function.__code__.co_name))
    return function


def handles_refusals_itself(function: FunctionType) -> bool:
    """Whether `function` is so marked."""
    return (function.__code__.co_filename, function.__code__.co_name) in _GUARDS


def with_constants(code: CodeType, name: str | None = None, **constants: Any) -> CodeType:
    """code with objects (hashable ones) in the place of string constants. name: what tracebacks show."""
    return code.replace(co_name=name or code.co_name, co_consts=tuple([constants.get(c, c) if c.__class__ is str else c for c in code.co_consts]))


def copied(function: FunctionType) -> FunctionType:
    """Another function with the same code."""
    copy = FunctionType(function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__)
    copy.__kwdefaults__, copy.__annotations__ = function.__kwdefaults__, function.__annotations__
    copy.__module__, copy.__qualname__, copy.__doc__ = function.__module__, function.__qualname__, function.__doc__
    copy.__dict__.update(function.__dict__)
    return copy


# The guard around a function, written out for its parameters at its first call: that costs a hundredth of what an op does.
_GUARD = """
def _guard({parameters}):
    original = "function"
    try:
        return original({passed})
    except Exception:
        args, kwargs = as_given(original, ({positional}), {rest}, {named})
        if not refused(args, kwargs):
            raise
    public = "public"
    return public(*args, **kwargs)
"""


def _first_call(*args, **kwargs):
    public = "public"
    public.__code__ = with_constants(_guard_of(public.__wrapped__.__code__), function=public.__wrapped__, public=public)
    return public(*args, **kwargs)


def _guard_of(code: CodeType) -> CodeType:
    n, n_all = code.co_argcount, code.co_argcount + code.co_kwonlyargcount
    names, by_name = code.co_varnames[:n], code.co_varnames[n:n_all]
    extra = list(code.co_varnames[n_all:])
    rest = extra.pop(0) if code.co_flags & CO_VARARGS else None
    named = extra.pop(0) if code.co_flags & CO_VARKEYWORDS else None
    return _guard_text(names, code.co_posonlyargcount, rest, by_name, named)


@functools.lru_cache(maxsize=None)
def _guard_text(names: tuple[str, ...], only_by_place: int, rest: str | None, by_name: tuple[str, ...], named: str | None) -> CodeType:
    slash, star, stars = ["/"] if only_by_place else [], ["*" + (rest or "")] if rest or by_name else [], ["**" + named] if named else []
    parameters = [*names[:only_by_place], *slash, *names[only_by_place:], *star, *by_name, *stars]
    keywords = [f"{name}={name}" for name in by_name] + stars
    text = _GUARD.format(parameters=", ".join(parameters), passed=", ".join([*names, *(["*" + rest] if rest else []), *keywords]),
                         positional="".join(name + ", " for name in names), rest=rest or "()", named=f"dict({', '.join(keywords)})")
    return inner_code(compile(text, __file__, "exec"))


def inner_code(code: CodeType) -> CodeType:
    """The code of the function that is defined in `code`."""
    return next(c for c in code.co_consts if isinstance(c, CodeType))


def as_given(function: FunctionType, positional: tuple, rest: tuple, named: dict) -> tuple[tuple, dict]:
    """(args, kwargs) of a call of `function` without those that are defaults."""
    defaults, by_name = function.__defaults__ or (), function.__kwdefaults__ or {}
    n = len(positional)
    if not rest:
        while n > len(positional) - len(defaults) and positional[n - 1] is defaults[n - 1 - len(positional)]:
            n -= 1
    return positional[:n] + rest, {name: a for name, a in named.items() if name not in by_name or a is not by_name[name]}


def guarded(function: FunctionType, module: str, name: str) -> FunctionType:
    """The public function for one that is no op: it calls `function` and handles refusals. module, name: where it is shown."""
    public: Any = FunctionType(_first_call.__code__, globals(), function.__name__, function.__defaults__)
    public.__kwdefaults__ = function.__kwdefaults__
    public.__dict__.update(function.__dict__, __wrapped__=function)
    public.__module__, public.__qualname__, public.__doc__, public.__annotations__ = module, name, function.__doc__, function.__annotations__
    public.__code__ = with_constants(_first_call.__code__, public=public)
    return public


def records(function: FunctionType) -> bool:
    """Whether `function` is an op's own: it has globals, in which it is called `recorder`."""
    return function.__globals__.get("recorder") is function


def is_guarded(function: FunctionType) -> bool:
    """Whether `function` is the guard around another one, which it has as `__wrapped__`."""
    return function.__globals__ is globals() and hasattr(function, "__wrapped__")


# where functions of tensors are defined, and those among them that PyTorch does not let be overridden
_ROOMS = tuple("flambeau." + room for room in ("ops.", "tensor.views", "tensor.attributes", "nn.functional.", "nn.init", "linalg", "fft",
                                               "special", "sparse."))
_NUMBERS = frozenset({"is_complex", "is_floating_point", "is_inference", "is_same_size", "is_signed", "numel"})  # of room `misc`
_NEVER = frozenset({"broadcast_shapes", "from_numpy", "from_file", "frombuffer", "calculate_gain"})
FACTORIES = frozenset({"arange", "as_tensor", "asarray", "bartlett_window", "blackman_window", "empty", "empty_permuted", "empty_strided", "eye",
                       "full", "hamming_window", "hann_window", "kaiser_window", "linspace", "logspace", "ones", "rand", "randint", "randn",
                       "randperm", "range", "scalar_tensor", "sparse_coo_tensor", "sparse_csr_tensor", "tensor", "tril_indices", "triu_indices",
                       "zeros"})


def is_overridable(name: str, value: Any) -> bool:
    """Whether what a module shows under this name is a function that modes or arguments may override."""
    if not isinstance(value, FunctionType) or name.startswith("_") or name in _NEVER:
        return False
    if hasattr(value, "op") or is_guarded(value) or name in _NUMBERS:
        return True
    rooms = value.__module__ or "", value.__globals__.get("__name__", "")  # a decorator's function has globals of another room
    return rooms[0].startswith(_ROOMS) or rooms[1].startswith(_ROOMS)


def guard(namespace: dict[str, Any], names: Any = None) -> None:
    """Puts guards around the functions in a module's names that are no ops' (nor factories, which no argument overrides)."""
    for name in list(namespace if names is None else names):
        value = namespace[name]
        if is_overridable(name, value) and not records(value) and name not in FACTORIES and not is_guarded(value):
            namespace[name] = guarded(value, namespace["__name__"], name)
