"""What goes wrong with workers: killed or slow ones, Ctrl-C, a parent that is gone. Never a hang, nothing left."""

import contextlib
import gc
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
from loader_sets import Slow, Squares, Suicidal, Tape, plain

import flambeau as torch
from flambeau.utils.data import DataLoader, TensorDataset

pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")

FORK = {"multiprocessing_context": "fork"}
LARGE = 400_000  # floats: a batch that goes through a file


def open_files():
    """Descriptor → what it is of, where the system tells."""
    gc.collect()
    files = {}
    with contextlib.suppress(OSError):
        for fd in os.listdir("/proc/self/fd"):
            with contextlib.suppress(OSError):  # the listing's own
                files[int(fd)] = os.readlink(f"/proc/self/fd/{fd}")
    return files


def is_running(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def wait_until(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGUSR1], ids=lambda s: s.name)
def test_killed_worker_is_an_error_within_a_second(how):
    loader = DataLoader(Suicidal(at=6, how=how), batch_size=2, num_workers=2, **FORK)
    start = time.monotonic()
    with pytest.raises(RuntimeError, match=rf"DataLoader worker \(pid\(s\) \d+\) exited unexpectedly.*{how.name}"):
        list(loader)
    assert time.monotonic() - start < 2


def test_killed_worker_is_noticed_while_another_is_waited_for():
    loader = DataLoader(Slow(at=0, seconds=30), batch_size=1, num_workers=2, **FORK)
    iterator = iter(loader)
    threading.Timer(0.3, iterator._workers[1].kill).start()
    start = time.monotonic()
    with pytest.raises(RuntimeError, match=f"pid.*{iterator._workers[1].pid}.*worker 1 was killed by SIGKILL"):
        next(iterator)
    assert time.monotonic() - start < 1.3
    start = time.monotonic()
    del iterator, loader
    assert time.monotonic() - start < 2  # it does not wait for the worker that is still at work


def test_worker_that_exits():
    class Exits(Squares):
        def __getitem__(self, i):
            sys.exit(3)

    with pytest.raises(RuntimeError, match="exited unexpectedly: worker 0 left with exit code 3"):
        next(iter(DataLoader(Exits(), num_workers=1, **FORK)))


def kill_rounds(rounds, seed):
    """Kill a random worker after a random time, with batches small and large; whole batches or the error."""
    rng = random.Random(seed)
    small, large = torch.arange(400), torch.zeros(4, LARGE)
    before = open_files()
    errors = 0
    for _ in range(rounds):
        dataset = rng.choice([TensorDataset(small), TensorDataset(large)])
        persistent = rng.random() < 0.5
        loader = DataLoader(dataset, num_workers=rng.choice([1, 2, 3]), persistent_workers=persistent, **FORK)
        iterator = iter(loader)
        victim = rng.choice(iterator._workers)
        killer = threading.Timer(rng.random() * 0.03, victim.kill)
        killer.start()
        start = time.monotonic()
        seen = 0
        try:
            for (batch,) in iterator:
                assert batch.shape[1:] == dataset.tensors[0].shape[1:]
                seen += 1
            assert seen == len(dataset)
        except RuntimeError as error:
            assert "exited unexpectedly" in str(error)
            errors += 1
        assert time.monotonic() - start < 5
        killer.join()
        workers = iterator._workers
        if persistent and iterator._can_go_on():  # killed after the epoch: an error at the next one
            wait_until(lambda: not victim.is_alive())
            with pytest.raises(RuntimeError, match="exited unexpectedly"):
                list(loader)
            errors += 1
        del iterator, loader
        gc.collect()
        assert not any(worker.is_alive() for worker in workers)
        batch = workers = victim = killer = None
    assert errors
    assert open_files() == before


def test_workers_killed_at_random_moments():
    kill_rounds(12, seed=0)


@pytest.mark.slow
def test_workers_killed_at_random_moments_two_hundred_times():
    kill_rounds(200, seed=1)


def test_a_loader_recovers_from_a_killed_persistent_worker():
    loader = DataLoader(Squares(), batch_size=5, num_workers=2, persistent_workers=True, **FORK)
    expected = plain(list(loader))
    iter(loader)._workers[0].kill()
    with pytest.raises(RuntimeError, match="exited unexpectedly"):
        for _ in range(3):
            time.sleep(0.3)
            list(loader)
    assert plain(list(loader)) == expected


@pytest.mark.parametrize("method", [FORK, {"worker": "thread"}], ids=str)
def test_timeout(method):
    loader = DataLoader(Slow(at=4, seconds=2), batch_size=1, num_workers=2, timeout=0.7, **method)
    iterator = iter(loader)
    assert [next(iterator).item() for _ in range(4)] == [0, 1, 2, 3]
    start = time.monotonic()
    with pytest.raises(RuntimeError, match="DataLoader timed out after 0.7 seconds"):
        next(iterator)
    assert time.monotonic() - start < 1.5
    time.sleep(1.5)
    assert [batch.item() for batch in iterator] == list(range(4, 20))


