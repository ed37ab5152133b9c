"""SPMD execution: every chunk once, steps in order, whatever the number of threads; fork, callers, exit."""
import ctypes
import multiprocessing
import os
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest

from flambeau.compiler.llvm import emit, jit
from flambeau.compiler.llvm.emit import I64, PTR, Emitter
from flambeau.compiler.llvm.target import host_target
from flambeau.compiler.threads import Program, get_num_threads, native, set_num_threads, team

SIDE = 16  # chunks a step


def make_kernels():
    """`mix`: chunk i of step s computes out[i] = 3·in[(i·7+1) mod 16] + in[i] + i, swapping buffers 0 and 1 each step, so a
    chunk that runs too early or twice shows. `count` adds 1 to chunk's counter in buffer 2."""
    target = host_target()
    module = emit.new_module(target)
    for name, source, result in (("even", 0, 1), ("odd", 1, 0)):
        e = Emitter.define(module, target, name, [PTR, I64, PTR], noalias=False)
        buffers, chunk, scratch = e.args
        x, y = (e.load(e.at(buffers, 8 * i), PTR) for i in (source, result))
        counts = e.load(e.at(buffers, 16), PTR)
        # a detour through the thread's scratch, which nobody else may touch
        e.store(chunk, scratch)
        _, other = e.divmod(e.add(e.mul(chunk, 7), 1), SIDE)
        value = e.b.add(e.b.mul(I64(3), e.load(e.at(x, other, I64), I64)), e.load(e.at(x, chunk, I64), I64))
        e.store(e.b.add(value, e.load(scratch, I64)), e.at(y, chunk, I64))
        e.b.atomic_rmw("add", e.at(counts, chunk, I64), I64(1), "monotonic")
        e.b.ret_void()
    return jit.load(jit.compile_module(module), ["even", "odd"])


LIB = make_kernels()


class Case:
    def __init__(self, n_steps, parallel=True):
        chunks = [(1 if s % 5 == 4 else 0 if s % 11 == 10 else SIDE) for s in range(n_steps)]
        self.chunks = chunks
        self.program = Program([(LIB["even" if s % 2 == 0 else "odd"], c) for s, c in enumerate(chunks)], scratch=64,
                               parallel=parallel, keep=LIB)

    def expected(self):
        buffers = [np.arange(SIDE), np.zeros(SIDE, np.int64)]
        counts = np.zeros(SIDE, np.int64)
        for s, c in enumerate(self.chunks):
            x, y = buffers[s % 2], buffers[1 - s % 2]
            i = np.arange(c)
            y[i] = 3 * x[(i * 7 + 1) % SIDE] + x[i] + i
            counts[:c] += 1
        return [*buffers, counts]

    def run(self):
        arrays = [np.arange(SIDE), np.zeros(SIDE, np.int64), np.zeros(SIDE, np.int64)]
        pointers = (ctypes.c_void_p * 3)(*[a.ctypes.data for a in arrays])
        self.program.run(ctypes.addressof(pointers))
        return arrays

    def check(self):
        for got, want in zip(self.run(), self.expected()):
            assert (got == want).all()


@pytest.fixture(autouse=True)
def two_threads():
    set_num_threads(2)
    yield
    set_num_threads(2)


@pytest.mark.parametrize("threads", [1, 2, 3, 4, 8, 11])
@pytest.mark.parametrize("n_steps", [0, 1, 2, 60])
def test_steps_in_order_and_every_chunk_once(threads, n_steps):
    set_num_threads(threads)
    assert get_num_threads() == threads
    case = Case(n_steps)
    for _ in range(200):
        case.check()


def test_threads_begin_with_their_own_part_of_the_chunks():
    """So that each finds in its cache what it made of the same part of a tensor before."""
    target = host_target()
    module = emit.new_module(target)
    e = Emitter.define(module, target, "who", [PTR, I64, PTR], noalias=False)
    buffers, chunk, scratch = e.args
    with e.carried_loop(0, 20_000, [e.add(chunk, 1)]) as (_, x):  # some microseconds: both threads come to it
        x[:] = [e.b.mul(x[0], I64(3))]
    e.store(x[0], scratch)
    e.store(e.b.ptrtoint(scratch, I64), e.at(e.load(buffers, PTR), chunk, I64))
    e.b.ret_void()
    library = jit.load(jit.compile_module(module), ["who"])
    program = Program([(library["who"], 8)], scratch=64, keep=library)
    owners, seen = np.zeros(8, np.int64), set()
    pointers = (ctypes.c_void_p * 1)(owners.ctypes.data)
    for _ in range(1000):
        program.run(ctypes.addressof(pointers))
        seen.add("".join("a" if x == owners[0] else "b" for x in owners))
        if "aaaabbbb" in seen:
            break
    assert "aaaabbbb" in seen


def test_serial_is_the_same():
    Case(50, parallel=False).check()


def test_workers_that_slept_wake_up():
    case = Case(20)
    for pause in (0.0, 0.001, 0.02, 0.05):
        time.sleep(pause)
        case.check()


