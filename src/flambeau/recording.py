"""A model's forward pass as recorded calls: its arguments and parameters stand for values that nobody has computed.

Exporters read the calls (`onnx`, `utils.tensorboard`). A model that looks at values while it runs cannot be recorded.
"""
from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Iterator, Sequence

from .ir.types import TensorType
from .nn import Module
from .runtime.observer import Observer
from .runtime.trace import Value, trace
from .tensor.tensor import Tensor, make_tensor

UNLIMITED = 1 << 60  # room in a trace for a whole model


class LooksAtValues(RuntimeError):
    """Raised where a model that is being recorded asks for the value of a tensor."""

    def __init__(self) -> None:
        super().__init__("the model looks at the values of a tensor while it runs (item(), a condition, a loop over lengths, boolean "
                         "masks): what it does next depends on them, and cannot be recorded as a graph")


class _Records(list):
    """The calls of a model that is being recorded: they can be appended to, but not run."""

    def __iter__(self) -> Any:
        trace.sites = {}  # what fails is not one of the calls
        raise LooksAtValues


class _Guard(Observer):
    """An observer of the trace, so that it records into `_Records`."""

    def new_records(self) -> list[tuple]:
        return _Records()


def named_storages(model: Module) -> dict[str, Any]:
    """The storages of a model's parameters and buffers, by the first name of each."""
    found: dict[int, tuple[str, Any]] = {}
    for named in (model.named_parameters(remove_duplicate=False), model.named_buffers(remove_duplicate=False)):
        for name, t in named:
            found.setdefault(id(t._storage), (name, t._storage))
    return {name: storage for name, storage in found.values()}


@contextmanager
def recording(storages: Sequence[Any], types: Sequence[TensorType]) -> Iterator[tuple[list[Value], list[Tensor]]]:
    """Inside, calls are recorded and not run, and the storages hold values that nobody has computed. Yields these values,
    those of `types` after them, and tensors of the latter. `recorded_calls` has the calls. Afterwards all is as it was.
    """
    observer, trace.observer = trace.observer, _Guard()
    with trace.aside():
        trace.room = UNLIMITED
        before = [storage.value for storage in storages]
        given = [_pending(type) for type in [*[value.type for value in before], *types]]
        epoch = trace.epoch
        for storage, value in zip(storages, given):
            storage.value = value
        try:
            yield given, [make_tensor(value) for value in given[len(before):]]
        except RuntimeError as error:
            if trace.epoch == epoch or isinstance(error, LooksAtValues):
                raise
            raise LooksAtValues from error  # there was nothing to run for the value that it asked for
        finally:
            for storage, value in reversed(trace.undo):
                storage.restore(value)
            for storage, value in zip(storages, before):
                storage.value = value
            trace.observer = observer


def _pending(type: TensorType) -> Value:
    """A value of the current trace that nothing computes."""
    value = Value(type)
    value.epoch, value.slot = trace.epoch, len(trace.slots)
    trace.slots.append(value)
    return value


def recorded_calls(given: int) -> Iterator[tuple[Any, list[int], list[int]]]:
    """(specialization, operands, results) of each recorded call, by slot; the first `given` slots are what it started from."""
    known = set(range(given))
    for spec, *operands in list.__iter__(trace.records):
        known.update(operands)
        results = list(range(len(known), len(known) + len(spec.graph.outputs)))
        known.update(results)
        yield spec, operands, results
