"""A pickle virtual machine that runs no code: opcodes build plain Python data, everything else goes through a policy.

Comes in: the bytes of a pickle (any protocol, 0 to 5). Goes out: the object it describes. What a global, a call
(REDUCE, NEWOBJ, …), a state (BUILD) or a persistent id means is decided by a `Policy`; `_allowlist.py` has the one for
`weights_only=True`, `_describe.py` the one for `flambeau inspect`. The opcodes are those of Python's `pickletools`.

Time and memory stay within a constant times the length of the pickle, whatever the bytes are:
- lengths are checked against what is left before anything is read or allocated;
- copies that a short opcode can ask for again and again (a set of a memoized list, the hash of a memoized tuple)
  are paid from a budget (`spend`);
- dictionary keys are plain values, so no `__hash__` or `__eq__` of a file's choosing runs, and integers that
  collide on purpose are refused;
- nesting deeper than Python can print, and sharing that unfolds beyond any use, are refused (`check_shape_of`).
"""
from __future__ import annotations

import codecs
import pickletools
import struct
from collections import deque
from pickle import UnpicklingError
from typing import Any, Callable, Iterator, NoReturn

import numpy as np

BUDGET_PER_BYTE = 16
BUDGET_FREE = 1_000_000
KEY_NODES = 10_000  # elements of one (nested) tuple key
KEY_DEPTH = 100
DEPTH_LIMIT = 900  # below Python's own recursion limit: what is deeper can be neither printed, compared nor saved
UNFOLDED_LIMIT = 1 << 30  # leaves that printing the object would visit

# what opcodes raise when their operands make no sense; never shown as it is
MALFORMED = (LookupError, ValueError, TypeError, AttributeError, ArithmeticError, struct.error, RecursionError,
             MemoryError)
_KEY_LEAVES = frozenset({str, bytes, float, complex, bool, type(None), type(Ellipsis)})
_MARK = object()


class NotAllowed(UnpicklingError):
    """What a policy refuses because it could run code, as against what is malformed."""


class Policy:
    """What the opcodes that go beyond plain data mean. Every method raises NotAllowed for what it does not allow."""

    machine: PickleMachine

    def find_global(self, module: str, name: str) -> Any:
        """The object that stands for a named global."""
        raise NotAllowed(f"Unsupported global: GLOBAL {module}.{name}")

    def call(self, function: Any, args: tuple) -> Any:
        """REDUCE: function(*args)."""
        raise NotAllowed(f"Trying to call {function!r}")

    def new(self, cls: Any, args: tuple, kwargs: dict) -> Any:
        """NEWOBJ, NEWOBJ_EX, INST, OBJ: an instance of cls."""
        raise NotAllowed(f"Can not create new object for class {cls!r}")

    def build(self, instance: Any, state: Any) -> Any:
        """BUILD: gives `instance` its state; returns it."""
        raise NotAllowed(f"Can not build {type(instance)!r}")

    def persistent(self, pid: Any) -> Any:
        """The object that a persistent id stands for."""
        raise NotAllowed("this pickle holds a persistent id, and nothing here knows what it means")

    def extend(self, instance: Any, items: list) -> None:
        """APPENDS on anything but a list."""
        raise NotAllowed(f"Can only append to lists, but got {type(instance)}")

    def set_items(self, instance: Any, items: list) -> None:
        """SETITEMS (key, value, key, value, …) on anything but a dict."""
        raise NotAllowed(f"Can only set items of dicts, but got {type(instance)}")

    def is_key(self, obj: Any) -> bool:
        """Whether `obj`, not of a plain type, may be a dictionary key or set element (its hash must be harmless)."""
        return False

    def allows_class(self, cls: Any) -> bool:
        """Whether tensors of this class, which is not Tensor, may be made."""
        return False

    def children(self, obj: Any) -> list | None:
        """The parts of an object that is neither list, tuple, dict nor set, or None if it has none."""
        return None


