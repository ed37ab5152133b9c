"""LLVM's IR as text: types, constants, functions, and a builder that writes a line for each instruction.

Names and calls are those of `llvmlite.ir`, which builds a tree of objects first. A training step's kernels are some hundred
thousand instructions; written at once they take a fifth of the time, and leave nothing to the garbage collector.
"""
from __future__ import annotations

import struct
from contextlib import contextmanager
from typing import Any, ContextManager, Iterator, Sequence

# ------------------------------------------------------------------ types


class Type:
    """A type. Equal types are one object."""

    __slots__ = ("text",)
    _made: dict[Any, Any] = {}

    def __init__(self, text: str):
        self.text = text

    def __str__(self) -> str:
        return self.text

    def __call__(self, value: object) -> Constant:
        return Constant(self, value)

    def constant(self, value: Any) -> str:
        """How a constant of this type is written."""
        raise TypeError(f"{self} has no constants")


class _Named(Type):
    """The one type that is called so."""

    __slots__ = ()
    name = ""

    def __new__(cls) -> _Named:
        return Type._made.setdefault(cls, super().__new__(cls))

    def __init__(self) -> None:
        super().__init__(self.name)


class VoidType(_Named):
    __slots__ = ()
    name = "void"


class PointerType(_Named):
    __slots__ = ()
    name = "ptr"


class IntType(Type):
    __slots__ = ("width",)

    def __new__(cls, width: int) -> IntType:
        return Type._made.setdefault((cls, width), super().__new__(cls))

    def __init__(self, width: int):
        super().__init__(f"i{width}")
        self.width = width

    def constant(self, value: Any) -> str:
        return str(int(value))


class _Float(_Named):
    __slots__ = ()
    packed = ""

    def constant(self, value: Any) -> str:
        """The bits of the double that equals the value, rounded to this type."""
        rounded, = struct.unpack(self.packed, struct.pack(self.packed, value))
        return f"0x{struct.unpack('Q', struct.pack('d', rounded))[0]:x}"


class HalfType(_Float):
    __slots__ = ()
    name, packed = "half", "e"


class FloatType(_Float):
    __slots__ = ()
    name, packed = "float", "f"


class DoubleType(_Float):
    __slots__ = ()
    name, packed = "double", "d"


class VectorType(Type):
    __slots__ = ("element", "count")

    def __new__(cls, element: Type, count: int) -> VectorType:
        return Type._made.setdefault((cls, element, count), super().__new__(cls))

    def __init__(self, element: Type, count: int):
        super().__init__(f"<{count} x {element}>")
        self.element, self.count = element, count

    def constant(self, value: Any) -> str:
        """value: its elements, as numbers or constants."""
        assert len(value) == self.count
        before = f"{self.element.text} "
        return f"<{', '.join([before + (x.text if isinstance(x, Constant) else self.element.constant(x)) for x in value])}>"


class StructType(Type):
    """What `cmpxchg` returns."""

    __slots__ = ("elements",)

    def __new__(cls, elements: tuple[Type, ...]) -> StructType:
        return Type._made.setdefault((cls, elements), super().__new__(cls))

    def __init__(self, elements: tuple[Type, ...]):
        super().__init__(f"{{{', '.join(map(str, elements))}}}")
        self.elements = elements


class FunctionType:
    """The type of a function, as it is called. var_arg: it takes more arguments than `args`."""

    __slots__ = ("result", "args", "var_arg", "called")

    def __init__(self, result: Type, args: Sequence[Type], var_arg: bool = False):
        self.result, self.args, self.var_arg = result, tuple(args), var_arg
        self.called = f"{result} ({', '.join([*map(str, args), '...'])})" if var_arg else str(result)


# ------------------------------------------------------------------ values


class Value:
    """Something an instruction can take. text: how it is referred to."""

    __slots__ = ("type", "text")

    def __init__(self, type: Type, text: str):
        self.type, self.text = type, text

    @property
    def typed(self) -> str:
        return f"{self.type.text} {self.text}"


class Constant(Value):
    __slots__ = ()

    def __init__(self, type: Type, value: object):
        super().__init__(type, type.constant(value))