def test_stopped_worker_times_out():
    iterator = iter(DataLoader(TensorDataset(torch.zeros(50, LARGE)), num_workers=1, timeout=0.5, **FORK))
    next(iterator)
    os.kill(iterator._workers[0].pid, signal.SIGSTOP)
    with pytest.raises(RuntimeError, match="timed out"):
        list(iterator)
    os.kill(iterator._workers[0].pid, signal.SIGCONT)


def test_worker_that_does_not_end_is_ended(monkeypatch):
    from flambeau.utils.data import _utils

    monkeypatch.setattr(_utils, "MP_STATUS_CHECK_INTERVAL", 0.2)
    iterator = iter(DataLoader(Slow(at=0, seconds=60), num_workers=1, **FORK))
    time.sleep(0.2)
    workers = iterator._workers
    del iterator
    assert workers[0].exitcode == -signal.SIGTERM


def test_nothing_is_left_open():
    def epoch():
        for _ in DataLoader(TensorDataset(torch.zeros(6, LARGE)), num_workers=2, **FORK):
            pass
        iterator = iter(DataLoader(TensorDataset(torch.zeros(6, LARGE)), num_workers=2, **FORK))
        next(iterator)

    epoch()
    before = open_files()
    epoch()
    assert open_files() == before


def test_many_large_batches_can_be_kept():
    """More than there may be maps or open files."""
    dataset = TensorDataset(torch.arange(90).view(90, 1).expand(90, 80_000).to(torch.int32))
    batches = [batch for (batch,) in DataLoader(dataset, num_workers=1, **FORK)]
    assert [batch[0, -1].item() for batch in batches] == list(range(90))
    assert len(open_files()) < 90 + 40


def test_large_messages_and_indices_both_ways():
    indices = [list(range(60_000)), list(range(60_000, 120_000))] * 3  # each larger than a socket's buffer
    dataset = TensorDataset(torch.arange(120_000))
    loader = DataLoader(dataset, batch_sampler=indices, num_workers=1, prefetch_factor=4, **FORK)
    assert [len(batch) for (batch,) in loader] == [60_000] * 6


SCRIPT = """
import os, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # also where the tests run in the background, and ignore it
sys.path.insert(0, {here!r})
from loader_sets import Slow
from flambeau.utils.data import DataLoader

os.register_at_fork(after_in_child=lambda: time.sleep({start}))
iterator = iter(DataLoader(Slow(at={at}, seconds={seconds}), num_workers=2, multiprocessing_context="fork"))
print(*[worker.pid for worker in iterator._workers], flush=True)
next(iterator)
print("went on", flush=True)
time.sleep(60)
"""


def start_script(at, seconds, start=0.0):
    script = textwrap.dedent(SCRIPT).format(here=str(Path(__file__).parent), at=at, seconds=seconds, start=start)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen([sys.executable, "-c", script], text=True, start_new_session=True, **pipes)
    return process, [int(pid) for pid in process.stdout.readline().split()]


@pytest.mark.parametrize("when", ["workers start", "waiting", "later"])
def test_ctrl_c(when):
    process, workers = start_script(at=19 if when == "later" else 0, seconds=60, start=1 if when == "workers start" else 0)
    assert len(workers) == 2
    if when == "later":
        process.stdout.readline()
    else:
        time.sleep(0.3)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the parent and the workers
    _, errors = process.communicate(timeout=20)
    assert process.returncode == -signal.SIGINT
    assert errors.count("Traceback") == 1 and errors.rstrip().endswith("KeyboardInterrupt")
    wait_until(lambda: not any(map(is_running, workers)))


def test_workers_end_with_their_parent():
    process, workers = start_script(at=19, seconds=60)
    process.stdout.readline()
    assert all(map(is_running, workers))
    process.kill()
    process.communicate(timeout=10)
    wait_until(lambda: not any(map(is_running, workers)))


def test_exception_in_the_loop_ends_the_workers():
    loader = DataLoader(Squares(), num_workers=2, **FORK)
    workers = []

    def loop():
        iterator = iter(loader)
        workers.extend(iterator._workers)
        for _ in iterator:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        loop()
    gc.collect()
    wait_until(lambda: not any(worker.is_alive() for worker in workers))


def test_an_iterable_set_survives_its_own_exception():
    class Broken(Tape):
        def __iter__(self):
            yield 1
            raise OSError("the disk is gone")

    iterator = iter(DataLoader(Broken(), batch_size=None, num_workers=1, **FORK))
    assert next(iterator) == 1
    with pytest.raises(OSError, match="the disk is gone"):
        next(iterator)
    assert list(iterator) == []


def test_workers_are_started_while_programs_are_compiled():
    """A fork in the midst of the compiler's work leaves no lock behind that a worker would wait for."""

    class Computes(Squares):
        def __getitem__(self, i):
            return (torch.full((3,), float(i)) * 2 + 1).sum()

    for size in range(1, 9):
        x = torch.ones(size, 3)
        for _ in range(3):  # the second run hands the program to the compiler
            (x * size + 1).sum().item()
        pending = x * 3 - 1
        batches = list(DataLoader(Computes(4), batch_size=2, num_workers=2, timeout=30, **FORK))
        assert [batch.tolist() for batch in batches] == [[3.0, 9.0], [15.0, 21.0]]
        assert pending.sum().item() == 6 * size
