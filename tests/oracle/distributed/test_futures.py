"""torch.futures beside PyTorch's."""
import pytest

torch = pytest.importorskip("torch")

from flambeau import futures as ours  # noqa: E402


def story(futures):
    """What happens, step by step."""
    told = []

    def tell(fn):
        try:
            told.append(fn())
        except Exception as error:
            told.append(type(error).__name__)
    first = futures.Future()
    told.append(first.done())
    second = first.then(lambda done: done.value() + 1)
    failing = second.then(lambda done: done.value() / 0)
    after = failing.then(lambda done: done.value())
    first.add_done_callback(lambda done: told.append(("called", done.value())))
    tell(second.value)
    first.set_result(1)
    told.append((first.done(), second.done(), failing.done()))
    tell(first.wait)
    tell(second.wait)
    tell(failing.wait)
    tell(after.value)
    tell(lambda: first.set_result(2))
    first.add_done_callback(lambda done: told.append("at once"))
    wrong = futures.Future()
    tell(lambda: wrong.set_exception("text"))
    wrong.set_exception(KeyError("lost"))
    tell(wrong.wait)
    tell(lambda: [each.value() for each in futures.collect_all([first, second]).wait()])
    tell(lambda: futures.wait_all([first, second]))
    tell(lambda: futures.wait_all([first, wrong]))
    tell(lambda: futures.collect_all([]).wait())
    return told


def test_as_pytorchs():
    theirs = story(torch.futures)
    assert story(ours) == theirs and len(theirs) == 16
