"""The CPU's stream and events: what they answer, and what they refuse."""
import pytest

import flambeau

torch = pytest.importorskip("torch")

ANSWERS = """
s; s.query(); s.synchronize(); s.record_event(); s.record_event(e); s.wait_event(e); s.device.type; s.device_index; s.device_type;
s.stream_id; s.is_capturing(); s == t.Stream("cpu"); s != t.Stream(device=t.device("cpu")); s == 1; hash(s) == hash(t.Stream()); s.__enter__() is s;
e; timed; e.query(); e.record(); e.record(s); e.synchronize(); e.wait(); e.wait(s); e.elapsed_time(e); timed.elapsed_time(timed); timed.elapsed_time(e);
e.device.type; e.event_id; t.Stream(priority=1); t.Event("cpu", blocking=True)
"""


def answer(t, question):
    try:
        return repr(eval(question, {"t": t, "s": t.Stream(), "e": t.Event(), "timed": t.Event(enable_timing=True)}))
    except Exception as error:
        return type(error), str(error)


@pytest.mark.parametrize("question", [q.strip() for q in ANSWERS.split(";")])
def test_stream_and_event(question):
    want, got = answer(torch, question), answer(flambeau, question)
    assert (got[0] == want[0] and got[1].startswith(want[1][:40])) if isinstance(want, tuple) else got == want