class PickleMachine:
    """Runs one pickle that starts at `data[position]`; after `run`, `position` is behind its STOP.

    data: bytes or mmap. encoding, errors: how to decode the 8-bit strings of Python 2 ("bytes" keeps them).
    """

    def __init__(self, data: Any, policy: Policy, position: int = 0, *, encoding: str = "utf-8", errors: str = "strict",
                 end: int | None = None, free: int = BUDGET_FREE):
        self.data = data
        self.start = self.position = position
        self.end = len(data) if end is None else end
        self.policy = policy
        self.encoding, self.errors = encoding, errors
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.free, self.budget = free, 0
        self.fragile: list[Any] = []  # containers whose deallocation recurses in C without a limit: see `hold`
        policy.machine = self

    def run(self) -> Any:
        """The object. Raises UnpicklingError, or EOFError if the data end before the first opcode."""
        if self.position >= self.end:
            raise EOFError("Ran out of input: there is no pickle here, the file is empty or ends too early")
        self.budget = self.free + BUDGET_PER_BYTE * (self.end - self.start)
        try:
            result = self._loop()
            check_shape_of(result, self.policy)
        except UnpicklingError:
            self._dismantle()
            raise
        except MALFORMED as error:
            self._dismantle()
            what = f"{type(error).__name__}: {error}"
            raise UnpicklingError(f"malformed pickle at byte {self.position}: {what}") from error
        else:
            self.fragile.clear()
            return result
        finally:  # cut the circle of machine and policy, or what was loaded would live until the next collection
            self.stack.clear()
            self.memo.clear()
            del self.policy.machine

    def _loop(self) -> Any:
        data, end, handlers = self.data, self.end, HANDLERS
        while True:
            at = self.position
            if at >= end:
                raise UnpicklingError("pickle data was truncated")
            opcode = data[at]
            self.position = at + 1
            if opcode == _STOP:
                break
            handler = handlers[opcode]
            if handler is None:
                self._bad_opcode(opcode)
            handler(self)
        if len(self.stack) != 1 or self.stack[0] is _MARK:
            raise UnpicklingError("malformed pickle: STOP with more or less than one object on the stack")
        return self.stack.pop()

    def _bad_opcode(self, opcode: int) -> NoReturn:
        if self.position == self.start + 1:
            raise UnpicklingError(f"invalid load key, {_printable(opcode)}.")
        raise UnpicklingError(f"Unsupported operand {opcode}: not an opcode of pickle that data needs")

    # ------------------------------------------------------------------ budgets

    def spend(self, n: int) -> None:
        """Pays for n elements or bytes that a policy is going to copy."""
        self.budget -= n
        if self.budget < 0:
            raise UnpicklingError("refused: this pickle copies the same data again and again (a bomb)")

    def hold(self, container: Any) -> Any:
        """Registers a container that is freed by unlimited C recursion: those of a refused file are taken apart."""
        self.fragile.append(container)
        return container

    def _dismantle(self) -> None:
        for container in self.fragile:
            if isinstance(container, np.ndarray):
                container.fill(None)
            else:
                container.clear()
        self.fragile.clear()

    def check_key(self, key: Any) -> Any:
        """Returns `key` if hashing and comparing it is harmless."""
        t = type(key)
        if t in _KEY_LEAVES:
            return key
        if t is int:
            if -(1 << 64) < key < 1 << 64:
                return key
            raise UnpicklingError("refused: an integer of more than 64 bits as a dictionary key")
        if t is tuple or t is frozenset:
            self.spend(self._key_nodes(key))
            return key
        if self.policy.is_key(key):
            return key
        raise UnpicklingError(f"refused: an object of {t} as a dictionary key or set element")

    def _key_nodes(self, key: Any) -> int:
        """How many elements hashing a nested tuple visits; shared parts count each time, as they do for the hash."""
        nodes = 0
        pending = [(key, 1)]
        while pending:
            item, depth = pending.pop()
            nodes += 1
            if nodes > KEY_NODES or depth > KEY_DEPTH:
                raise UnpicklingError("refused: a dictionary key with too many or too deeply nested parts")
            if type(item) is tuple or type(item) is frozenset:
                pending.extend((part, depth + 1) for part in item)
            else:
                self.check_key(item)
        return nodes

    # ------------------------------------------------------------------ reading

    def read(self, n: int) -> bytes:
        at = self.position
        if n > self.end - at:
            raise UnpicklingError("pickle data was truncated")
        self.position = at + n
        return self.data[at:at + n]

    def line(self) -> bytes:
        at = self.position
        stop = self.data.find(b"\n", at, self.end)
        if stop < 0:
            raise UnpicklingError("pickle data was truncated")
        self.position = stop + 1
        return self.data[at:stop]

    def number(self, layout: struct.Struct) -> int:
        return layout.unpack(self.read(layout.size))[0]

    def pop_mark(self) -> list:
        """The objects above the last mark, which go off the stack with it."""
        stack = self.stack
        for i in range(len(stack) - 1, -1, -1):
            if stack[i] is _MARK:
                items = stack[i + 1:]
                del stack[i:]
                return items
        raise UnpicklingError("malformed pickle: no mark on the stack")

    def pop(self) -> Any:
        obj = self.stack.pop()
        if obj is _MARK:
            raise UnpicklingError("malformed pickle: a mark where an object belongs")
        return obj

    def top(self) -> Any:
        obj = self.stack[-1]
        if obj is _MARK:
            raise UnpicklingError("malformed pickle: a mark where an object belongs")
        return obj

    def decode(self, raw: bytes) -> Any:
        """An 8-bit string of Python 2."""
        return raw if self.encoding == "bytes" else raw.decode(self.encoding, self.errors)

    def text_argument(self, raw: bytes) -> str:
        return raw.decode("utf-8", "surrogatepass")