def test_many_callers():
    errors = []

    def caller(n):
        try:
            case = Case(n)
            for _ in range(300):
                case.check()
        except BaseException as error:
            errors.append(error)
    threads = [threading.Thread(target=caller, args=(10 + n,)) for n in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not errors


def test_set_num_threads_while_others_run():
    stop, errors = threading.Event(), []

    def caller():
        case = Case(30)
        while not stop.is_set():
            try:
                case.check()
            except AssertionError as error:
                errors.append(error)
                return
    runner = threading.Thread(target=caller)
    runner.start()
    for n in (1, 3, 2, 4, 1, 2) * 3:
        set_num_threads(n)
        time.sleep(0.002)
    stop.set()
    runner.join()
    assert not errors


def test_programs_may_be_freed_at_once():
    for _ in range(2000):
        Case(3).run()


def test_threads_that_sleep_in_python():
    # what systems without a futex do
    made = team.Team(3, sleeps_natively=False)
    case = Case(20)
    made.reserve(64)
    for pause in (0, 0, 0.005, 0.02):
        time.sleep(pause)
        arrays = [np.arange(SIDE), np.zeros(SIDE, np.int64), np.zeros(SIDE, np.int64)]
        pointers = (ctypes.c_void_p * 3)(*[a.ctypes.data for a in arrays])
        made.ring()
        team._functions()[1](made.address, case.program._address, ctypes.addressof(pointers))
        for got, want in zip(arrays, case.expected()):
            assert (got == want).all()
    made.stop()
    assert not any(w.is_alive() for w in made.workers)


def test_positive_number_of_threads():
    with pytest.raises(RuntimeError, match="positive integer"):
        set_num_threads(0)


def test_stopped_workers_leave():
    before = threading.active_count()
    set_num_threads(4)
    Case(5).check()
    assert threading.active_count() >= before + 2
    set_num_threads(1)
    assert not [t for t in threading.enumerate() if t.name.startswith("flambeau-")]


def _in_child(queue):
    Case(30).check()
    queue.put(sorted(t.name for t in threading.enumerate() if t.name.startswith("flambeau-")))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Python 3.12: fork with threads, which is the point
def test_fork_makes_its_own_workers():
    Case(30).check()
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_in_child, args=(queue,))
    child.start()
    assert queue.get(timeout=20) == ["flambeau-1"]
    child.join(20)
    assert child.exitcode == 0
    Case(30).check()


RUNS_AT_EXIT = """
    import atexit, sys, threading
    sys.path.insert(0, {tests!r})
    import test_threads as t
    {body}
    """


@pytest.mark.parametrize("body", [
    "t.Case(30).check()",
    "t.set_num_threads(4); t.Case(30).check(); atexit.register(lambda: t.Case(30).check())",
    "t.Case(30).check(); threading.Thread(target=lambda: [t.Case(40).check() for _ in range(200)]).start()",
    "t.Case(30).check(); threading.Thread(target=lambda: [t.Case(40).check() for _ in range(10**9)], daemon=True).start()",
], ids=["idle", "atexit", "thread", "daemon"])
def test_interpreter_exit(body):
    code = textwrap.dedent(RUNS_AT_EXIT).format(tests=os.path.dirname(__file__), body=body)
    start = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")
    assert time.monotonic() - start < 15


def threads_with(monkeypatch, affinity, cgroup, omp):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(affinity)), raising=False)
    monkeypatch.setattr(team, "_cgroup_limit", lambda: cgroup)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if omp is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", omp)
    return team.default_threads()


def test_default_number_of_threads(monkeypatch):
    assert threads_with(monkeypatch, 6, float("inf"), None) == 6
    assert threads_with(monkeypatch, 6, 2.5, None) == 3
    assert threads_with(monkeypatch, 6, 0.5, None) == 1
    assert threads_with(monkeypatch, 6, 2.5, "5") == 5
    assert threads_with(monkeypatch, 6, 2.5, "4,2") == 4
    assert threads_with(monkeypatch, 6, 9, "none") == 6


def test_team_fields_do_not_overlap():
    fields = sorted(v for k, v in vars(native).items() if k in (
        "POSITION", "KERNEL", "N_CHUNKS", "STEP", "REQUEST", "BUFFERS", "STEP_BUFFERS", "SCRATCH", "SCRATCH_STRIDE", "DONE",
        "SLEEPERS", "POSTER_SLEEPS", "STOP", "N_RANGES", "RANGES", "TEAM_BYTES"))
    assert all(b - a >= 8 for a, b in zip(fields, fields[1:]))


EMITS_IN_THREADS = """
    import sys, threading
    from flambeau.compiler.llvm.target import host_target
    from flambeau.compiler.threads import native
    sys.setswitchinterval(1e-6)
    texts = []
    threads = [threading.Thread(target=lambda: texts.append(str(native.runtime_module(host_target())))) for _ in range(8)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    print(len(texts), len(set(texts)))
    """


def test_threads_emit_side_by_side_from_the_start():
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(EMITS_IN_THREADS)], capture_output=True, text=True,
                          timeout=60)
    assert (done.stdout, done.stderr) == ("8 1\n", "")


def test_the_runtime_is_loaded_once():
    """What one copy of it posts points into that copy, which would be gone."""
    code = """
        import sys, threading
        from flambeau.compiler.threads import team
        sys.setswitchinterval(1e-6)
        found = []
        threads = [threading.Thread(target=lambda: found.append(team._functions())) for _ in range(8)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        print(len(found), len(set(map(id, found))))
        """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("8 1\n", "")
