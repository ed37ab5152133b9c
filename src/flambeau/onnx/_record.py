"""A forward pass, recorded and turned into ONNX calls: arguments and parameters are inputs, and nothing is computed."""
from __future__ import annotations

from typing import Any, Iterator, NamedTuple, Sequence

from .. import get_rng_state, no_grad, set_rng_state, zeros
from ..ir.types import TensorType, tensor_type
from ..nn import Module
from ..recording import UNLIMITED, LooksAtValues, named_storages, recorded_calls, recording
from ..runtime.trace import SCALAR_TYPES, Value, flush, trace
from ..tensor.tensor import Tensor
from ..utils._pytree import TreeSpec, tree_leaves, tree_unflatten
from . import _operators
from ._emit import Array, Call, Emitter, OnnxExporterError, Operand, Scalar
from ._primitives import lower_graph


class Arguments(NamedTuple):
    """The model's arguments: leaves of (args, kwargs), which of them are tensors, and their names."""

    leaves: list[Any]
    spec: TreeSpec
    places: list[int]
    names: list[str]

    def types(self) -> list[TensorType]:
        return [self.leaves[i]._value().type for i in self.places]

    def filled(self, tensors: Sequence[Tensor]) -> tuple[tuple, dict]:
        """(args, kwargs) with other tensors in the places of the given ones."""
        leaves = list(self.leaves)
        for place, t in zip(self.places, tensors):
            leaves[place] = t
        return tree_unflatten(leaves, self.spec)


class Sample(NamedTuple):
    """The calls of a recorded pass that its results need, the types of all names, the results, their types, names."""

    calls: list[Call]
    types: dict[str, TensorType]
    outputs: list[Any]
    output_types: list[TensorType]
    output_names: list[str]


def record_sample(model: Module, arguments: Arguments, shapes: Sequence[tuple[int, ...]], opset: int,
                  output_names: Sequence[str]) -> Sample:
    """Records model(…) on tensors of these shapes. output_names: of the first results; the others get their own."""
    types = [tensor_type(t.dtype, shape) for t, shape in zip(arguments.types(), shapes)]
    with no_grad():
        _warm_up(model, arguments, types)
        storages = named_storages(model)
        try:
            with recording(list(storages.values()), types) as (given, inputs):
                args, kwargs = arguments.filled(inputs)
                results = named_results(model(*args, **kwargs), output_names)
                names = [*storages, *arguments.names]
                return _lower(Emitter(opset, results), names, given, {name: t._value() for name, t in results.items()})
        except LooksAtValues as error:
            raise OnnxExporterError(str(error)) from error


def _warm_up(model: Module, arguments: Arguments, types: Sequence[TensorType]) -> None:
    """Runs the model once outside the recording: what it keeps from its first pass at a size is computed, and so a
    constant. Nothing else is computed, as nothing looks at it."""
    example = [arguments.leaves[i] for i in arguments.places]
    args, kwargs = arguments.filled([x if x.shape == t.shape else zeros(t.shape, dtype=t.dtype)
                                     for x, t in zip(example, types)])
    flush()
    before = [(storage, storage.value) for storage in named_storages(model).values()]
    state = get_rng_state()
    with trace.lock:
        trace.room = UNLIMITED
        try:
            model(*args, **kwargs)
        finally:
            del args, kwargs, example
            for storage, value in before:  # statistics of a training pass
                storage.value = value
            flush()
    set_rng_state(state)


def named_results(result: Any, given: Sequence[str]) -> dict[str, Tensor]:
    """The tensors that a model returned, by name: the given ones first, then a dict's keys, or "output_1" and so on."""
    leaves = [(path, t) for path, t in _leaves(result, "") if isinstance(t, Tensor)]
    if not leaves:
        raise OnnxExporterError("the model returns no tensor")
    if len(given) > len(leaves):
        raise ValueError(f"{len(given)} output names were given, but the model has {len(leaves)} outputs")
    numbered = ["output"] if len(leaves) == 1 else [f"output_{i}" for i in range(len(leaves))]
    names = [path or number for (path, _), number in zip(leaves, numbered)]
    names[:len(given)] = given
    if len(set(names)) < len(names):
        raise ValueError(f"output names are not unique: {names}")
    return {name: t for name, (_, t) in zip(names, leaves)}


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Leaves of a result with the keys that lead to them."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, (tuple, list)) and path == "":
        for item in value:
            yield from _leaves(item, path)
    else:
        for i, item in enumerate(leaves := tree_leaves(value)):
            yield (path if len(leaves) == 1 else f"{path}.{i}") if path else "", item


def _lower(em: Emitter, names: Sequence[str], given: Sequence[Value], results: dict[str, Value]) -> Sample:
    env: dict[int, Operand] = {value.slot: em.input(name, value.type) for name, value in zip(names, given)}
    for spec, operands, made in recorded_calls(len(given)):
        for slot in operands:
            if slot not in env:
                env[slot] = _constant(trace.slots[slot])
        em.label = spec.name
        env.update((slot, out) for slot, out in zip(made, _lower_call(em, spec, [env[i] for i in operands]))
                   if out is not None)
    outputs = [env[value.slot] if value.epoch == trace.epoch else _constant(value) for value in results.values()]
    refs = [em.real(x) for x in outputs]
    return Sample(_needed(em.calls, refs), em.types, refs, [x.type for x in outputs], list(results))


def _needed(calls: list[Call], outputs: list[Any]) -> list[Call]:
    live = {ref for ref in outputs if isinstance(ref, str)}
    kept = []
    for call in reversed(calls):
        if not live.isdisjoint(call.outputs):
            kept.append(call)
            live.update(ref for ref in call.inputs if isinstance(ref, str))
    return kept[::-1]


def _lower_call(em: Emitter, spec: Any, operands: list[Operand]) -> list[Operand | None]:
    rule = _operators.RULES.get(spec.name.removesuffix("_")) if spec.arguments is not None else None
    if rule is not None:
        env = dict(zip(spec.graph.inputs, operands))

        def given(x: Any) -> Any:
            return [given(y) for y in x] if isinstance(x, list) else env.get(x, x) if x.__hash__ is not None else x
        made = rule(em, {name: given(x) for name, x in spec.arguments.items()}, spec.out_types)
        if made is not None:
            return [made] if isinstance(made, Operand) else made
    return list(lower_graph(em, spec.graph, operands))


def _constant(value: Any) -> Operand:
    """What enters the trace from outside: a number, or a tensor that is no parameter."""
    if value.__class__ is not Value:
        type = SCALAR_TYPES[value.__class__]
        return Operand(Scalar(value, type.dtype), tensor_type(type.dtype, ()))
    return Operand(Array(value.array(), value.type.dtype), value.type)

