"""Kernels of sorting: `sort`, a stable radix sort along the last dimension, `top`, the first few places of one, and `searchsorted`.

An element's key is an unsigned integer in the order of the elements; all NaNs have the largest one, both zeros the same.
"""
from __future__ import annotations

from math import prod
from typing import Callable

from ..dtypes import dtype
from ..ir.graph import Node, Var
from .elements import memory_type, read
from .kernel import Kernel, chunked
from .llvm import ir
from .llvm.emit import I32, I64, PTR, Emitter, Index, Value, const, itemsize

FEW = 64  # elements up to which rows are sorted by insertion
TOP = 16  # places that `top` finds at most
DIGIT = 8  # bits of a radix sort's digit
BUCKETS = 1 << DIGIT


def key_type(d: dtype) -> ir.IntType:
    """Of 32 bits, or of 64 where the elements have as many."""
    return I64 if d.itemsize == 8 else I32


def key(e: Emitter, raw: Value, d: dtype, descending: bool) -> Value:
    """The key of what was loaded; descending: in the opposite order."""
    t = key_type(d)
    if d.kind == "f":
        value = read(e, raw, d)
        sign = const(t, 1 << (t.width - 1))
        bits = e.b.bitcast(e.b.fadd(value, const(value.type, 0.0)), t)  # -0 + 0 is 0
        bits = e.b.xor(bits, e.b.or_(e.b.ashr(bits, const(t, t.width - 1)), sign))
        bits = e.b.select(e.b.fcmp_unordered("uno", value, value), const(t, -1), bits)
    if d.kind == "i":
        raw = e.b.xor(raw, const(raw.type, 1 << (8 * itemsize(raw.type) - 1)))
    if d.kind != "f":
        bits = raw if raw.type == t else e.b.zext(raw, t)
    return e.b.not_(bits) if descending else bits


class _Items:
    """Pairs of a key and a position in scratch memory: apart, so that each lies dense."""

    def __init__(self, e: Emitter, t: ir.IntType, keys: Value, places: Value):
        self.e, self.t, self.keys, self.places = e, t, keys, places

    def load(self, i: Index) -> tuple[Value, Value]:
        e = self.e
        return e.load(e.at(self.keys, i, self.t), self.t), e.load(e.at(self.places, i, I32), I32)

    def store(self, i: Index, key: Value, place: Value) -> None:
        e = self.e
        e.store(key, e.at(self.keys, i, self.t))
        e.store(place, e.at(self.places, i, I32))