class Phi(Value):
    """A phi, whose operands come later."""

    __slots__ = ("incoming",)

    def __init__(self, type: Type, text: str):
        super().__init__(type, text)
        self.incoming: list[str] = []

    def add_incoming(self, value: Value, block: Block) -> None:
        self.incoming.append(f"[{value.text}, {block.text}]")

    def __str__(self) -> str:
        return f"  {self.text} = phi {self.type.text} {', '.join(self.incoming)}"


class Block:
    """A basic block. lines: its instructions."""

    __slots__ = ("name", "text", "lines", "is_terminated")

    def __init__(self, name: str):
        self.name, self.text = name, f'%"{name}"'
        self.lines: list[str | Phi] = []
        self.is_terminated = False

    def __str__(self) -> str:
        return "\n".join([f'"{self.name}":', *map(str, self.lines)])


class Function(Value):
    """A function of `module`: a declaration until it has blocks. linkage: "" or "internal". noalias: pointer arguments do not overlap."""

    __slots__ = ("module", "function_type", "name", "args", "blocks", "linkage", "noalias", "nounwind", "_names")

    def __init__(self, module: Module, function_type: FunctionType, name: str):
        super().__init__(PointerType(), f'@"{name}"')
        assert name not in module.globals
        self.module, self.function_type, self.name = module, function_type, name
        self.args = [Value(t, f"%a{i}") for i, t in enumerate(function_type.args)]
        self.blocks: list[Block] = []
        self.linkage, self.noalias, self.nounwind = "", False, False
        self._names = 0
        module.globals[name] = self

    def number(self) -> int:
        """A number that no name in this function has."""
        self._names += 1
        return self._names

    def append_basic_block(self, name: str = "") -> Block:
        block = Block(f"{name}.{self.number()}")
        self.blocks.append(block)
        return block

    def __str__(self) -> str:
        noalias = " noalias" if self.noalias else ""
        args = [f"{a.type}{noalias if a.type is PointerType() else ''}{f' {a.text}' if self.blocks else ''}" for a in self.args]
        if self.function_type.var_arg:
            args.append("...")
        head = f"{f' {self.linkage}' if self.linkage else ''} {self.function_type.result} {self.text}({', '.join(args)})"
        head += " nounwind" if self.nounwind else ""
        return "\n".join([f"define{head} {{", *map(str, self.blocks), "}"]) if self.blocks else f"declare{head}"


class Module:
    """Functions by name, and metadata."""

    def __init__(self, name: str = ""):
        self.name, self.triple, self.data_layout = name, "", ""
        self.globals: dict[str, Function] = {}
        self.metadata: list[str] = []

    def number_of(self, metadata: str) -> int:
        """The number of a piece of metadata, which is added if it is new."""
        if metadata not in self.metadata:
            self.metadata.append(metadata)
        return self.metadata.index(metadata)

    def parts(self) -> dict[str, str]:
        """The text of its functions, declarations and metadata, by name."""
        texts = {name: str(function) for name, function in self.globals.items()}
        texts.update({f"!{i}": f"!{i} = !{{ {piece} }}" for i, piece in enumerate(self.metadata)})
        return texts

    def __str__(self) -> str:
        return "\n".join([f'; ModuleID = "{self.name}"', f'target triple = "{self.triple}"', f'target datalayout = "{self.data_layout}"',
                          *self.parts().values(), ""])


# ------------------------------------------------------------------ the builder

def _binary(opcode: str) -> Any:
    def write(self: IRBuilder, x: Value, y: Value, flags: Sequence[str] = ()) -> Value:
        words = f"{opcode} {' '.join(flags)}" if flags else opcode
        return self._value(x.type, f"{words} {x.type.text} {x.text}, {y.text}")
    return write


def _cast(opcode: str) -> Any:
    def write(self: IRBuilder, x: Value, to: Type) -> Value:
        return x if x.type is to else self._value(to, f"{opcode} {x.type.text} {x.text} to {to.text}")
    return write


