"""`Emitter`: writing LLVM IR the way one thinks of a kernel: loops, vectors, constants, masked loads and stores.

An `Emitter` adds to `ir.IRBuilder` what every kernel needs. Integers that are Python ints are
folded at once, so index arithmetic on static shapes costs no instruction.
"""
from __future__ import annotations

from contextlib import contextmanager
from typing import Iterator, Sequence, TypeAlias, Union

from . import ir
from .target import Target

I1, I8, I16, I32, I64 = (ir.IntType(n) for n in (1, 8, 16, 32, 64))
F16, F32, F64 = ir.HalfType(), ir.FloatType(), ir.DoubleType()
VOID, PTR = ir.VoidType(), ir.PointerType()
SIZES: dict[ir.Type, int] = {F16: 2, F32: 4, F64: 8, PTR: 8}  # bytes
SUFFIXES: dict[ir.Type, str] = {F16: "f16", F32: "f32", F64: "f64"}  # in the names of intrinsics

Value: TypeAlias = ir.Value
Index = Union[int, Value]


def vector(element: ir.Type, lanes: int) -> ir.Type:
    """<lanes x element>; one lane is a scalar."""
    return element if lanes == 1 else ir.VectorType(element, lanes)


def element_of(t: ir.Type) -> ir.Type:
    """The element type of a vector, or the type itself."""
    return t.element if isinstance(t, ir.VectorType) else t


def lanes_of(t: ir.Type) -> int:
    """Lanes of a vector type; 1 for a scalar."""
    return t.count if isinstance(t, ir.VectorType) else 1


def like(t: ir.Type, element: ir.Type) -> ir.Type:
    """A type of the same lanes as `t`, with another element."""
    return vector(element, lanes_of(t))


