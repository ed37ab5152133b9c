"""Programs with time stamps between their kernels: the same results, times that fit, kernels that are told apart."""
import linecache

import numpy as np
import pytest

import flambeau as torch
from flambeau.compiler.description import describe
from flambeau.compiler.executor import CompiledProgram, Segment
from flambeau.compiler.timing import TimedProgram
from flambeau.compiler.peaks import Machine, measure
from flambeau.profiler._collect import Collector
from flambeau.profiler._kernels import KernelTable, describe_times, times_of
from flambeau.runtime.trace import trace


@pytest.fixture
def native():
    """Programs are compiled at first sight, as with FLAMBEAU_EXECUTOR=native."""
    from flambeau.runtime import tiers
    from flambeau.runtime.program import set_executor
    set_executor(tiers.Native())
    yield
    set_executor(tiers.default_executor())


def graph_of(fn):
    """The graph of what `fn` records."""
    collector = Collector()
    collector.start()
    result = fn()
    collector.stop()
    run = collector.runs[-1]
    return run, result


def network(x, w, v):
    h = torch.relu(x @ w)
    return torch.linalg.svdvals(h @ v).sum() + h.mean()


@pytest.mark.parametrize("threads", [1, 2])
def test_stamps_change_no_bit(threads):
    torch.manual_seed(0)
    operands = [torch.randn(70, 300), torch.randn(300, 200), torch.randn(200, 40)]
    run, _ = graph_of(lambda: network(*operands))
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        inputs = [x.numpy() for x in operands]
        compiled = CompiledProgram(run.graph)
        reports = []
        timed = TimedProgram(compiled, lambda *report: reports.append(report))
        expected, found = compiled(inputs), timed(inputs)
        assert [a.tobytes() for a in found] == [a.tobytes() for a in expected]
        (times, start, stop), = reports
        assert len(times) == len(compiled.parts) == len(describe(compiled.source)) == 3  # the host's part is in the middle
        flat = np.concatenate(times)
        assert start <= flat[0] and flat[-1] <= stop and (np.diff(flat) >= 0).all()
        assert [len(works) for works in describe(compiled.source)] == \
            [len(p.steps) if isinstance(p, Segment) else 1 for p in compiled.parts]
    finally:
        torch.set_num_threads(before)


def test_kernels_know_their_work_and_line(native):
    a, b = torch.ones(8, 32), torch.ones(32, 16)
    a.sum().item(), b.sum().item()
    collector = Collector()
    collector.start()
    product = a @ b
    total = torch.linalg.matrix_norm(product.relu() + 1, ord="nuc")
    assert total.item() > 0
    collector.stop()
    kernels = [(k, run.line(k), stop - start) for run in collector.runs for k, start, stop in run.kernels()]
    dot, line, _ = next(k for k in kernels if k[0].work.name.startswith("dot"))
    assert (dot.by, dot.work.flops, dot.work.nbytes) == ("native", 2 * 8 * 32 * 16, 4 * (8 * 32 + 32 * 16 + 8 * 16))
    assert line.filename == __file__ and linecache.getline(*line).strip() == "product = a @ b"
    assert [k.by for k, _, _ in kernels].count("host") == 1 and all(t >= 0 for _, _, t in kernels)
    assert all(sum(share for _, share in k.work.owners) == pytest.approx(1) for k, _, _ in kernels)


def test_a_scan_has_a_kernel_for_each_step(native):
    lstm, x = torch.nn.LSTM(4, 8), torch.randn(5, 2, 4)
    x.sum().item()
    with torch.no_grad():
        run, _ = graph_of(lambda: lstm(x)[0].sum().item())
    names = [k.work.name for k, _, _ in run.kernels()]
    inside = [name for name in names if name.startswith("scan: ")]
    assert len(inside) >= 5 and len(run.parts[0][0]) + 1 == len(run.parts[0][1])


def test_rows_add_up(native):
    x = torch.ones(100)
    x.sum().item()
    collector, table = Collector(), KernelTable()
    collector.start()
    for _ in range(3):
        (x * 2 + 1).sum().item()
    collector.stop()
    for run in collector.runs:
        table.add(run)
    assert sum(row.calls for row in table.rows()) == sum(len(list(run.kernels())) for run in collector.runs)
    text = table.text(Machine(100.0, 10.0))
    assert text.startswith("kernel") and "test_kernels.py:" in text and len(text.splitlines()) == 2 + len(table.rows())
    assert f"{len(table.rows())} kernels more: " in table.text(Machine(100.0, 10.0), row_limit=0)
    times = times_of(collector)
    parts = times.python + times.graphs + times.waiting_for_compiler + times.programs
    assert parts == pytest.approx(times.total) and min(times) >= 0 and times.compiling > 0
    assert "native" in describe_times(times, table.by_executor())


def test_after_a_profile_nothing_looks_on():
    collector = Collector()
    collector.start()
    with pytest.raises(RuntimeError, match="active already"):
        Collector().start()
    with pytest.raises(RuntimeError, match="active already"), torch.explain():
        pass
    collector.stop()
    assert trace.observer is None and type(trace.records) is list


def test_peaks_are_measured_without_a_trace():
    before = torch.get_num_threads()
    machine = measure(1)
    assert machine.gflops > 0.1 and machine.gbytes > 0.1 and torch.get_num_threads() == before
    assert machine.bound(machine.gflops * 1e9, 0) == pytest.approx(1)
