"""Python goes on while a program runs: every observation waits, errors arrive, nothing is lost."""
import os
import threading

import numpy as np
import pytest

import flambeau as torch
from flambeau.runtime import tiers
from flambeau.runtime.program import set_executor
from flambeau.runtime.trace import flush, land, trace


@pytest.fixture(autouse=True)
def two_threads(monkeypatch):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    monkeypatch.setattr(tiers, "COMPILE_AT", 1)
    monkeypatch.setattr(tiers, "SWITCH_AT", 2)
    set_executor(tiers.Tiered())
    yield
    set_executor(tiers.default_executor())
    torch.set_num_threads(before)


def big_step(x):
    """Enough work for the team."""
    return (x * 2 + 1).relu() @ x


def in_flight(run, times=4):
    """The result of the last of some runs, which is under way."""
    for _ in range(times):
        out = run()
        flush()
    assert trace.flight is not None
    return out


def test_observation_waits():
    x = torch.ones(300, 300)
    out = in_flight(lambda: big_step(x))
    assert out.sum().item() == 3 * 300 ** 3
    assert trace.flight is None


def test_numpy_and_views_wait():
    x = torch.ones(300, 300)
    for look in (lambda t: t.numpy()[0, 0], lambda t: t[5, 7].item(), lambda t: t.tolist()[299][0], lambda t: t[:, 3].numpy()[9]):
        assert look(in_flight(lambda: big_step(x))) == 900


def test_one_program_feeds_the_next():
    x = torch.full((300, 300), 1 / 300)
    with torch.no_grad():
        y = x
        for _ in range(12):
            y = (y @ x).relu()
            flush()
    assert torch.allclose(y, x)


def test_parameters_are_updated_in_place_step_after_step():
    w = torch.ones(300, 300, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.5)
    addresses = set()
    for _ in range(12):
        optimizer.zero_grad()
        (w * 2).sum().backward()
        optimizer.step()
        addresses.add(w._storage.value.address)
    assert w.detach().unique().tolist() == [1 - 12.0]
    assert len(addresses - {0}) == 1


def test_memory_that_numpy_sees_is_read_at_once():
    a = np.ones((300, 300), np.float32)
    x = torch.from_numpy(a)
    for k in range(1, 8):
        a[:] = k
        out = big_step(x)
        a[:] = -5
        assert out[0, 0].item() == (2 * k + 1) * k * 300


def test_a_bad_index_is_told_when_it_is_observed_and_takes_the_step_back():
    table = torch.ones(200, 300, requires_grad=True)
    optimizer = torch.optim.SGD([table], lr=1.0)
    good, bad = torch.arange(200) % 7, torch.arange(200) + 1

    def step(rows):
        optimizer.zero_grad()
        torch.nn.functional.embedding(rows + 0, table).pow(2).sum().backward()
        optimizer.step()
    for _ in range(6):
        step(good)
    before = table.detach().clone().numpy()
    with pytest.raises(IndexError):
        step(bad)
        table.sum().item()
    assert (table.detach().numpy() == before).all()
    step(good)
    assert not (table.detach().numpy() == before).all()


def test_number_of_threads_changes_in_flight():
    x = torch.ones(300, 300)
    out = in_flight(lambda: big_step(x))
    torch.set_num_threads(3)
    assert out[0, 0].item() == 900


def test_other_threads_see_finished_results():
    x = torch.ones(300, 300)
    seen = []
    for _ in range(20):
        out = big_step(x)
        flush()
        thread = threading.Thread(target=lambda: seen.append(out[1, 1].item()))
        thread.start()
        thread.join()
    assert seen == [900.0] * 20


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_fork_in_flight():
    x = torch.ones(300, 300)
    out = in_flight(lambda: big_step(x))
    pid = os.fork()
    if pid == 0:
        os._exit(0 if out[2, 2].item() == 900 and big_step(x)[0, 0].item() == 900 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert out[0, 0].item() == 900


def test_landing_twice_is_nothing():
    land()
    land()


@pytest.mark.parametrize("n, threads", [(3, 2), (300, 2), (300, 1)])
def test_a_run_is_prepared_once(monkeypatch, n, threads):
    """Also one that is not worth the team, or has none."""
    from flambeau.compiler.executor import CompiledProgram
    torch.set_num_threads(threads)
    x = torch.ones(n, n)
    for _ in range(3):
        big_step(x).sum().item()
    prepared = []
    original = CompiledProgram._prepare
    monkeypatch.setattr(CompiledProgram, "_prepare", lambda self, *args: prepared.append(self) or original(self, *args))
    for _ in range(4):
        big_step(x).sum().item()
    assert len(prepared) == 4
