"""A model as TensorBoard's graph: one node for each recorded call, inside the modules that made it."""
from __future__ import annotations

from typing import Any

from tensorboard.compat.proto.attr_value_pb2 import AttrValue
from tensorboard.compat.proto.config_pb2 import RunMetadata
from tensorboard.compat.proto.graph_pb2 import GraphDef
from tensorboard.compat.proto.node_def_pb2 import NodeDef
from tensorboard.compat.proto.step_stats_pb2 import DeviceStepStats, StepStats
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.versions_pb2 import VersionDef

from ... import no_grad
from ...ir.types import TensorType
from ...nn import Module
from ...recording import named_storages, recorded_calls, recording
from ...runtime.trace import trace
from ...tensor.tensor import Tensor
from ...utils._pytree import tree_flatten, tree_leaves, tree_unflatten


class _Scopes:
    """Which module makes which call: hooks note how many calls there are whenever a module begins or ends."""

    def __init__(self, model: Module):
        self.changes: list[tuple[int, str]] = [(0, "")]
        self.stack: list[str] = []
        root = type(model).__name__
        self.names = {module: f"{type(module).__name__}[{path.rpartition('.')[2]}]" if path else root
                      for path, module in model.named_modules()}
        self.handles = [h for m in self.names
                        for h in (m.register_forward_pre_hook(self._enter), m.register_forward_hook(self._leave))]

    def _enter(self, module: Module, args: Any) -> None:
        self.stack.append("/".join([*self.stack[-1:], self.names[module]]))
        self.changes.append((len(trace.records), self.stack[-1]))

    def _leave(self, module: Module, args: Any, output: Any) -> None:
        self.stack.pop()
        self.changes.append((len(trace.records), self.stack[-1] if self.stack else ""))

    def of(self, call: int) -> str:
        """The innermost module around a call."""
        return next(scope for at, scope in reversed(self.changes) if at <= call)

    def remove(self) -> None:
        for handle in self.handles:
            handle.remove()


class _Nodes:
    """The nodes of a graph, with names of their own; edges lead from the node that made a value."""

    def __init__(self) -> None:
        self.nodes: list[NodeDef] = []
        self._makers: dict[int, str] = {}
        self._taken: set[str] = set()

    def add(self, name: str, op: str, inputs: list[int], types: list[TensorType], outputs: list[int]) -> None:
        unique, n = name, 0
        while unique in self._taken:
            n += 1
            unique = f"{name}_{n}"
        self._taken.add(unique)
        shapes = AttrValue(list=AttrValue.ListValue(shape=[_shape(t) for t in types]))
        sources = [self._makers[i] for i in inputs if i in self._makers]
        self.nodes.append(NodeDef(name=unique, op=op, input=sources, attr={"_output_shapes": shapes}))
        self._makers.update(dict.fromkeys(outputs, unique))


def model_graph(model: Module, args: Any, verbose: bool = False) -> tuple[GraphDef, RunMetadata]:
    """The graph of model(*args); nothing is computed. LooksAtValues for models whose course depends on values."""
    leaves, spec = tree_flatten(tuple(args) if isinstance(args, (tuple, list)) else (args,))
    places = [i for i, x in enumerate(leaves) if isinstance(x, Tensor)]
    storages = named_storages(model)
    scopes = _Scopes(model)
    made = _Nodes()
    try:
        types = [leaves[i]._value().type for i in places]
        with no_grad(), recording(list(storages.values()), types) as (given, inputs):
            for i, t in zip(places, inputs):
                leaves[i] = t
            results = [t._value().slot for t in tree_leaves(model(*tree_unflatten(leaves, spec)))
                       if isinstance(t, Tensor)]
            calls = list(recorded_calls(len(given)))
    finally:
        scopes.remove()
    used = {slot for _, operands, _ in calls for slot in operands} | set(results)
    names = [*[f"{type(model).__name__}/{name.replace('.', '/')}" for name in storages],
             *[f"input/{i}" for i in range(len(inputs))]]
    for slot, (name, value) in enumerate(zip(names, given)):
        if slot in used:
            made.add(name, "IO Node" if slot >= len(storages) else "Parameter", [], [value.type], [slot])
    for n, (called, operands, outputs) in enumerate(calls):
        scope = scopes.of(n)
        made.add(f"{scope}/{called.name}" if scope else called.name, called.name, operands, list(called.out_types),
                 outputs)
    for i, slot in enumerate(results):
        made.add(f"output/{i}", "IO Node", [slot], [], [])
    graph = GraphDef(node=made.nodes, versions=VersionDef(producer=22))
    if verbose:
        print(graph)
    return graph, RunMetadata(step_stats=StepStats(dev_stats=[DeviceStepStats(device="/device:CPU:0")]))


def _shape(type: TensorType) -> TensorShapeProto:
    return TensorShapeProto(dim=[TensorShapeProto.Dim(size=n) for n in type.shape])
