"""The machine code that runs a program on many threads, written as LLVM IR.

A program is a table of steps; a step is a kernel `void kernel(void **buffers, int64 chunk, void *scratch)` and its number
of chunks. Chunks of one step may run at once, in any order; a step begins when all chunks of the one before are done.

One 64-bit word, `position`, says where the run is: its high half is an epoch, which changes with every step, its low half
whether a program runs. The chunks of a step are shared out in ranges, the same fractions of every step: who has worked on some
part of a tensor finds it in its own cache in the next step. A range is a word, too, the epoch and the number of its chunks that
nobody has claimed yet. A thread claims from its own range by compare-and-swap, and from the others' when that is empty; so one
that slept through a step (or through a whole run) can neither claim from it nor disturb the next one. Whoever finishes the last
chunk of a step opens the next. There is no barrier at which all threads must arrive: a thread that the host has taken off the
CPU delays the others only by the chunk it holds.

Nothing of a program but its chunks in progress is touched by other threads once it is finished, so it may be freed.

A thread with nothing to claim spins for some microseconds, then sleeps on the epoch (a futex on Linux). It does not yield where it can
sleep: on a busy machine that gives another process a whole slice, while a thread that sleeps is back soon after it is woken.
"""
from __future__ import annotations

import sys

from ..llvm import ir
from ..llvm.emit import I32, I64, PTR, Emitter, Index, Value, declare, new_module
from ..llvm.target import Target

# the team's memory: byte offsets of its fields, what changes together on cache lines of its own
POSITION = 0
EPOCH = 4           # the high half of position (little-endian)
KERNEL = 64         # of the step that is open
N_CHUNKS = 72
STEP = 80           # its number
REQUEST = 88        # what runs: see below
BUFFERS = 96        # of the program
STEP_BUFFERS = 104  # of the step that is open
SCRATCH = 112       # scratch memory of thread 0, and the distance to the next thread's
SCRATCH_STRIDE = 120
DONE = 128          # chunks of this step that are finished
SLEEPERS = 192      # workers that sleep
POSTER_SLEEPS = 200
STOP = 256          # workers leave when it is set
N_RANGES = 264      # in which chunks are shared out
RANGES = 320        # RANGE_BYTES each: the epoch and what is left of it, and the chunk at which it ends
RANGE_BYTES, RANGE_END = 64, 8
MAX_RANGES = 8      # as each step begins with writing them; threads beyond share
TEAM_BYTES = RANGES + MAX_RANGES * RANGE_BYTES

OPEN, IDLE = 1, 1 << 31  # the low half of `position` while a program runs, and when none does

# a request: what does not change between runs of a program
STEPS = 0           # pointer to the table
N_STEPS = 8
STEP_BYTES = 24     # a step: kernel address, number of chunks, where its buffers begin: bytes from the program's

SPINS = 4000
LEFT_IDLE, LEFT_STOPPED = 0, 1

KERNEL_TYPE = ir.FunctionType(ir.VoidType(), [PTR, I64, PTR])


def _field(e: Emitter, base: Value, offset: int, t: ir.Type = I64, order: str = "monotonic") -> Value:
    return e.b.load_atomic(e.at(base, offset), t, order, 8 if t != I32 else 4)


def _set(e: Emitter, base: Value, offset: int, value: Value, order: str = "monotonic") -> None:
    e.b.store_atomic(value, e.at(base, offset), order, 8)


def _pause(e: Emitter) -> None:
    """Tells the core that this is a spin loop."""
    name = e.target.isa.name
    if name in ("avx512", "avx2", "sse2"):
        e.b.call(declare(e.module, "llvm.x86.sse2.pause", ir.VoidType(), []), [])
    elif name == "neon":
        e.b.call(declare(e.module, "llvm.aarch64.hint", ir.VoidType(), [I32]), [I32(1)])