_I1, _U2, _I4, _U4, _U8, _F8 = (struct.Struct(c) for c in ("<B", "<H", "<i", "<I", "<Q", ">d"))
HANDLERS: list[Callable[[PickleMachine], None] | None] = [None] * 256
_OPCODES = {op.name: ord(op.code) for op in pickletools.opcodes}
_STOP = _OPCODES["STOP"]


def _printable(byte: int) -> str:
    return repr(chr(byte)) if 32 <= byte < 127 else f"'\\x{byte:02x}'"


def _handles(*names: str):
    def register(function: Callable[[PickleMachine], None]):
        for name in names:
            HANDLERS[_OPCODES[name]] = function
        return function
    return register


def _pushes(name: str, value: Callable[[PickleMachine], Any]) -> None:
    def handler(m: PickleMachine) -> None:
        m.stack.append(value(m))
    HANDLERS[_OPCODES[name]] = handler


# ------------------------------------------------------------------ constants, numbers, strings

_pushes("NONE", lambda m: None)
_pushes("NEWTRUE", lambda m: True)
_pushes("NEWFALSE", lambda m: False)
_pushes("BININT", lambda m: m.number(_I4))
_pushes("BININT1", lambda m: m.read(1)[0])
_pushes("BININT2", lambda m: m.number(_U2))
_pushes("BINFLOAT", lambda m: m.number(_F8))
_pushes("FLOAT", lambda m: float(m.line()))
_pushes("LONG1", lambda m: int.from_bytes(m.read(m.read(1)[0]), "little", signed=True))
_pushes("LONG4", lambda m: int.from_bytes(m.read(_not_negative(m.number(_I4))), "little", signed=True))
_pushes("LONG", lambda m: int(m.line().rstrip(b"L")))  # more than 4300 digits: ValueError, Python's own guard
_pushes("INT", lambda m: _int_or_bool(m.line()))
_pushes("UNICODE", lambda m: m.line().decode("raw-unicode-escape"))
_pushes("BINUNICODE", lambda m: m.text_argument(m.read(m.number(_U4))))
_pushes("SHORT_BINUNICODE", lambda m: m.text_argument(m.read(m.read(1)[0])))
_pushes("BINUNICODE8", lambda m: m.text_argument(m.read(m.number(_U8))))
_pushes("BINBYTES", lambda m: m.read(m.number(_U4)))
_pushes("SHORT_BINBYTES", lambda m: m.read(m.read(1)[0]))
_pushes("BINBYTES8", lambda m: m.read(m.number(_U8)))
_pushes("BYTEARRAY8", lambda m: bytearray(m.read(m.number(_U8))))
_pushes("BINSTRING", lambda m: m.decode(m.read(_not_negative(m.number(_I4)))))
_pushes("SHORT_BINSTRING", lambda m: m.decode(m.read(m.read(1)[0])))
_pushes("STRING", lambda m: m.decode(_unquoted(m.line())))


def _not_negative(n: int) -> int:
    if n < 0:
        raise UnpicklingError("malformed pickle: a negative length")
    return n


def _int_or_bool(line: bytes) -> int:
    return {b"00": False, b"01": True}.get(line) if line in (b"00", b"01") else int(line)  # type: ignore[return-value]


def _unquoted(line: bytes) -> bytes:
    if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in b"'\"":
        raise UnpicklingError("the STRING opcode argument must be quoted")
    return codecs.escape_decode(line[1:-1])[0]  # type: ignore[attr-defined]


# ------------------------------------------------------------------ stack and memo

@_handles("MARK")
def _mark(m: PickleMachine) -> None:
    m.stack.append(_MARK)


