"""PyTorch's CPU generator, MT19937, in vector code (Matsumoto & Nishimura, ACM TOMACS 8, 1998).

The state is uint32[625], as in `primitives.random`: the 624 words of the twister, and the position of the next word in
them. A block of 624 words is made at once from the block before: word i needs words i, i+1 and i+397 (mod 624) of which
those below i are new already, so vectors of up to 227 words can be made together.
"""
from __future__ import annotations

from . import ir
from .emit import I32, I64, PTR, Emitter, Index, Value, const, vector
from .target import Target

WORDS, MIDDLE = 624, 397
UPPER, LOWER, TWIST = 0x80000000, 0x7FFFFFFF, 0x9908B0DF


def _lanes(target: Target) -> int:
    return target.isa.lanes(4)


def _twist(e: Emitter, state: Value, i: Index, middle: Index, following: Value, count: int) -> None:
    """New words i.. from the old ones: state[i] = state[middle] ^ twist(upper bit of state[i], lower bits of `following`)."""
    b, t = e.b, following.type
    here = e.load_some(e.at(state, i, I32), t, count)
    far = e.load_some(e.at(state, middle, I32), t, count)
    y = b.or_(b.and_(here, const(t, UPPER)), b.and_(following, const(t, LOWER)))
    odd = b.and_(b.sub(const(t, 0), b.and_(y, const(t, 1))), const(t, TWIST))  # all ones where y is odd
    e.store_some(b.xor(far, b.xor(b.lshr(y, const(t, 1)), odd)), e.at(state, i, I32), count)


def _next_block(e: Emitter, state: Value) -> None:
    """Replaces the 624 words by the next ones."""
    n = _lanes(e.target)
    t = vector(I32, n)
    # words below 227 take their partner from the old block; the others from the new one, which is 227 behind
    for start, stop, shift in ((0, WORDS - MIDDLE, MIDDLE), (WORDS - MIDDLE, WORDS - 1, MIDDLE - WORDS)):
        whole = start + (stop - start) // n * n
        with e.loop(start, whole, n, "twist") as i:
            _twist(e, state, i, e.add(i, shift), e.load(e.at(state, e.add(i, 1), I32), t), n)
        if whole < stop:
            count = stop - whole
            following = e.load_some(e.at(state, whole + 1, I32), t, count)
            _twist(e, state, whole, whole + shift, following, count)
    one = e.load(state, I32)
    _twist(e, state, WORDS - 1, MIDDLE - 1, one, 1)


def temper(e: Emitter, y: Value) -> Value:
    """The generator's output for a word (or a vector of words) of the state."""
    b, t = e.b, y.type
    y = b.xor(y, b.lshr(y, const(t, 11)))
    y = b.xor(y, b.and_(b.shl(y, const(t, 7)), const(t, 0x9D2C5680)))
    y = b.xor(y, b.and_(b.shl(y, const(t, 15)), const(t, 0xEFC60000)))
    return b.xor(y, b.lshr(y, const(t, 18)))


def define_mt19937(module: ir.Module, target: Target, name: str = "mt19937", internal: bool = True) -> ir.Function:
    """`void mt19937(uint32 *state, uint32 *out, int64 n)`: writes the next n words and advances the state.

    `out` must not overlap `state`. Fills in any number of calls give the same words as one.
    """
    found = module.globals.get(name)
    if found is not None:
        return found
    block = Emitter.define(module, target, f"{name}.block", [PTR], internal=True)
    _next_block(block, block.args[0])
    block.b.ret_void()
    e = Emitter.define(module, target, name, [PTR, PTR, I64], internal=internal)
    state, out, n = e.args
    b, lanes = e.b, _lanes(target)
    position_at = e.at(state, WORDS, I32)
    start = b.zext(e.load(position_at, I32), I64)
    blocks = {part: b.append_basic_block(part) for part in ("look", "refill", "draw", "done")}
    entry = b.block
    b.branch(blocks["look"])

    b.position_at_end(blocks["look"])
    position, written = b.phi(I64), b.phi(I64)
    position.add_incoming(start, entry)
    written.add_incoming(I64(0), entry)
    some = b.append_basic_block("some")
    b.cbranch(b.icmp_signed("<", written, n), some, blocks["done"])
    b.position_at_end(some)
    b.cbranch(b.icmp_signed(">=", position, I64(WORDS)), blocks["refill"], blocks["draw"])
    b.position_at_end(blocks["refill"])
    b.call(block.function, [state])
    b.branch(blocks["draw"])

    b.position_at_end(blocks["draw"])
    first = b.phi(I64)
    first.add_incoming(position, some)
    first.add_incoming(I64(0), blocks["refill"])
    count = e.min(e.sub(I64(WORDS), first), e.sub(n, written))
    source, target_at = e.at(state, first, I32), e.at(out, written, I32)
    whole = b.and_(count, I64(-lanes))
    with e.loop(0, whole, lanes, "temper") as i:
        e.store(temper(e, e.load(e.at(source, i, I32), vector(I32, lanes))), e.at(target_at, i, I32))
    with e.loop(whole, count, name="temper1") as i:
        e.store(temper(e, e.load(e.at(source, i, I32), I32)), e.at(target_at, i, I32))
    position.add_incoming(e.i64(e.add(first, count)), b.block)
    written.add_incoming(e.i64(e.add(written, count)), b.block)
    b.branch(blocks["look"])
    b.position_at_end(blocks["done"])
    e.store(b.trunc(position, I32), position_at)
    b.ret_void()
    return e.function
