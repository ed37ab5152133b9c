"""The recorder's fast path: for each op a function, written out for the op's parameters, that records a plain call.

A call is plain when its arguments are dense tensors, numbers and static arguments of a signature that was seen before, and when
its parameters that may be left out are all given or all left out. Everything else (keywords, `out=`, autocast, tensors of other
classes) goes to the op's general function, which does the same for any call. What the loops of `op.apply` find out about each
argument at each call is known when the text is written: that halves the time.
"""
from __future__ import annotations

import inspect
from functools import lru_cache
from textwrap import indent
from types import CodeType, FunctionType
from typing import Any, Callable

from ..runtime.trace import SCALAR_TYPES, Value, append_call, trace
from .autocast import active as autocasts
from .grad_mode import mode
from .node import node_maker
from .strides import is_permuted
from .tensor import DENSE, make_tensor

STATIC, TENSOR, SCALAR, TENSORS = range(4)  # kinds of parameters: see `op`

_NAMES = {"append_call": append_call, "autocasts": autocasts, "dense": DENSE, "is_permuted": is_permuted, "make_tensor": make_tensor,
          "mode": mode, "node_maker": node_maker, "scalar_types": SCALAR_TYPES, "trace": trace, "Value": Value}

_HEAD = """
def recorder(*args, **kwargs):
    if kwargs or autocasts:
        return general(*args, **kwargs)
    tail = tails.get(len(args))
    if tail is None:
        return general(*args)
    {arguments} = args + tail
"""

_READ = """
v{i} = a{i}._storage.value if a{i}._view is None else a{i}._value()
if v{i}.__class__ is not Value:
    return general(*args)
t{i}, n{i} = v{i}.type, a{i}._node is not None
"""
_TENSOR = "if a{i}.__class__ not in dense:\n    return general(*args)\n" + _READ
_SCALAR = "if a{i}.__class__ in dense:\n" + indent(_READ, " " * 4) + """
elif a{i}.__class__ in scalar_types:
    v{i}, t{i}, n{i} = a{i}, scalar_types[a{i}.__class__], False
else:
    return general(*args)
"""

_SLOT = "s{i} = v{i}.slot if v{i}.epoch == epoch else trace.operand(v{i})\n"
_SCALAR_SLOT = "if v{i}.__class__ is Value:\n    " + _SLOT + "else:\n    s{i} = len(slots)\n    slots.append(v{i})\n"

_CHECK = """
if trace.capture is None:  # else the program has to find out, each time
    check({arguments})
if spec.fallible:
    trace.mark()
"""

# As `record` in runtime/trace.py does it for a list of operands, and then the node as `op.apply` makes it.
_CALL = """
try:
    spec = specializations.get({key})
except TypeError:  # an unhashable static argument
    spec = None
if spec is None or not spec.single or spec.strides is not None and ({any_permuted}):
    return general(*args)
{check}
call, gradient = spec, None
if ({any_need}) and spec.can_differentiate and mode.enabled:
    needs = {needs}
    gradient = spec.gradients.get(needs) or spec.gradient(needs)
    call = gradient.forward
trace.lock.acquire()
try:
    epoch, slots = trace.epoch, trace.slots
{slots}
    values = append_call(call, (call, {places}))
finally:
    trace.lock.release()
if gradient is None:
    return make_tensor(values[0])
node = (gradient.make_node or node_maker(gradient))(gradient, {tensors}, {operands}, values)
out = make_tensor(values[0], node)
if gradient.saved_outputs:
    node.watched.append((out._storage, 0))
return out
"""


def recorder(op: Any, general: Callable, tails: dict[int, tuple]) -> Callable:
    """The function that records plain calls of `op` and leaves others to `general`. tails: the defaults that complete so many
    positional arguments. op takes no sequences of tensors."""
    operands = [i for i, kind in enumerate(op.kinds) if kind != STATIC]
    may_lack = [i for i in operands if op.optional[i] or op.kinds[i] == SCALAR and op.defaults[i] is not inspect.Parameter.empty]
    lacking = {f"d{i}": op.defaults[i] if op.kinds[i] == SCALAR else None for i in may_lack}
    names = {**_NAMES, **lacking, "check": op.check, "general": general, "tails": tails, "specializations": op.specializations}
    function = names["recorder"] = FunctionType(_first_call(), names)

    def write_out() -> None:
        function.__code__ = _code(op.kinds, tuple(may_lack), op.check is not None)
    names["write_out"] = write_out
    return function


def _compiled(text: str) -> CodeType:
    """The code of the function in `text`, as a part of this file for tracebacks."""
    return next(c for c in compile(text, __file__, "exec").co_consts if isinstance(c, CodeType))


@lru_cache(maxsize=None)
def _first_call() -> CodeType:
    """Most ops are never called: a function's text is written at the first call."""
    return _compiled("def recorder(*args, **kwargs):\n    write_out()\n    return recorder(*args, **kwargs)\n")


@lru_cache(maxsize=None)
def _code(kinds: tuple[int, ...], may_lack: tuple[int, ...], checked: bool) -> CodeType:
    """What ops with such parameters share. may_lack: the operands that may be left out. checked: whether the op has a check."""
    operands = [i for i, kind in enumerate(kinds) if kind != STATIC]
    text = _HEAD.format(arguments="".join(f"a{i}, " for i in range(len(kinds))))
    if may_lack:
        text += f"    if {' and '.join(f'a{i} is d{i}' for i in may_lack)}:\n"
        text += indent(_call(kinds, [i for i in operands if i not in may_lack], checked), " " * 8)
        text += f"    if {' or '.join(f'a{i} is d{i}' for i in may_lack)}:\n        return general(*args)\n"
    return _compiled(text + indent(_call(kinds, operands, checked), " " * 4))


def _call(kinds: tuple[int, ...], operands: list[int], checked: bool) -> str:
    """The statements that record a call with the parameters numbered `operands` given, and return its tensor."""
    scalars = [i for i in operands if kinds[i] == SCALAR]
    reads = "".join((_SCALAR if i in scalars else _TENSOR).format(i=i) for i in operands)
    slots = "".join((_SCALAR_SLOT if i in scalars else _SLOT).format(i=i) for i in operands)

    def listed(letter: str) -> str:
        return "".join(f"{letter}{i}, " for i in operands)
    permuted = [("a{i}.__class__ in dense and " * (i in scalars) + "a{i}._view is not None and is_permuted(a{i}._view)").format(i=i)
                for i in operands]
    key = "".join(f"t{i}, " if i in operands else f"a{i}, " for i in range(len(kinds)))
    check = _CHECK.format(arguments=", ".join(f"a{i}" for i in range(len(kinds)))) if checked else ""
    return reads + _CALL.format(check=check, key=f"({key})", any_permuted=" or ".join(permuted) or "False",
                                any_need=" or ".join(f"n{i}" for i in operands) or "False", needs=f"({listed('n')})",
                                slots=indent(slots, " " * 4), places=listed("s"), tensors=f"({listed('a')})",
                                operands=f"({listed('v')})")