def _yield(e: Emitter) -> None:
    e.b.call(declare(e.module, "SwitchToThread" if sys.platform == "win32" else "sched_yield", I32, []), [])


# futex(2) by number: glibc has no wrapper
_FUTEX = {"x86_64": 202, "aarch64": 98}
_WAIT_PRIVATE, _WAKE_PRIVATE = 128, 129


def has_futex(target: Target) -> bool:
    """Whether threads can sleep in native code here; else they sleep in Python."""
    return sys.platform == "linux" and target.triple.split("-")[0] in _FUTEX


def _futex(e: Emitter, address: Value, operation: int, value: Value) -> None:
    number = _FUTEX[e.target.triple.split("-")[0]]
    fn = e.module.globals.get("syscall") or ir.Function(e.module, ir.FunctionType(I64, [I64], var_arg=True), "syscall")
    e.b.call(fn, [I64(number), address, I64(operation), value, I64(0), I64(0), I64(0)])


class _Blocks:
    """Named basic blocks of one function, for code whose control flow is no nest of loops."""

    def __init__(self, e: Emitter, *names: str):
        self._e = e
        self._blocks = {n: e.b.append_basic_block(n) for n in names}

    def __getitem__(self, name: str) -> ir.Block:
        return self._blocks[name]

    def start(self, name: str) -> None:
        self._e.b.position_at_end(self._blocks[name])


def _call_kernel(e: Emitter, kernel: Value, buffers: Value, chunk: Index, scratch: Value) -> None:
    e.call_pointer(kernel, KERNEL_TYPE, [buffers, e.i64(chunk), scratch])


def _table(e: Emitter, steps: Value, number: Index, buffers: Value) -> tuple[Value, Value, Value]:
    """(kernel, number of chunks, buffers) of a step."""
    row = e.at(steps, e.mul(number, STEP_BYTES))
    return e.load(row, PTR), e.load(e.at(row, 8), I64), e.at(buffers, e.load(e.at(row, 16), I64))


def _write_serial(module: ir.Module, target: Target) -> None:
    """void serial(request, buffers, scratch): the whole program on the calling thread."""
    e = Emitter.define(module, target, "serial", [PTR, PTR, PTR], noalias=False)
    request, buffers, scratch = e.args
    steps = e.load(e.at(request, STEPS), PTR)
    with e.loop(0, e.load(e.at(request, N_STEPS), I64), name="step") as number:
        kernel, n_chunks, own = _table(e, steps, number, buffers)
        with e.loop(0, n_chunks, name="chunk") as chunk:
            _call_kernel(e, kernel, own, chunk, scratch)
    e.b.ret_void()


def _write_wake(module: ir.Module, target: Target) -> None:
    """void wake(team): wakes who sleeps, if any. The epoch must have changed (sequentially consistent) before."""
    e = Emitter.define(module, target, "wake", [PTR], noalias=False)
    if has_futex(target):
        sleepers = [_field(e, e.args[0], field, order="seq_cst") for field in (SLEEPERS, POSTER_SLEEPS)]
        with e.when(e.b.icmp_signed(">", e.b.add(*sleepers), I64(0)), likely=False):
            _futex(e, e.at(e.args[0], EPOCH), _WAKE_PRIVATE, I64(2 ** 31 - 1))
    e.b.ret_void()