_SIGNED = {"==": "eq", "!=": "ne", "<": "slt", "<=": "sle", ">": "sgt", ">=": "sge"}
_UNSIGNED = {"==": "eq", "!=": "ne", "<": "ult", "<=": "ule", ">": "ugt", ">=": "uge"}
_FLOAT = {"==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}


class IRBuilder:
    """Writes instructions at the end of a block."""

    def __init__(self, block: Block, function: Function):
        self.block, self.function = block, function
        self._lines = block.lines

    # ---------------------------------------------------------------- places

    def append_basic_block(self, name: str = "") -> Block:
        return self.function.append_basic_block(name)

    def position_at_end(self, block: Block) -> None:
        self.block, self._lines = block, block.lines

    @contextmanager
    def goto_block(self, block: Block) -> Iterator[None]:
        """Writes at the end of another block, before the instruction that leaves it."""
        before, leaves = self.block, [block.lines.pop()] if block.is_terminated else []
        self.position_at_end(block)
        yield
        block.lines += leaves
        self.position_at_end(before)

    def _value(self, t: Type, instruction: str) -> Value:
        function = self.function
        function._names = number = function._names + 1
        text = f"%v{number}"
        self._lines.append(f"  {text} = {instruction}")
        return Value(t, text)

    def _leave(self, instruction: str) -> None:
        assert not self.block.is_terminated
        self._lines.append(f"  {instruction}")
        self.block.is_terminated = True

    # ---------------------------------------------------------- control flow

    def branch(self, target: Block) -> None:
        self._leave(f"br label {target.text}")

    def cbranch(self, condition: Value, true: Block, false: Block, likely: bool | None = None) -> None:
        weights = ""
        if likely is not None:
            number = self.function.module.number_of(f'!"branch_weights", i32 {99 if likely else 1}, i32 {1 if likely else 99}')
            weights = f", !prof !{number}"
        self._leave(f"br i1 {condition.text}, label {true.text}, label {false.text}{weights}")

    def ret(self, value: Value) -> None:
        self._leave(f"ret {value.typed}")

    def ret_void(self) -> None:
        self._leave("ret void")

    def unreachable(self) -> None:
        self._leave("unreachable")

    @contextmanager
    def _inside(self, block: Block, after: Block) -> Iterator[None]:
        self.position_at_end(block)
        yield
        if not self.block.is_terminated:
            self.branch(after)

    @contextmanager
    def if_then(self, condition: Value, likely: bool | None = None) -> Iterator[None]:
        then, after = self.append_basic_block("if"), self.append_basic_block("endif")
        self.cbranch(condition, then, after, likely)
        with self._inside(then, after):
            yield
        self.position_at_end(after)

    @contextmanager
    def if_else(self, condition: Value, likely: bool | None = None) -> Iterator[tuple[ContextManager[None], ContextManager[None]]]:
        then, otherwise, after = (self.append_basic_block(name) for name in ("if", "else", "endif"))
        self.cbranch(condition, then, otherwise, likely)
        yield self._inside(then, after), self._inside(otherwise, after)
        self.position_at_end(after)

    def phi(self, t: Type) -> Phi:
        phi = Phi(t, f"%v{self.function.number()}")
        self._lines.append(phi)
        return phi

    def call(self, function: Value, args: Sequence[Value], function_type: FunctionType | None = None) -> Value:
        """Calls a function, or what a pointer to a function of this type points to."""
        t = function.function_type if isinstance(function, Function) else function_type
        assert t is not None
        call = f"call {t.called} {function.text}({', '.join([a.typed for a in args])})"
        if isinstance(t.result, VoidType):
            self._lines.append(f"  {call}")
            return Value(t.result, "")
        return self._value(t.result, call)

    # -------------------------------------------------------------- numbers

    add, sub, mul = _binary("add"), _binary("sub"), _binary("mul")
    udiv, sdiv, urem, srem = _binary("udiv"), _binary("sdiv"), _binary("urem"), _binary("srem")
    shl, lshr, ashr = _binary("shl"), _binary("lshr"), _binary("ashr")
    and_, or_, xor = _binary("and"), _binary("or"), _binary("xor")
    fadd, fsub, fmul, fdiv, frem = _binary("fadd"), _binary("fsub"), _binary("fmul"), _binary("fdiv"), _binary("frem")

    zext, sext, trunc, bitcast = _cast("zext"), _cast("sext"), _cast("trunc"), _cast("bitcast")
    fpext, fptrunc, fptosi, fptoui = _cast("fpext"), _cast("fptrunc"), _cast("fptosi"), _cast("fptoui")
    sitofp, uitofp, ptrtoint, inttoptr = _cast("sitofp"), _cast("uitofp"), _cast("ptrtoint"), _cast("inttoptr")

    def neg(self, x: Value) -> Value:
        return self.sub(_every(x.type, 0), x)

    def not_(self, x: Value) -> Value:
        return self.xor(x, _every(x.type, -1))

    def fneg(self, x: Value) -> Value:
        return self._value(x.type, f"fneg {x.typed}")

    def _compare(self, words: str, x: Value, y: Value) -> Value:
        t = VectorType(IntType(1), x.type.count) if isinstance(x.type, VectorType) else IntType(1)
        return self._value(t, f"{words} {x.type.text} {x.text}, {y.text}")

    def icmp_signed(self, op: str, x: Value, y: Value) -> Value:
        return self._compare(f"icmp {_SIGNED[op]}", x, y)

    def icmp_unsigned(self, op: str, x: Value, y: Value) -> Value:
        return self._compare(f"icmp {_UNSIGNED[op]}", x, y)

    def fcmp_ordered(self, op: str, x: Value, y: Value) -> Value:
        return self._compare(f"fcmp {'ord' if op == 'ord' else f'o{_FLOAT[op]}'}", x, y)

    def fcmp_unordered(self, op: str, x: Value, y: Value) -> Value:
        return self._compare(f"fcmp {'uno' if op == 'uno' else f'u{_FLOAT[op]}'}", x, y)

    def select(self, condition: Value, x: Value, y: Value) -> Value:
        return self._value(x.type, f"select {condition.typed}, {x.typed}, {y.typed}")

    # --------------------------------------------------------------- memory

    def alloca(self, t: Type, count: Value | None = None, align: int | None = None) -> Value:
        parts = [f"alloca {t}", *([count.typed] if count else []), *([f"align {align}"] if align else [])]
        return self._value(PointerType(), ", ".join(parts))

    def gep(self, pointer: Value, offset: Value, element: Type) -> Value:
        """The address `offset` elements after `pointer`, in the same object."""
        return self._value(pointer.type, f"getelementptr inbounds {element.text}, ptr {pointer.text}, {offset.typed}")

    def load(self, pointer: Value, t: Type, align: int) -> Value:
        return self._value(t, f"load {t.text}, ptr {pointer.text}, align {align}")

    def store(self, value: Value, pointer: Value, align: int) -> None:
        self._lines.append(f"  store {value.typed}, ptr {pointer.text}, align {align}")

    def load_atomic(self, pointer: Value, t: Type, order: str, align: int) -> Value:
        return self._value(t, f"load atomic {t}, ptr {pointer.text} {order}, align {align}")

    def store_atomic(self, value: Value, pointer: Value, order: str, align: int) -> None:
        self._lines.append(f"  store atomic {value.typed}, ptr {pointer.text} {order}, align {align}")

    def atomic_rmw(self, op: str, pointer: Value, value: Value, order: str) -> Value:
        return self._value(value.type, f"atomicrmw {op} ptr {pointer.text}, {value.typed} {order}")

    def cmpxchg(self, pointer: Value, expected: Value, value: Value, order: str, failing: str) -> Value:
        """(what was there, whether it was `expected` and is `value` now)."""
        return self._value(StructType((value.type, IntType(1))),
                           f"cmpxchg ptr {pointer.text}, {expected.typed}, {value.typed} {order} {failing}")

    # ------------------------------------------------- vectors and structures

    def extract_value(self, value: Value, index: int) -> Value:
        t = value.type
        assert isinstance(t, StructType)
        return self._value(t.elements[index], f"extractvalue {value.typed}, {index}")

    def extract_element(self, x: Value, index: Value) -> Value:
        assert isinstance(x.type, VectorType)
        return self._value(x.type.element, f"extractelement {x.typed}, {index.typed}")

    def insert_element(self, x: Value, value: Value, index: Value) -> Value:
        return self._value(x.type, f"insertelement {x.typed}, {value.typed}, {index.typed}")

    def shuffle_vector(self, x: Value, y: Value, lanes: Value) -> Value:
        assert isinstance(x.type, VectorType) and isinstance(lanes.type, VectorType)
        return self._value(VectorType(x.type.element, lanes.type.count), f"shufflevector {x.typed}, {y.typed}, {lanes.typed}")


def _every(t: Type, value: int) -> Constant:
    return Constant(t, [value] * t.count if isinstance(t, VectorType) else value)