@_handles("POP")
def _pop(m: PickleMachine) -> None:
    m.stack.pop()


@_handles("POP_MARK")
def _pop_mark(m: PickleMachine) -> None:
    m.pop_mark()


@_handles("DUP")
def _dup(m: PickleMachine) -> None:
    m.stack.append(m.top())


@_handles("PUT")
def _put(m: PickleMachine) -> None:
    m.memo[_not_negative(int(m.line()))] = m.top()


@_handles("BINPUT")
def _binput(m: PickleMachine) -> None:
    m.memo[m.read(1)[0]] = m.top()


@_handles("LONG_BINPUT")
def _long_binput(m: PickleMachine) -> None:
    m.memo[m.number(_U4)] = m.top()


@_handles("MEMOIZE")
def _memoize(m: PickleMachine) -> None:
    m.memo[len(m.memo)] = m.top()


_pushes("GET", lambda m: m.memo[int(m.line())])
_pushes("BINGET", lambda m: m.memo[m.read(1)[0]])
_pushes("LONG_BINGET", lambda m: m.memo[m.number(_U4)])


@_handles("PROTO")
def _proto(m: PickleMachine) -> None:
    protocol = m.read(1)[0]
    if protocol > 5:
        raise UnpicklingError(f"unsupported pickle protocol: {protocol}")


@_handles("FRAME")
def _frame(m: PickleMachine) -> None:
    if m.number(_U8) > m.end - m.position:
        raise UnpicklingError("pickle data was truncated")


# ------------------------------------------------------------------ containers

_pushes("EMPTY_LIST", lambda m: [])
_pushes("EMPTY_TUPLE", lambda m: ())
_pushes("EMPTY_DICT", lambda m: {})
_pushes("EMPTY_SET", lambda m: set())
_pushes("LIST", lambda m: m.pop_mark())
_pushes("TUPLE", lambda m: tuple(m.pop_mark()))
_pushes("FROZENSET", lambda m: frozenset(m.check_key(k) for k in m.pop_mark()))
_pushes("TUPLE1", lambda m: (m.pop(),))
_pushes("TUPLE2", lambda m: (m.pop(), m.pop())[::-1])
_pushes("TUPLE3", lambda m: (m.pop(), m.pop(), m.pop())[::-1])


@_handles("DICT")
def _dict(m: PickleMachine) -> None:
    result: dict = {}
    _set_items(m, result, m.pop_mark())
    m.stack.append(result)


@_handles("APPEND")
def _append(m: PickleMachine) -> None:
    item = m.pop()
    _extend(m, m.top(), [item])


@_handles("APPENDS")
def _appends(m: PickleMachine) -> None:
    items = m.pop_mark()
    _extend(m, m.top(), items)


def _extend(m: PickleMachine, target: Any, items: list) -> None:
    if type(target) is list:
        target.extend(items)
    else:
        m.policy.extend(target, items)


@_handles("SETITEM")
def _setitem(m: PickleMachine) -> None:
    value, key = m.pop(), m.pop()
    _set_items(m, m.top(), [key, value])


@_handles("SETITEMS")
def _setitems(m: PickleMachine) -> None:
    items = m.pop_mark()
    _set_items(m, m.top(), items)


def _set_items(m: PickleMachine, target: Any, items: list) -> None:
    if len(items) % 2:
        raise UnpicklingError("malformed pickle: a key without a value")
    if type(target) is dict:
        for i in range(0, len(items), 2):
            target[m.check_key(items[i])] = items[i + 1]
    else:
        m.policy.set_items(target, items)


@_handles("ADDITEMS")
def _additems(m: PickleMachine) -> None:
    items = m.pop_mark()
    target = m.top()
    if type(target) is not set:
        raise UnpicklingError(f"Can only add items to sets, but got {type(target)}")
    target.update(m.check_key(item) for item in items)


# ------------------------------------------------------------------ what the policy decides

@_handles("GLOBAL")
def _global(m: PickleMachine) -> None:
    module = m.text_argument(m.line())
    name = m.text_argument(m.line())
    m.stack.append(m.policy.find_global(module, name))


@_handles("STACK_GLOBAL")
def _stack_global(m: PickleMachine) -> None:
    name, module = m.pop(), m.pop()
    if type(name) is not str or type(module) is not str:
        raise UnpicklingError("STACK_GLOBAL requires str")
    m.stack.append(m.policy.find_global(module, name))


@_handles("REDUCE")
def _reduce(m: PickleMachine) -> None:
    args, function = m.pop(), m.pop()
    m.stack.append(m.policy.call(function, _arguments(args)))