def _write_open(module: ir.Module, target: Target) -> None:
    """void open(team, number, scratch): opens step `number` of the running program, or the first after it that has more than one
    chunk; those with one chunk or none are run on the way, by this thread. Only one thread at a time can be here."""
    e = Emitter.define(module, target, "open", [PTR, I64, PTR], noalias=False, internal=True)
    b = e.b
    team, first, scratch = e.args
    request, buffers = _field(e, team, REQUEST, PTR), _field(e, team, BUFFERS, PTR)
    steps, n_steps = e.load(e.at(request, STEPS), PTR), e.load(e.at(request, N_STEPS), I64)
    blocks = _Blocks(e, "next", "look", "small", "advance", "publish", "finish")
    entry = b.block
    b.branch(blocks["next"])
    blocks.start("next")
    number = b.phi(I64)
    number.add_incoming(first, entry)
    b.cbranch(b.icmp_signed("<", number, n_steps), blocks["look"], blocks["finish"])

    blocks.start("look")
    kernel, n_chunks, own = _table(e, steps, number, buffers)
    b.cbranch(b.icmp_signed(">", n_chunks, I64(1)), blocks["publish"], blocks["small"])
    blocks.start("small")
    with e.when(b.icmp_signed("==", n_chunks, I64(1))):
        _call_kernel(e, kernel, own, 0, scratch)
    b.branch(blocks["advance"])
    blocks.start("advance")
    number.add_incoming(b.add(number, I64(1)), b.block)
    b.branch(blocks["next"])

    blocks.start("publish")
    _set(e, team, STEP_BUFFERS, b.ptrtoint(own, I64))
    _publish(e, team, kernel, n_chunks, number)
    b.ret_void()

    blocks.start("finish")
    _set(e, team, POSITION, b.or_(_next_epoch(e, team), I64(IDLE)), "seq_cst")
    # idle workers may sleep on; only the thread that posted the program waits for its end
    with e.when(b.icmp_signed(">", _field(e, team, POSTER_SLEEPS, order="seq_cst"), I64(0)), likely=False):
        b.call(module.globals["wake"], [team])
    b.ret_void()


def _next_epoch(e: Emitter, team: Value) -> Value:
    return e.b.add(e.b.and_(_field(e, team, POSITION), I64(-1 << 32)), I64(1 << 32))


def _publish(e: Emitter, team: Value, kernel: Value, n_chunks: Value, number: Value) -> None:
    """Opens a step: nobody can claim while the fields change, as all ranges of the epoch before are empty."""
    b = e.b
    epoch, n_ranges = _next_epoch(e, team), _field(e, team, N_RANGES)
    _set(e, team, KERNEL, b.ptrtoint(kernel, I64))
    _set(e, team, N_CHUNKS, n_chunks)
    _set(e, team, STEP, number)
    _set(e, team, DONE, I64(0))
    with e.carried_loop(0, n_ranges, [I64(0)], "range") as (i, state):
        first, = state
        own, end = _range(e, team, i), b.udiv(b.mul(e.add(i, 1), n_chunks), n_ranges)
        _set(e, own, RANGE_END, end)
        _set(e, own, 0, b.or_(epoch, b.sub(end, first)), "release")
        state[:] = [end]
    _set(e, team, POSITION, b.or_(epoch, I64(OPEN)), "seq_cst")
    b.call(e.module.globals["wake"], [team])


def _range(e: Emitter, team: Value, number: Index) -> Value:
    return e.at(team, e.add(e.mul(number, RANGE_BYTES), RANGES))


def _write_wait(module: ir.Module, target: Target) -> None:
    """int64 wait(team, position, counter): returns when the epoch is no longer that of `position`: spins, sleeps.
    Where threads cannot sleep natively it yields once instead, and returns 0 (else 1).
    `counter` is the offset of the field that counts this thread while it sleeps."""
    e = Emitter.define(module, target, "wait", [PTR, I64, I64], I64, noalias=False, internal=True)
    b = e.b
    team, position, counter = e.args
    old = b.trunc(b.lshr(position, I64(32)), I32)
    blocks = _Blocks(e, "changed", "sleep")

    def leave_if_changed(order: str = "acquire") -> None:
        go_on = b.append_basic_block("same")
        b.cbranch(b.icmp_unsigned("!=", _field(e, team, EPOCH, I32, order), old), blocks["changed"], go_on)
        b.position_at_end(go_on)

    with e.loop(0, SPINS, name="spin"):
        leave_if_changed()
        _pause(e)
    if not has_futex(target):
        _yield(e)
        b.ret(I64(0))
        blocks.start("sleep")
        b.unreachable()
    else:
        b.branch(blocks["sleep"])
        blocks.start("sleep")
        b.atomic_rmw("add", e.at(team, counter), I64(1), "seq_cst")
        _futex(e, e.at(team, EPOCH), _WAIT_PRIVATE, b.zext(old, I64))  # returns at once if the epoch has changed
        b.atomic_rmw("sub", e.at(team, counter), I64(1), "seq_cst")
        leave_if_changed()
        b.branch(blocks["sleep"])
    blocks.start("changed")
    b.ret(I64(1))


