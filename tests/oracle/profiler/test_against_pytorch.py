"""torch.profiler beside PyTorch's: the state machine of schedules, columns, names of ranges, counts of ops."""
import itertools
import warnings

import pytest

torch = pytest.importorskip("torch")

import flambeau

SIDES = [torch, flambeau]


def both(fn):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [fn(side) for side in SIDES]


def outcome(fn, *args):
    try:
        return fn(*args)
    except Exception as error:
        return type(error).__name__, str(error)


@pytest.mark.parametrize("skip_first,skip_first_wait", [(0, 0), (3, 0), (2, 1)])
@pytest.mark.parametrize("repeat", [0, 1, 2])
def test_schedules(repeat, skip_first, skip_first_wait):
    for wait, warmup, active in itertools.product(range(3), range(3), range(1, 4)):
        def names(side):
            fn = side.profiler.schedule(wait=wait, warmup=warmup, active=active, repeat=repeat, skip_first=skip_first,
                                        skip_first_wait=skip_first_wait)
            return [fn(step).name for step in range(30)]
        expected, found = both(names)
        assert found == expected


@pytest.mark.parametrize("numbers", [(-1, 1, 1), (0, -1, 1), (0, 1, 0)])
def test_schedules_that_are_none(numbers):
    def message(side):
        wait, warmup, active = numbers
        return outcome(lambda: side.profiler.schedule(wait=wait, warmup=warmup, active=active))
    expected, found = both(message)
    assert found == expected
    expected, found = both(lambda side: outcome(side.profiler.schedule(wait=1, warmup=1, active=1), -1))
    assert found == expected


ACTIONS = ["NONE", "WARMUP", "RECORD", "RECORD_AND_SAVE"]


def transitions(side, actions):
    """What a profile does in steps with these actions, and what it warns of."""
    done = []

    class Recorded(side.profiler.profile):
        def prepare_trace(self):
            done.append("prepare")

        def start_trace(self):
            done.append("start")

        def stop_trace(self):
            done.append("stop")
    enum = side.profiler.ProfilerAction
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with Recorded(schedule=lambda step: enum[actions[step]], on_trace_ready=lambda prof: done.append(prof.step_num)) as prof:
            for _ in actions[1:]:
                prof.step()
                done.append(prof.current_action.name)
    return done, [str(w.message) for w in caught]


@pytest.mark.parametrize("first", ACTIONS)
def test_the_state_machine(first):
    for rest in itertools.product(ACTIONS, repeat=2):
        assert transitions(flambeau, [first, *rest]) == transitions(torch, [first, *rest]), rest


def columns(table):
    return [part.strip() for part in table.splitlines()[1].split("  ") if part.strip()]


@pytest.mark.parametrize("options,group", [({}, {}), ({"record_shapes": True}, {"group_by_input_shape": True}), ({"profile_memory": True}, {}),
                                           ({"with_flops": True, "profile_memory": True}, {})])
def test_columns(options, group):
    def table(side):
        x = side.ones(300, 300)
        with side.profiler.profile(activities=[side.profiler.ProfilerActivity.CPU], **options) as prof:
            with side.profiler.record_function("model_inference"):
                side.mm(x, x)
        return prof.key_averages(**group)
    expected, found = both(table)
    assert columns(found.table(row_limit=10)) == columns(expected.table(row_limit=10))
    rows = [{e.key: (e.count, e.flops, str(e.input_shapes)) for e in events if e.key in ("model_inference", "aten::mm")}
            for events in (expected, found)]
    assert rows[1]["aten::mm"] == rows[0]["aten::mm"] and rows[1]["model_inference"][0] == 1
    for text in (events.table(sort_by="cpu_time_total", row_limit=1) for events in (expected, found)):
        assert len(text.splitlines()) == 6 and text.splitlines()[-1].startswith("Self CPU time total: ") and text.endswith("\n")


def test_counts_of_a_training_step():
    def counts(side):
        side.manual_seed(0)
        model, x = side.nn.Sequential(side.nn.Linear(6, 5), side.nn.ReLU(), side.nn.Linear(5, 1)), side.ones(4, 6)
        optimizer = side.optim.SGD(model.parameters(), 0.1)
        with side.profiler.profile(schedule=side.profiler.schedule(wait=1, warmup=1, active=3, repeat=1)) as prof:
            for _ in range(6):
                model(x).sum().backward()
                optimizer.step()
                optimizer.zero_grad()
                prof.step()
        found = {e.key: e.count for e in prof.key_averages()}
        return [found.get(k) for k in ("ProfilerStep*", "aten::linear", "aten::relu", "aten::sum", "AddmmBackward0", "ReluBackward0",
                                       "Optimizer.step#SGD.step")]
    expected, found = both(counts)
    assert found[:3] == expected[:3] and found[4:] == expected[4:]


def test_enumerations_and_texts():
    for name in ("CPU", "CUDA", "XPU", "MTIA", "HPU", "PrivateUse1"):
        assert repr(flambeau.profiler.ProfilerActivity[name]) == repr(torch.profiler.ProfilerActivity.__members__[name])
    for name, member in torch.profiler.DeviceType.__members__.items():
        assert repr(flambeau.profiler.DeviceType[name]) == repr(member)
    assert {a.name: a.value for a in flambeau.profiler.ProfilerAction} == {a.name: a.value for a in torch.profiler.ProfilerAction}
    expected, found = both(lambda side: outcome(lambda: side.profiler.profile(activities=[])))
    assert found == expected
    expected, found = both(lambda side: outcome(lambda: side.profiler.profile().key_averages()))
    assert found == expected


def test_times_and_sizes_as_text():
    from flambeau.autograd import profiler_util as ours
    from torch.autograd import profiler_util as theirs
    for t in (0.0, 0.5, 999.9, 1000.0, 12345.678, 1e6, 3.21e8):
        assert ours._time(t) == theirs._format_time(t) and ours._share(t, 4e8) == theirs._format_time_share(t, 4e8)
    for n in (0, 1, -5, 1023, 1024, -4096, 5 << 20, 7 << 30):
        assert ours._memory(n) == theirs._format_memory(n)
    assert ours._share(0, 0) == theirs._format_time_share(0, 0)


def test_cells_of_the_same_events():
    def table(util):
        events = util.EventList([util.FunctionEvent(i, name, 1, start, end) for i, (name, start, end) in
                                 enumerate([("a", 0, 1500), ("a", 1500, 2000), ("b" * 60, 2000, 2000.5)])])
        if util is torch.autograd.profiler_util:
            for e in events:
                e.input_shapes, e.stack, e.overload_name, e.flops, e.is_user_annotation = [], [], "", 0, False
            events._build_tree()
        return events.key_averages().table(sort_by="count", header="title", time_unit="ms"), events.key_averages().table(row_limit=1)
    from flambeau.autograd import profiler_util
    assert table(profiler_util) == table(torch.autograd.profiler_util)
