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

from ..runtime.specialization import Specialization
from ..runtime.trace import SCALAR_TYPES, Value, flush, trace
from .autocast import active as autocasts
from .grad_mode import mode
from .node import NAMES as NODE_NAMES, node_text
from .strides import is_permuted
from .tensor import DENSE, make_tensor

STATIC, TENSOR, SCALAR, TENSORS = range(4)  # kinds of parameters: see `op`

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
"""
_TENSOR = "if a{i}.__class__ not in dense:\n    return general(*args)\n" + _READ
_SCALAR = "if a{i}.__class__ in dense:\n" + indent(_READ, " " * 4) + """
    t{i}, n{i} = v{i}.type, a{i}._node is not None
elif a{i}.__class__ in scalar_types:
    v{i}, t{i}, n{i} = a{i}, scalar_types[a{i}.__class__], False
else:
    return general(*args)
"""

_SEQUENCE = """
if a{i}.__class__ is not list and a{i}.__class__ is not tuple:
    return general(*args)
v{i}, n{i} = [], []
for x in a{i}:
    if x.__class__ not in dense:
        return general(*args)
    v = x._storage.value if x._view is None else x._value()
    if v.__class__ is not Value:
        return general(*args)
    v{i}.append(v)
    n{i}.append(x._node is not None)
t{i} = tuple([v.type for v in v{i}])
"""

_SLOT = "s{i} = v{i}.slot if v{i}.epoch == epoch else operand(v{i})\n"
_SCALAR_SLOT = "if v{i}.__class__ is Value:\n    " + _SLOT + "else:\n    s{i} = len(slots)\n    slots.append(v{i})\n"
_SEQUENCE_SLOT = "s{i} = [v.slot if v.epoch == epoch else operand(v) for v in v{i}]\n"

# what is written for a parameter of each kind
_ONE = {"tensor": "a{i}, ", "value": "v{i}, ", "place": "s{i}, "}
_TEXTS: dict[int, dict[str, str]] = {
    STATIC: {"type": "a{i}, "},
    TENSOR: {**_ONE, "read": _TENSOR, "type": "v{i}.type, ", "need": "a{i}._node is not None, ", "slot": _SLOT,
             "permuted": "a{i}._view is not None and is_permuted(a{i}._view)"},
    SCALAR: {**_ONE, "read": _SCALAR, "type": "t{i}, ", "need": "n{i}, ", "slot": _SCALAR_SLOT,
             "permuted": "a{i}.__class__ in dense and a{i}._view is not None and is_permuted(a{i}._view)"},
    TENSORS: {"tensor": "*a{i}, ", "value": "*v{i}, ", "place": "*s{i}, ", "read": _SEQUENCE, "type": "t{i}, ", "need": "*n{i}, ",
              "slot": _SEQUENCE_SLOT, "permuted": "any([x._view is not None and is_permuted(x._view) for x in a{i}])"},
}

_CHECK = """
if trace.capture is None:  # else the program has to find out, each time
    check({arguments})
if spec.fallible:
    trace.mark()
"""

# As `record` in runtime/trace.py does it for a list of operands, and then the node as `op.apply` makes it.
_CALL = """
key = ({types}mode.enabled, {needs})
try:
    route = routes.get(key)
except TypeError:  # an unhashable static argument
    return general(*args)
if route is None:
    routes[key] = route_of(specializations.get(({types})), mode.enabled, ({needs}))
    return general(*args)
spec, call, gradient, finish, follows = route
if spec is None or follows and ({any_permuted}):
    return general(*args)
{check}
acquire()
try:
    epoch, slots = trace.epoch, trace.slots
{slots}
    return finish(call, gradient, (call, {places}), {tensors}{operands})
finally:
    release()
"""

# As `append_call` in runtime/trace.py does it for any call, and then what `op.apply` makes of the results.
_FINISH = """
def finish(call, gradient, entry, {arguments}):
    trace.records.append(entry)
    epoch, slots, ({types}) = trace.epoch, trace.slots, call.out_types
    slot = len(slots)
{results}
    slots += ({values})
    trace.pending += ({values})
    room = trace.room = trace.room - call.cost
    if room <= 0:
        flush()
"""
_RESULT = """
    r{i} = new(Value)
    r{i}.type = t{i}
    r{i}.buffer = r{i}.pinned = None
    r{i}.epoch = epoch
    r{i}.slot = slot + {i}