def _items(k: Kernel, t: ir.IntType, n: int, count: int) -> list[_Items]:
    """`count` arrays of n pairs at the beginning of the scratch memory."""
    e, found, at = k.e, [], 0
    for _ in range(count):
        keys = e.at(e.args[2], at)
        at += -(-n * itemsize(t) // 64) * 64
        found.append(_Items(e, t, keys, e.at(e.args[2], at)))
        at += -(-n * 4 // 64) * 64
    k.scratch = at
    return found


def _read_row(k: Kernel, x: Var, row: Index, n: int, descending: bool, put: Callable[[Index, Value, Value], None]) -> None:
    e, t = k.e, memory_type(x.dtype)
    with e.loop(0, n) as i:
        raw = e.load(e.at(k.pointer(x), e.add(e.mul(row, n), i), t), t)
        put(i, key(e, raw, x.dtype, descending), e.b.trunc(e.i64(i), I32))


def _insert(e: Emitter, items: _Items, end: Index, new: Value, place: Value) -> None:
    """Puts a pair into the sorted items[0 … end], whose last is lost, behind all that are not larger."""
    b = e.b
    head, move, done = (b.append_basic_block(f"insert.{part}") for part in ("head", "move", "done"))
    before = b.block
    b.branch(head)
    b.position_at_end(head)
    j = b.phi(I64)
    j.add_incoming(e.i64(end), before)
    test = b.append_basic_block("insert.test")
    b.cbranch(b.icmp_signed(">", j, I64(0)), test, done)
    b.position_at_end(test)
    left = b.sub(j, I64(1))
    old, old_place = items.load(left)
    b.cbranch(b.icmp_unsigned(">", old, new), move, done)
    b.position_at_end(move)
    items.store(j, old, old_place)
    j.add_incoming(left, move)
    b.branch(head)
    b.position_at_end(done)
    items.store(j, new, place)


def _radix_sort(e: Emitter, a: _Items, b: _Items, counts: Value, n: int, bits: int) -> tuple[Value, Value]:
    """Sorts n pairs by digits from the last on, between `a` and `b`; returns where the result's keys and places begin.
    counts: room for a number a digit and bucket, which hold how often it occurs. Digits that are all equal are passed over."""
    digits = bits // DIGIT
    keys, places, other_keys, other_places = (e.alloca(PTR) for _ in range(4))
    for slot, value in ((keys, a.keys), (places, a.places), (other_keys, b.keys), (other_places, b.places)):
        e.store(value, slot)

    def digit(value: Value, number: int) -> Value:
        part = e.b.and_(e.b.lshr(value, const(value.type, number * DIGIT)), const(value.type, BUCKETS - 1))
        return e.i64(part)
    for number in range(digits):
        row = e.at(counts, number * BUCKETS, I32)
        pointer = [e.load(slot, PTR) for slot in (keys, places, other_keys, other_places)]
        first = e.load(pointer[0], a.t)
        same = e.load(e.at(row, digit(first, number), I32), I32)
        with e.when(e.b.icmp_signed("!=", same, I32(n))):
            with e.carried_loop(0, BUCKETS, [I32(0)]) as (d, state):  # how often → where the first goes
                count = e.load(e.at(row, d, I32), I32)
                e.store(state[0], e.at(row, d, I32))
                state[0] = e.b.add(state[0], count)
            source, target = _Items(e, a.t, pointer[0], pointer[1]), _Items(e, a.t, pointer[2], pointer[3])
            with e.loop(0, n) as i:
                value, place = source.load(i)
                cell = e.at(row, digit(value, number), I32)
                to = e.load(cell, I32)
                target.store(e.i64(to), value, place)
                e.store(e.b.add(to, I32(1)), cell)
            for slot, p in zip((keys, places, other_keys, other_places), (pointer[2], pointer[3], pointer[0], pointer[1])):
                e.store(p, slot)
    return e.load(keys, PTR), e.load(places, PTR)


def _sort(k: Kernel, node: Node) -> int:
    """Chunks share out the rows."""
    e = k.e
    x, (values, index) = node.inputs[0], node.outputs
    dim, descending = node.params
    assert dim == x.ndim - 1, "sorted along the last dimension"
    k.prepare([x, values, index])
    n, rows = x.shape[dim], prod(x.shape[:dim])
    t, kt = memory_type(x.dtype), key_type(x.dtype)
    few = n <= FEW
    a, *more = _items(k, kt, n, 1 if few else 2)
    bits = min(kt.width, x.dtype.itemsize * 8) if x.dtype.kind != "f" else kt.width
    counts = e.alloca(I32, bits // DIGIT * BUCKETS, align=64)
    start, stop, chunks = chunked(k, rows, n * 8)
    with e.loop(start, stop, name="row") as row:
        if few:
            _read_row(k, x, row, n, descending, lambda i, value, place: _insert(e, a, i, value, place))
            places = a.places
        else:
            with e.loop(0, bits // DIGIT * BUCKETS) as i:
                e.store(I32(0), e.at(counts, i, I32))

            def count(i: Index, value: Value, place: Value) -> None:
                a.store(i, value, place)
                for number in range(bits // DIGIT):
                    part = e.b.and_(e.b.lshr(value, const(kt, number * DIGIT)), const(kt, BUCKETS - 1))
                    cell = e.at(e.at(counts, number * BUCKETS, I32), e.i64(part), I32)
                    e.store(e.b.add(e.load(cell, I32), I32(1)), cell)
            _read_row(k, x, row, n, descending, count)
            _, places = _radix_sort(e, a, more[0], counts, n, bits)
        base = e.mul(row, n)
        with e.loop(0, n) as i:
            place = e.i64(e.load(e.at(places, i, I32), I32))
            to = e.add(base, i)
            e.store(e.load(e.at(k.pointer(x), e.add(base, place), t), t), e.at(k.pointer(values), to, t))
            e.store(place, e.at(k.pointer(index), to, I64))
    k.finish()
    return chunks


def _top(k: Kernel, node: Node) -> int:
    """The places of the first few of each sorted row: those found so far, in order, and elements that are better than the
    last of them, which are seldom."""
    e = k.e
    x, out = node.inputs[0], node.outputs[0]
    descending, = node.params
    k.prepare([x, out])
    n, places = x.shape[-1], out.shape[-1]
    kt = key_type(x.dtype)
    best, = _items(k, kt, places + 1, 1)
    start, stop, chunks = chunked(k, out.size // places, n)
    with e.loop(start, stop, name="row") as row:
        def offer(i: Index, value: Value, place: Value) -> None:
            with e.b.if_else(e.b.icmp_signed("<", e.i64(i), e.i64(places)), likely=False) as (filling, full):
                with filling:
                    _insert(e, best, i, value, place)
                with full:
                    last, _ = best.load(places - 1)
                    with e.when(e.b.icmp_unsigned("<", value, last), likely=False):
                        _insert(e, best, places - 1, value, place)
        _read_row(k, x, row, n, descending, offer)
        with e.loop(0, places) as i:
            _, place = best.load(i)
            e.store(e.i64(place), e.at(k.pointer(out), e.add(e.mul(row, places), i), I64))
    k.finish()
    return chunks


def _searchsorted(k: Kernel, node: Node) -> int:
    """How many edges of its row come before each value: bit by bit, from the highest."""
    e = k.e
    (edges, values), out, right = node.inputs, node.outputs[0], node.params[0]
    k.prepare([edges, values, out])
    t, n = memory_type(edges.dtype), edges.shape[-1]
    per_row = values.size if edges.ndim == 1 else values.shape[-1]
    start, stop, chunks = chunked(k, values.size, n.bit_length())
    with e.loop(start, stop) as i:
        wanted = key(e, e.load(e.at(k.pointer(values), i, t), t), edges.dtype, False)
        row = e.at(k.pointer(edges), e.mul(e.divmod(i, per_row)[0], n), t)
        before: Value = I64(0)
        for bit in reversed(range(n.bit_length())):
            more = e.b.add(before, I64(1 << bit))
            inside = e.b.icmp_unsigned("<=", more, I64(n))
            last = e.b.select(inside, e.b.sub(more, I64(1)), I64(0))
            edge = key(e, e.load(e.at(row, last, t), t), edges.dtype, False)
            comes_first = e.b.icmp_unsigned("<=" if right else "<", edge, wanted)
            before = e.b.select(e.b.and_(inside, comes_first), more, before)
        e.store(before, e.at(k.pointer(out), i, I64))
    k.finish()
    return chunks


ORDER: dict[str, Callable[[Kernel, Node], int]] = {"sort": _sort, "top": _top, "searchsorted": _searchsorted}