def _write_claim(module: ir.Module, target: Target) -> None:
    """int64 claim(team, position, number, scratch): tries to claim a chunk of the step that `position` shows open for thread `number`,
    and runs it; where it was the step's last one, opens the next step. Returns 0 if all chunks are claimed."""
    e = Emitter.define(module, target, "claim", [PTR, I64, I64, PTR], I64, noalias=False, internal=True)
    b = e.b
    team, position, number, scratch = e.args
    blocks = _Blocks(e, "run", "last", "again")
    n_ranges = _field(e, team, N_RANGES)
    # valid if the swap succeeds: they change only when the epoch does
    kernel, n_chunks, step = (_field(e, team, field) for field in (KERNEL, N_CHUNKS, STEP))
    with e.loop(0, n_ranges, name="range") as i:
        own = _range(e, team, b.urem(e.add(number, i), n_ranges))
        left = _field(e, own, 0, order="acquire")
        same = b.append_basic_block("same")
        b.cbranch(b.icmp_unsigned("==", b.lshr(left, I64(32)), b.lshr(position, I64(32))), same, blocks["again"])
        b.position_at_end(same)
        with e.when(b.icmp_unsigned("!=", _low_half(e, left), I64(0))):
            chunk = b.sub(_field(e, own, RANGE_END), _low_half(e, left))
            swapped = b.cmpxchg(own, left, b.sub(left, I64(1)), "acq_rel", "acquire")
            b.cbranch(b.extract_value(swapped, 1), blocks["run"], blocks["again"])
    b.ret(I64(0))
    blocks.start("run")
    _call_kernel(e, b.inttoptr(kernel, PTR), _field(e, team, STEP_BUFFERS, PTR), chunk, scratch)
    done = b.add(b.atomic_rmw("add", e.at(team, DONE), I64(1), "acq_rel"), I64(1))
    b.cbranch(b.icmp_unsigned("==", done, n_chunks), blocks["last"], blocks["again"])
    blocks.start("last")
    b.call(module.globals["open"], [team, b.add(step, I64(1)), scratch])
    b.branch(blocks["again"])
    blocks.start("again")
    b.ret(I64(1))


def _low_half(e: Emitter, position: Value) -> Value:
    return e.b.and_(position, I64(2 ** 32 - 1))


def _is_idle(e: Emitter, position: Value) -> Value:
    return e.b.icmp_unsigned("==", _low_half(e, position), I64(IDLE))


def _scratch(e: Emitter, team: Value, number: Index) -> Value:
    base, stride = _field(e, team, SCRATCH), _field(e, team, SCRATCH_STRIDE)
    return e.b.inttoptr(e.b.add(base, e.b.mul(stride, e.i64(number))), PTR)


def _write_run(module: ir.Module, target: Target) -> None:
    """void run(team, request, buffers): posts a program, takes part in it, returns when it is finished."""
    e = Emitter.define(module, target, "run", [PTR, PTR, PTR], noalias=False)
    b = e.b
    team, request, buffers = e.args
    _post(e, team, request, buffers)
    b.call(module.globals["open"], [team, I64(0), _scratch(e, team, 0)])
    b.call(module.globals["join"], [team])
    b.ret_void()