"""


@lru_cache(maxsize=None)
def _finish(n_operands: int, n_results: int) -> Callable:
    """The end of a call that has no gradient: (what is recorded, None, its entry, tensors…, operands…) → its tensor."""
    return _finisher(n_operands, n_results, "    return make_tensor(r0)\n")


@lru_cache(maxsize=None)
def _finish_with_node(wrt: tuple[int, ...], saved: tuple[int, ...], watched: tuple[int, ...], n_operands: int, n_results: int,
                      watches_result: bool) -> Callable:
    """The end of a call that has one: its tensor has a node. See `node_text`."""
    end = indent(node_text(wrt, saved, watched, n_operands), " " * 4) + "    out = make_tensor(r0, node)\n"
    if watches_result:
        end += "    node.watched.append((out._storage, 0))\n"
    return _finisher(n_operands, n_results, end + "    return out\n")


def _finisher(n_operands: int, n_results: int, end: str) -> Callable:
    def each(letter: str, n: int) -> str:
        return "".join(f"{letter}{i}, " for i in range(n))
    text = _FINISH.format(arguments=each("a", n_operands) + each("v", n_operands), types=each("t", n_results), values=each("r", n_results),
                          results="".join(_RESULT.format(i=i) for i in range(n_results)))
    return FunctionType(_compiled(text + end), _FINISH_NAMES)


def _route_of(spec: Specialization | None, enabled: bool, needs: tuple[bool, ...]) -> tuple | None:
    """What a plain call of `spec` does: (spec or None where it takes the general way, what is recorded, its gradient or None, what
    does the rest, whether the result follows its operands' strides). None before there is a specialization."""
    if spec is None:
        return None
    if not spec.single:
        return None, None, None, None, False
    follows = spec.strides is not None
    n = len(spec.graph.inputs)
    if not (enabled and spec.can_differentiate and any(needs)):
        return spec, spec, None, _finish(n, len(spec.out_types)), follows
    gradient = spec.gradient(needs)
    n_results = len(gradient.forward.out_types)
    finish = _finish_with_node(gradient.wrt, gradient.saved_places, gradient.saved_inputs, n, n_results, bool(gradient.saved_outputs))
    return spec, gradient.forward, gradient, finish, follows


_NAMES = {"acquire": trace.lock.acquire, "autocasts": autocasts, "dense": DENSE, "is_permuted": is_permuted, "mode": mode, "operand": trace.operand,
          "release": trace.lock.release, "route_of": _route_of, "scalar_types": SCALAR_TYPES, "trace": trace, "Value": Value}
_FINISH_NAMES = {**NODE_NAMES, "flush": flush, "make_tensor": make_tensor, "trace": trace, "Value": Value}


def recorder(op: Any, general: Callable, tails: dict[int, tuple]) -> Callable:
    """The function that records plain calls of `op` and leaves others to `general`. tails: the defaults that complete so many
    positional arguments. It is `recorder` among its globals: whoever moves its code to another function says so there."""
    names: dict[str, Any] = {}
    function = names["recorder"] = FunctionType(_first_call(), names)

    def write_out() -> None:
        operands = [i for i, kind in enumerate(op.kinds) if kind != STATIC]
        may_lack = [i for i in operands if op.optional[i] or op.kinds[i] == SCALAR and op.defaults[i] is not inspect.Parameter.empty]
        lacking = {f"d{i}": op.defaults[i] if op.kinds[i] == SCALAR else None for i in may_lack}
        names.update(_NAMES, check=op.check, routes={}, general=general, tails=tails, specializations=op.specializations, **lacking)
        names["recorder"].__code__ = _code(op.kinds, tuple(may_lack), op.check is not None)
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
    def each(part: str, between: str = "") -> str:
        return between.join(_TEXTS[kinds[i]][part].format(i=i) for i in operands)
    types = "".join(_TEXTS[kinds[i] if i in operands else STATIC]["type"].format(i=i) for i in range(len(kinds)))
    check = _CHECK.format(arguments=", ".join(f"a{i}" for i in range(len(kinds)))) if checked else ""
    return each("read") + _CALL.format(types=types, needs=each("need"), any_permuted=each("permuted", " or ") or "False", check=check,
                                       slots=indent(each("slot"), " " * 4), places=each("place"), tensors=each("tensor"), operands=each("value"))
