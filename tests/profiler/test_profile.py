"""torch.profiler: events by op and range, tables, traces, steps."""
import gzip
import json
import os
import threading

import pytest

import flambeau as torch
from flambeau.profiler import (ProfilerAction, ProfilerActivity, profile, record_function, schedule, supported_activities,
                               tensorboard_trace_handler)
from flambeau.runtime.trace import trace


def averages(prof, **how):
    return {e.key: e for e in prof.key_averages(**how)}


def test_ops_and_ranges():
    model, x = torch.nn.Linear(6, 3), torch.ones(4, 6)
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as prof:
        with record_function("outer"):
            for _ in range(2):
                with record_function("inner"):
                    y = model(x)
            y.exp()
    found = averages(prof)
    assert [found[name].count for name in ("outer", "inner", "aten::linear", "aten::exp")] == [1, 2, 2, 1]
    assert found["aten::linear"].self_cpu_time_total > 0 and found["aten::exp"].self_cpu_time_total > 0  # though nobody reads them
    outer = next(e for e in prof.events() if e.name == "outer")
    assert [c.name for c in outer.cpu_children] == ["inner", "inner", "aten::exp"]
    assert outer.cpu_time_total == pytest.approx(prof.key_averages().self_cpu_time_total - _compile_time(prof))
    assert outer.self_cpu_time_total > 0
    shapes = [e.input_shapes for e in prof.key_averages(group_by_input_shape=True) if e.key == "aten::linear"]
    assert shapes == [[[4, 6], [3, 6], [3]]]


def _compile_time(prof):
    return sum(e.self_cpu_time_total for e in prof.events() if e.name == "flambeau::compile")


def test_a_training_step():
    torch.manual_seed(0)
    model, x = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.Tanh(), torch.nn.Linear(5, 1)), torch.ones(4, 6)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with profile(profile_memory=True, with_flops=True, with_stack=True) as prof:
        for _ in range(6):  # from the interpreter to native code
            model(x).sum().backward()
            optimizer.step()
            optimizer.zero_grad()
    found = averages(prof)
    assert found["aten::linear"].count == 12 and found["AddmmBackward0"].count == 12 and found["TanhBackward0"].count == 6
    assert found["AddmmBackward0"].cpu_time_total > 0
    assert found["Optimizer.step#SGD.step"].count == 6
    assert found["aten::linear"].flops == 6 * (2 * 4 * 6 * 5 + 2 * 4 * 5)
    assert found["autograd::engine::execute"].count == 6
    line = found["aten::linear"].stack
    assert line == [] and __file__ in averages(prof, group_by_stack_n=1)["aten::linear"].stack[0]
    table = prof.key_averages(group_by_stack_n=2).table(sort_by="self_cpu_time_total", row_limit=3, header="head", time_unit="us")
    assert table.startswith("=") and "head" in table and "Source Location" in table and "Total FLOPs" in table and "CPU Mem" in table


def test_results_are_those_without_a_profiler():
    def steps():
        torch.manual_seed(0)
        model, x = torch.nn.Sequential(torch.nn.Linear(30, 40), torch.nn.Dropout(0.5), torch.nn.Linear(40, 3)), torch.randn(50, 30)
        optimizer = torch.optim.Adam(model.parameters())
        for _ in range(8):
            loss = model(x).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return [p.detach().numpy().tobytes() for p in model.parameters()], loss.item()
    for _ in range(4):  # from now on all programs are native
        steps()
    expected = steps()
    with profile():
        found = steps()
    assert found == expected
    assert steps() == expected


def test_a_compiled_step_is_bound_again_afterwards():
    model, x = torch.nn.Linear(4, 2), torch.ones(3, 4)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    @torch.compile
    def step():
        loss = model(x).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss
    for _ in range(10):
        step()
    with profile() as prof:
        for _ in range(120):
            step()
    names = averages(prof)
    assert names["AddmmBackward0"].count == 120 and names["aten::linear"].count == 120
    for _ in range(5):
        step()
    replays = [r for kind in step.__closure__[0].cell_contents._kinds.values() for r in kind.replays] if step.__closure__ else []
    assert any(r._bound is not None for r in replays)