def itemsize(t: ir.Type) -> int:
    """Bytes of a scalar type in memory."""
    if isinstance(t, ir.IntType):
        return max(t.width // 8, 1)
    return SIZES[t]


def const(t: ir.Type, value: object) -> Value:
    """A constant scalar, or the vector that repeats it (or that holds the sequence `value`)."""
    if isinstance(t, ir.VectorType) and not isinstance(value, (list, tuple)):
        return ir.Constant(t, [ir.Constant(t.element, value)] * t.count)
    return ir.Constant(t, value)


def undefined(t: ir.Type) -> Value:
    """A value that may be anything, until parts of it are set."""
    return Value(t, "undef")


def new_module(target: Target, name: str = "kernels") -> ir.Module:
    """An empty module for this target."""
    module = ir.Module(name)
    module.triple = target.triple
    module.data_layout = target.data_layout
    return module


def declare(module: ir.Module, name: str, result: ir.Type, args: Sequence[ir.Type]) -> ir.Function:
    """The function of this name, declared in `module` when first asked for."""
    found = module.globals.get(name)
    return found if found is not None else ir.Function(module, ir.FunctionType(result, args), name)


class Emitter:
    """Writes into one function. `e.b` is the `ir.IRBuilder`, for what has no method here."""

    def __init__(self, function: ir.Function, target: Target):
        self.function = function
        self.module = function.module
        self.target = target
        self.b = ir.IRBuilder(function.append_basic_block("entry"), function)
        self._entry = self.b.block

    @classmethod
    def define(cls, module: ir.Module, target: Target, name: str, args: Sequence[ir.Type],
               result: ir.Type = VOID, noalias: bool = True, internal: bool = False) -> Emitter:
        """A new function. `noalias` promises that its pointer arguments do not overlap where one is written."""
        fn = ir.Function(module, ir.FunctionType(result, args), name)
        fn.nounwind, fn.noalias = True, noalias
        if internal:
            fn.linkage = "internal"
        return cls(fn, target)

    @property
    def args(self) -> Sequence[Value]:
        return self.function.args

    # -------------------------------------------------------------- integers

    def i64(self, value: Index) -> Value:
        """`value` as an i64 (a Python int becomes a constant)."""
        if isinstance(value, int):
            return ir.Constant(I64, value)
        return value if value.type == I64 else self.b.zext(value, I64)

    def add(self, x: Index, y: Index) -> Index:
        """x + y of indices."""
        if isinstance(x, int) and isinstance(y, int):
            return x + y
        if isinstance(x, int):
            x, y = y, x
        return x if isinstance(y, int) and y == 0 else self.b.add(x, self.i64(y), flags=["nsw"])

    def sub(self, x: Index, y: Index) -> Index:
        """x - y of indices."""
        if isinstance(x, int) and isinstance(y, int):
            return x - y
        return x if isinstance(y, int) and y == 0 else self.b.sub(self.i64(x), self.i64(y), flags=["nsw"])

    def mul(self, x: Index, y: Index) -> Index:
        """x * y of indices."""
        if isinstance(x, int) and isinstance(y, int):
            return x * y
        if isinstance(x, int):
            x, y = y, x
        if isinstance(y, int) and y in (0, 1):
            return x if y else 0
        return self.b.mul(x, self.i64(y), flags=["nsw"])

    def divmod(self, x: Index, y: int) -> tuple[Index, Index]:
        """(x // y, x % y) for x >= 0."""
        if isinstance(x, int):
            return divmod(x, y)
        if y == 1:
            return x, 0
        q = self.b.udiv(x, self.i64(y))
        return q, self.b.sub(x, self.b.mul(q, self.i64(y)))

    def min(self, x: Index, y: Index) -> Index:
        """The lesser of two signed indices."""
        if isinstance(x, int) and isinstance(y, int):
            return min(x, y)
        return self.intrinsic("smin", self.i64(x), self.i64(y))

    def unravel(self, index: Index, sizes: Sequence[int]) -> list[Index]:
        """The position with this row-major number in a box of these sizes."""
        at: list[Index] = []
        for n in reversed(sizes[1:]):
            index, r = self.divmod(index, n)
            at.append(r)
        return [index, *reversed(at)] if sizes else []

    # --------------------------------------------------------- control flow

    @contextmanager
    def loop(self, start: Index, stop: Index, step: int = 1, name: str = "i") -> Iterator[Index]:
        """`for i in range(start, stop, step)`. A loop known to run once is no loop."""
        if isinstance(start, int) and isinstance(stop, int) and start < stop <= start + step:
            yield start
            return
        b = self.b
        head, body, done = (b.append_basic_block(f"{name}.{part}") for part in ("head", "body", "done"))
        before = b.block
        start = self.i64(start)
        b.branch(head)
        b.position_at_end(head)
        i = b.phi(I64)
        i.add_incoming(start, before)
        b.cbranch(b.icmp_signed("<", i, self.i64(stop)), body, done)
        b.position_at_end(body)
        yield i
        i.add_incoming(b.add(i, self.i64(step), flags=["nsw"]), b.block)
        b.branch(head)
        b.position_at_end(done)

    @contextmanager
    def carried_loop(self, start: Index, stop: Index, values: Sequence[Value], name: str = "k",
                     step: int = 1) -> Iterator[tuple[Index, list[Value]]]:
        """A loop with values carried in registers: yields (i, list of values); the body stores the next values into
        the list, which holds the final ones after the loop. The loop runs at least once."""
        b = self.b
        body, done = b.append_basic_block(f"{name}.body"), b.append_basic_block(f"{name}.done")
        before = b.block
        b.branch(body)
        b.position_at_end(body)
        i = b.phi(I64)
        i.add_incoming(self.i64(start), before)
        phis: list[ir.Phi] = []
        for v in values:
            phi = b.phi(v.type)
            phi.add_incoming(v, before)
            phis.append(phi)
        state: list[Value] = list(phis)
        yield i, state
        following = b.add(i, self.i64(step), flags=["nsw"])
        latch = b.block
        i.add_incoming(following, latch)
        for phi, v in zip(phis, state):
            phi.add_incoming(v, latch)
        b.cbranch(b.icmp_signed("<", following, self.i64(stop)), body, done)
        b.position_at_end(done)

    @contextmanager
    def when(self, condition: Value, likely: bool | None = None) -> Iterator[None]:
        """`if condition:`"""
        with self.b.if_then(condition, likely):
            yield

    def alloca(self, t: ir.Type, count: int = 1, align: int | None = None) -> Value:
        """Stack space, made once at the function's entry."""
        with self.b.goto_block(self._entry):
            return self.b.alloca(t, I64(count) if count != 1 else None, align)

    def call_pointer(self, pointer: Value, function_type: ir.FunctionType, args: Sequence[Value]) -> Value:
        """Calls the function at an address."""
        return self.b.call(pointer, args, function_type)

    # --------------------------------------------------------------- memory

    def at(self, pointer: Value, offset: Index, element: ir.Type = I8) -> Value:
        """The address `offset` elements after `pointer`."""
        if isinstance(offset, int) and offset == 0:
            return pointer
        return self.b.gep(pointer, self.i64(offset), element)

    def load(self, pointer: Value, t: ir.Type, align: int | None = None) -> Value:
        """A scalar or vector at an address that is aligned to its element."""
        return self.b.load(pointer, t, align or itemsize(element_of(t)))

    def store(self, value: Value, pointer: Value, align: int | None = None) -> None:
        """Stores a scalar or vector at an address that is aligned to its element."""
        self.b.store(value, pointer, align or itemsize(element_of(value.type)))

    def _mask(self, lanes: int, count: Index) -> Value:
        """The first `count` of `lanes` lanes."""
        if isinstance(count, int):
            return const(vector(I1, lanes), [i < count for i in range(lanes)])
        ids = const(vector(I32, lanes), list(range(lanes)))
        return self.b.icmp_signed("<", ids, self.splat(self.b.trunc(count, I32), lanes))

    def load_some(self, pointer: Value, t: ir.Type, count: Index) -> Value:
        """The first `count` lanes of a vector, zeros in the others; memory beyond them is not touched."""
        if isinstance(count, int) and count >= lanes_of(t):
            return self.load(pointer, t)
        element, n = element_of(t), lanes_of(t)
        # this signature, with the alignment as an operand, is the one that every LLVM accepts
        fn = declare(self.module, f"llvm.masked.load.v{n}{_suffix(element)}.p0", t, [PTR, I32, vector(I1, n), t])
        zeros = const(t, zero_of(element))
        return self.b.call(fn, [pointer, I32(itemsize(element)), self._mask(n, count), zeros])

    def store_some(self, value: Value, pointer: Value, count: Index) -> None:
        """Stores the first `count` lanes."""
        t = value.type
        if isinstance(count, int) and count >= lanes_of(t):
            self.store(value, pointer)
            return
        element, n = element_of(t), lanes_of(t)
        fn = declare(self.module, f"llvm.masked.store.v{n}{_suffix(element)}.p0", VOID, [t, PTR, I32, vector(I1, n)])
        self.b.call(fn, [value, pointer, I32(itemsize(element)), self._mask(n, count)])

    def load_apart(self, pointer: Value, t: ir.Type, step: int) -> Value:
        """A vector of elements `step` apart, out of whole vectors; memory beyond the last one is not touched."""
        element, n = element_of(t), lanes_of(t)
        last = (n - 1) * step
        result = undefined(t)
        for number in range(last // n + 1):
            start = min(number * n, last + 1 - n)
            inside = [i * step // n == number for i in range(n)]
            result = self.shuffle(result, self.load(self.at(pointer, start, element), t),
                                  [n + i * step - start if here else i for i, here in enumerate(inside)])
        return result

    # -------------------------------------------------------------- vectors

    def splat(self, value: Value, lanes: int) -> Value:
        """A scalar in every lane."""
        if lanes == 1:
            return value
        t = vector(value.type, lanes)
        first = self.b.insert_element(undefined(t), value, I32(0))
        return self.b.shuffle_vector(first, undefined(t), const(vector(I32, lanes), 0))

    def shuffle(self, x: Value, y: Value, lanes: Sequence[int]) -> Value:
        """Lanes of the concatenation of x and y, by number."""
        return self.b.shuffle_vector(x, y, ir.Constant(vector(I32, len(lanes)), list(lanes)))

    def transpose(self, rows: Sequence[Value]) -> list[Value]:
        """The columns of a square block, each a vector, from its rows."""
        values, lanes, step = list(rows), len(rows), 1
        while step < lanes:  # swap the off-diagonal quarters of each 2·step square
            for i in range(lanes):
                if not i & step:
                    a, b = values[i], values[i | step]
                    values[i] = self.shuffle(a, b, [j + lanes - step if j & step else j for j in range(lanes)])
                    values[i | step] = self.shuffle(a, b, [j + lanes if j & step else j + step for j in range(lanes)])
            step *= 2
        return values

    def horizontal(self, op: str, value: Value) -> Value:
        """Reduces the lanes of a vector in a fixed halving order; op names a builder method (`fadd`) or an intrinsic."""
        combine = getattr(self.b, op, None) or (lambda x, y: self.intrinsic(op, x, y))
        n = lanes_of(value.type)
        while n > 1:
            n //= 2
            if n > 1:
                low, high = self.shuffle(value, value, range(n)), self.shuffle(value, value, range(n, 2 * n))
            else:
                low, high = self.b.extract_element(value, I32(0)), self.b.extract_element(value, I32(1))
            value = combine(low, high)
        return value

    def intrinsic(self, name: str, *args: Value) -> Value:
        """An LLVM intrinsic overloaded on its first operand's type, which is its result's: `fabs`, `smax`, `sqrt`…"""
        t = args[0].type
        n = lanes_of(t)
        full = f"llvm.{name}.{f'v{n}' if n > 1 else ''}{_suffix(element_of(t))}"
        return self.b.call(declare(self.module, full, t, [a.type for a in args]), args)

    def prefetch(self, pointer: Value) -> None:
        """Brings the line of an address, which need not be anybody's, into the caches."""
        self.b.call(declare(self.module, "llvm.prefetch.p0", VOID, [PTR, I32, I32, I32]), [pointer, I32(0), I32(3), I32(1)])

    def fma(self, x: Value, y: Value, z: Value) -> Value:
        """x * y + z, rounded once where the CPU has the instruction."""
        return self.intrinsic("fmuladd", x, y, z)


def zero_of(t: ir.Type) -> float | int:
    """0 as a constant of this type takes it."""
    return 0 if isinstance(t, ir.IntType) else 0.0


def _suffix(t: ir.Type) -> str:
    if isinstance(t, ir.IntType):
        return f"i{t.width}"
    return SUFFIXES[t]