@_handles("NEWOBJ")
def _newobj(m: PickleMachine) -> None:
    args, cls = m.pop(), m.pop()
    m.stack.append(m.policy.new(cls, _arguments(args), {}))


@_handles("NEWOBJ_EX")
def _newobj_ex(m: PickleMachine) -> None:
    kwargs, args, cls = m.pop(), m.pop(), m.pop()
    if type(kwargs) is not dict or not all(type(k) is str for k in kwargs):
        raise UnpicklingError("malformed pickle: keyword arguments must be a dict of names")
    m.stack.append(m.policy.new(cls, _arguments(args), kwargs))


@_handles("INST")
def _inst(m: PickleMachine) -> None:
    module = m.text_argument(m.line())
    name = m.text_argument(m.line())
    args = tuple(m.pop_mark())
    m.stack.append(m.policy.new(m.policy.find_global(module, name), args, {}))


@_handles("OBJ")
def _obj(m: PickleMachine) -> None:
    cls, *args = m.pop_mark()
    m.stack.append(m.policy.new(cls, tuple(args), {}))


def _arguments(args: Any) -> tuple:
    if type(args) is not tuple:
        raise UnpicklingError("malformed pickle: the arguments of a call must be a tuple")
    return args


@_handles("BUILD")
def _build(m: PickleMachine) -> None:
    state = m.pop()
    m.stack.append(m.policy.build(m.pop(), state))


@_handles("BINPERSID")
def _binpersid(m: PickleMachine) -> None:
    m.stack.append(m.policy.persistent(m.pop()))


@_handles("PERSID")
def _persid(m: PickleMachine) -> None:
    m.stack.append(m.policy.persistent(m.line().decode("ascii")))


# EXT1, EXT2, EXT4 name entries of the process's copyreg registry, NEXT_BUFFER and READONLY_BUFFER data outside the
# pickle: no file that stands alone has either, so they stay without a handler.


# ------------------------------------------------------------------ the finished object

def _parts(obj: Any, policy: Policy) -> Iterator[Any] | None:
    """An iterator over what a container holds, or None for a leaf."""
    if isinstance(obj, (list, tuple, set, frozenset, deque)):
        return iter(obj)
    if isinstance(obj, dict):
        return _keys_and_values(obj)
    parts = policy.children(obj)
    return None if parts is None else iter(parts)


def _keys_and_values(d: dict) -> Iterator[Any]:
    for key, value in d.items():
        if type(key) is tuple:
            yield key
        yield value


_PLAIN = (str, int, float, bool, type(None), bytes)


def check_shape_of(obj: Any, policy: Policy) -> None:
    """Refuses what nests deeper than DEPTH_LIMIT or unfolds, shared parts counted each time, to over UNFOLDED_LIMIT.

    One pass in depth-first post-order: `unfolded[id]` is how many leaves an object that is done would print, `height`
    how deep it is. Cycles are legal; an edge back to an object in progress ends there.
    """
    unfolded: dict[int, int] = {}
    height: dict[int, int] = {}
    root = _parts(obj, policy)
    if root is None:
        return
    path: list[tuple[Any, Iterator[Any]]] = [(obj, root)]
    keep = [obj]  # ids stay unique while the objects live
    unfolded[id(obj)], height[id(obj)] = 1, 1
    while path:
        parent, parts = path[-1]
        key = id(parent)
        for part in parts:
            if type(part) in _PLAIN:
                unfolded[key] += 1
                continue
            if id(part) in unfolded:  # seen: done, or in progress (a cycle)
                unfolded[key] += unfolded[id(part)]
                height[key] = max(height[key], height[id(part)] + 1)
                continue
            inner = _parts(part, policy)
            if inner is None:
                unfolded[key] += 1
                continue
            keep.append(part)
            unfolded[id(part)], height[id(part)] = 1, 1
            path.append((part, inner))
            break
        else:
            path.pop()
            if path:
                above = id(path[-1][0])
                unfolded[above] += unfolded[key]
                height[above] = max(height[above], height[key] + 1)
        if len(path) > DEPTH_LIMIT or height[key] > DEPTH_LIMIT:
            raise UnpicklingError(f"refused: objects nested more than {DEPTH_LIMIT} deep")
        if unfolded[key] > UNFOLDED_LIMIT:
            raise UnpicklingError("refused: shared objects that unfold to more than 2**30 parts (a bomb)")