def test_the_trace_is_one_that_browsers_open(tmp_path):
    x = torch.ones(50, 50)
    with profile() as prof:
        with record_function("part"):
            (x @ x).sum().item()
        prof.add_metadata("who", 'a "name"')
        prof.add_metadata_json("n", "[1, 2]")
    for path in (tmp_path / "trace.json", tmp_path / "trace.json.gz"):
        prof.export_chrome_trace(str(path))
        with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as f:
            trace_file = json.load(f)
        assert trace_file["who"] == 'a "name"' and trace_file["n"] == [1, 2]
        events = trace_file["traceEvents"]
        assert all({"ph", "name", "pid", "tid", "ts"} <= e.keys() for e in events)
        assert all(e["dur"] >= 0 for e in events if e["ph"] == "X")
        kernels = [e for e in events if e.get("cat") == "kernel"]
        assert any(e["name"].startswith("dot") and e["args"]["line"].startswith("test_profile.py:") for e in kernels)
        program = next(e for e in events if e.get("cat") == "program")
        assert all(program["ts"] <= k["ts"] and k["ts"] + k["dur"] <= program["ts"] + program["dur"] + 1e-3
                   for k in kernels if k["tid"] == program["tid"] and k["ts"] < program["ts"] + program["dur"])
        assert {"part", "aten::matmul"} <= {e["name"] for e in events}


def test_steps_and_handlers(tmp_path):
    seen = []
    x = torch.ones(3)

    def ready(prof):
        seen.append((prof.step_num, averages(prof)["ProfilerStep*"].count, averages(prof)["aten::mul"].count))
    with pytest.warns(UserWarning, match="clears events"), \
            profile(schedule=schedule(wait=1, warmup=1, active=2, repeat=2), on_trace_ready=ready) as prof:
        for _ in range(10):
            x * 3
            prof.step()
    assert seen == [(4, 2, 2), (8, 2, 2)] and trace.observer is None
    with profile(on_trace_ready=tensorboard_trace_handler(str(tmp_path / "new"), "me")):
        x * 2
    file, = os.listdir(tmp_path / "new")
    assert file.startswith("me.") and file.endswith(".pt.trace.json") and json.loads((tmp_path / "new" / file).read_text())


def test_events_of_earlier_cycles_can_be_kept():
    with profile(schedule=schedule(wait=0, warmup=1, active=1), acc_events=True) as prof:
        for _ in range(4):
            torch.ones(3) * 2
            prof.step()
    assert averages(prof)["aten::mul"].count == 2


def test_record_function_decorates_and_costs_nothing_without_a_profiler():
    @record_function("work")
    def work(n):
        """doc"""
        return n if n == 0 else work(n - 1)
    assert work(3) == 0 and work.__doc__ == "doc"
    with profile() as prof:
        work(2)
        other = threading.Thread(target=work, args=(0,))
        other.start()
        other.join()
    assert averages(prof)["work"].count == 4
    assert [e.cpu_parent is None for e in prof.events()] == [True, False, False, True]


def test_errors():
    with pytest.raises(AssertionError, match="No valid profiler activities"):
        profile(activities=[])
    with pytest.raises(AssertionError, match="must be initialized"):
        profile().key_averages()
    with pytest.raises(AssertionError, match="requires with_stack"), profile() as prof:
        prof.export_stacks("nowhere")
    with profile(), pytest.raises(RuntimeError, match="active already"), profile():
        pass
    assert trace.observer is None
    with pytest.raises(ValueError, match="must not be returned"):
        profile(schedule=lambda step: ProfilerAction.DEVICE_STOPPED)
    assert supported_activities() == {ProfilerActivity.CPU}


def test_stacks_for_flame_graphs(tmp_path):
    x = torch.rand(200, 200)
    with profile(with_stack=True) as prof:
        (x @ x).exp().sum().item()
    prof.export_stacks(str(tmp_path / "stacks"))
    lines = (tmp_path / "stacks").read_text().splitlines()
    assert lines and all("test_profile.py" in line and int(line.rsplit(" ", 1)[1]) > 0 for line in lines)
    with pytest.raises(ValueError, match="metric should be one of"):
        prof.export_stacks(str(tmp_path / "stacks"), "time")


def test_the_profile_of_autograd():
    x = torch.ones(3)
    with torch.autograd.profiler.profile(record_shapes=True) as prof:
        (x + 1).sum().item()
    assert "aten::add" in prof.table() and "aten::add" in str(prof) and prof.total_average().key == "Total"
    assert prof.self_cpu_time_total == pytest.approx(prof.function_events.self_cpu_time_total)
    with torch.autograd.profiler.profile(enabled=False) as none:
        assert none is None


def test_kernels_as_a_table():
    x = torch.ones(30, 30)
    with profile() as prof:
        (x @ x).sum().item()
    text = prof.kernel_table()
    assert text.startswith("kernel") and "\ndot 30×30" in text and "waiting for the compiler" in text