def _post(e: Emitter, team: Value, request: Value, buffers: Value) -> None:
    _set(e, team, REQUEST, e.b.ptrtoint(request, I64))
    _set(e, team, BUFFERS, e.b.ptrtoint(buffers, I64))


def _write_nothing(module: ir.Module, target: Target) -> None:
    """The kernel of the step that a posted program begins with."""
    Emitter.define(module, target, "nothing", [PTR, I64, PTR], noalias=False).b.ret_void()


def _write_post(module: ir.Module, target: Target) -> None:
    """void post(team, request, buffers): posts a program and returns; the workers run it. `join` must follow.

    The first step is an empty one: the worker that claims its only chunk opens the program's own first step.
    """
    e = Emitter.define(module, target, "post", [PTR, PTR, PTR], noalias=False)
    team, request, buffers = e.args
    _post(e, team, request, buffers)
    _publish(e, team, module.globals["nothing"], I64(1), I64(-1))
    e.b.ret_void()


def _write_join(module: ir.Module, target: Target) -> None:
    """void join(team): takes part in the program that was posted, and returns when it is finished."""
    e = Emitter.define(module, target, "join", [PTR], noalias=False)
    b = e.b
    team, = e.args
    scratch = _scratch(e, team, 0)
    blocks = _Blocks(e, "look", "try", "wait", "finished")
    b.branch(blocks["look"])
    blocks.start("look")
    position = _field(e, team, POSITION, order="acquire")
    b.cbranch(_is_idle(e, position), blocks["finished"], blocks["try"])
    blocks.start("try")
    some = b.call(module.globals["claim"], [team, position, I64(0), scratch])
    b.cbranch(b.icmp_unsigned("!=", some, I64(0)), blocks["look"], blocks["wait"])
    blocks.start("wait")
    b.call(module.globals["wait"], [team, position, I64(POSTER_SLEEPS)])
    b.branch(blocks["look"])
    blocks.start("finished")
    b.ret_void()


def _write_worker(module: ir.Module, target: Target) -> None:
    """int64 worker(team, number): takes part in what is posted, until the team is stopped (returns LEFT_STOPPED) or, where
    threads cannot sleep natively, until there is nothing to do (LEFT_IDLE)."""
    e = Emitter.define(module, target, "worker", [PTR, I64], I64, noalias=False)
    b = e.b
    team, number = e.args
    blocks = _Blocks(e, "look", "go", "try", "wait", "unchanged", "idle", "stopped")
    b.branch(blocks["look"])
    blocks.start("look")
    position = _field(e, team, POSITION, order="acquire")
    b.cbranch(b.icmp_unsigned("!=", _field(e, team, STOP, order="acquire"), I64(0)), blocks["stopped"], blocks["go"])
    blocks.start("go")
    b.cbranch(_is_idle(e, position), blocks["wait"], blocks["try"])
    blocks.start("try")
    some = b.call(module.globals["claim"], [team, position, number, _scratch(e, team, number)])
    b.cbranch(b.icmp_unsigned("!=", some, I64(0)), blocks["look"], blocks["wait"])
    blocks.start("wait")
    changed = b.call(module.globals["wait"], [team, position, I64(SLEEPERS)])
    b.cbranch(b.icmp_unsigned("!=", changed, I64(0)), blocks["look"], blocks["unchanged"])
    blocks.start("unchanged")
    b.cbranch(_is_idle(e, position), blocks["idle"], blocks["look"])
    blocks.start("idle")
    b.ret(I64(LEFT_IDLE))
    blocks.start("stopped")
    b.ret(I64(LEFT_STOPPED))


def runtime_module(target: Target) -> ir.Module:
    """The functions `serial`, `run`, `post`, `join`, `worker` and `wake`."""
    module = new_module(target, "threads")
    for write in (_write_serial, _write_wake, _write_open, _write_wait, _write_claim, _write_nothing, _write_post, _write_join,
                  _write_run, _write_worker):
        write(module, target)
    return module
