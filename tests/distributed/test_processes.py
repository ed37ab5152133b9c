"""Two and four processes: collectives, training, and what happens when something goes wrong."""
import signal
import time

import pytest

from processes import launch, passed, start

pytest.importorskip("jax")
pytestmark = pytest.mark.slow


@pytest.mark.parametrize("size", [2, 4])
def test_every_collective(size):
    passed(launch(size, "collectives.py"), size)


@pytest.mark.parametrize("size, what", [(2, "all"), (4, "training")])
def test_training_as_in_one_process(size, what):
    passed(launch(size, "parallel.py", what), size)


@pytest.mark.parametrize("size, what", [(2, "all"), (4, "training")])
def test_sharded_training_as_in_one_process(size, what):
    passed(launch(size, "sharded.py", what), size)


def test_processes_that_do_not_call_the_same():
    passed(launch(2, "mistakes.py"), 2)


@pytest.mark.parametrize("size, victim, fault", [(4, 2, "killed"), (2, 0, "killed"), (2, 1, "before a message"), (2, 1, "before gradients"),
                                                 (2, 1, "in backward")])
def test_a_killed_process_ends_all(size, victim, fault, free_port):
    outcomes = start(size, "faults.py", fault, victim, port=free_port)
    for rank, (status, text) in enumerate(outcomes):
        if rank == victim:
            assert status == -9
        else:
            assert status == 3 and f"rank {victim} is gone: its process has ended" in text, text


def test_another_call_in_the_place_of_gradients(free_port):
    """After the first steps, too: nobody waits for the other in a collective of another kind."""
    for status, text in start(2, "faults.py", "another call", 1, port=free_port):
        assert status == 3 and "RuntimeError Detected mismatch between collectives on ranks" in text, text
        assert "gradients of DistributedDataParallel" in text and "TensorShape=[3]" in text


def test_a_slow_process_is_named(free_port):
    outcomes = start(3, "faults.py", "slow", 1, port=free_port)
    for rank in (0, 2):
        status, text = outcomes[rank]
        assert status == 3 and "rank 1 did not come; Timed out waiting 4000ms" in text, text


@pytest.mark.parametrize("victim", [0, 1])
def test_a_stopped_process_does_not_stop_others(victim, free_port):
    """Also where it hosts the store, which does not answer then."""
    outcomes = start(2, "faults.py", "stopped", victim, port=free_port)
    status, text = outcomes[1 - victim]
    words = "has not answered for 4000ms" if victim == 0 else "rank 1 did not come; Timed out waiting 4000ms"
    assert status == 3 and words in text, text


def test_nothing_keeps_a_process_whose_group_has_failed(free_port):
    begin = time.monotonic()
    status, text = start(2, "faults.py", "no end", 1, port=free_port)[0]
    assert status == -signal.SIGALRM and "rank 1 is gone" in text and time.monotonic() - begin < 60
