"""torch.multiprocessing: one function in several processes."""
import multiprocessing
import pickle
import time

import pytest

import spawned
from flambeau import multiprocessing as mp


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_each_process_gets_its_number(tmp_path, method):
    assert mp.start_processes(spawned.write, (str(tmp_path), "process"), nprocs=2, start_method=method) is None
    assert [(tmp_path / str(i)).read_text() for i in range(2)] == ["process 0", "process 1"]


def test_without_waiting(tmp_path):
    context = mp.spawn(spawned.write, (str(tmp_path), "process"), nprocs=1, join=False)
    assert len(context.pids()) == 1
    while not context.join(timeout=30):
        pass
    assert (tmp_path / "0").exists() and context.join()


@pytest.mark.parametrize("how, error, words", [
    ("raise", mp.ProcessRaisedException, r"-- Process 1 terminated with the following error:\n[\s\S]*ValueError: that was it"),
    ("exit", mp.ProcessExitedException, "process 1 terminated with exit code 5"),
    ("kill", mp.ProcessExitedException, "process 1 terminated with signal SIGKILL"),
])
def test_the_first_failure_is_raised_and_ends_the_others(how, error, words):
    begin = time.monotonic()
    with pytest.raises(error, match=words) as caught:
        mp.start_processes(spawned.fail, (1, how), nprocs=2, start_method="fork")
    assert time.monotonic() - begin < 30 and caught.value.error_index == 1
    copy = pickle.loads(pickle.dumps(caught.value))
    assert str(copy) == str(caught.value) and copy.error_pid == caught.value.error_pid


def test_it_is_pythons_multiprocessing():
    assert mp.Queue == multiprocessing.Queue and mp.get_context("spawn") is multiprocessing.get_context("spawn")
    assert mp.get_sharing_strategy() in mp.get_all_sharing_strategies()
    mp.set_sharing_strategy("file_system")
    with pytest.raises(AssertionError, match="nonsense"):
        mp.set_sharing_strategy("nonsense")
