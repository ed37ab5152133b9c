"""A program in two: what it computes of inputs that stay as they are from run to run, as a model's parameters in inference, and the rest.

Whoever runs it holds what the first part makes, in memory of its own, and runs that part again when such an input has changed. What is
held lies in memory anyway: what is fused into the loops that want it stays there, and all kernels are those of the whole. As it
takes its memory for good, it must be about as small as the inputs that it is made of (transformed, turned or merged weights): to
spread a few numbers over a large buffer costs little more than to read it.
"""
from __future__ import annotations

from typing import Collection, NamedTuple, Sequence

from ..ir.graph import Graph, GraphBuilder, Node, Var
from .executor import CompiledProgram
from .special import CHECKED

GROWTH = 2       # bytes of a held value for each byte of the inputs that it is made of, at most (winograd's filters: 16/9)
WORTH = 1 << 13  # bytes of all held values from which on another program is worth it


class Halves(NamedTuple):
    """first: takes the inputs of these numbers, and makes what is held. rest: takes all inputs, and that behind them."""

    inputs: list[int]
    first: CompiledProgram
    rest: CompiledProgram


def divided(program: CompiledProgram, fixed: Collection[int]) -> Halves | None:
    """The halves of a program, where the inputs of these numbers stay; None if that leaves nothing worth holding."""
    graph = program.graph
    held = _held(graph, program.slot_of, [graph.inputs[i] for i in fixed])
    if sum([v.type.nbytes for v in held]) < WORTH:
        return None
    first = _part(graph, graph.inputs, held)
    used = {v for node in first.nodes for v in node.inputs}
    numbers = [i for i, v in enumerate(first.inputs) if v in used]
    first = Graph([first.inputs[i] for i in numbers], first.nodes, first.outputs)
    rest = _part(graph, (*graph.inputs, *held), graph.outputs)
    return Halves(numbers, CompiledProgram(first, keeps=False, legal=True), CompiledProgram(rest, legal=True))


def _held(graph: Graph, stored: Collection[Var], fixed: Sequence[Var]) -> list[Var]:
    """The values that the rest of the graph reads of those that can be held: stored ones that are made of fixed inputs."""
    sources = {v: frozenset([v]) for v in fixed}
    able: set[Var] = set()
    for node in graph.nodes:
        if node.prim.name not in CHECKED and all([v in sources for v in node.inputs]):
            made_of = frozenset[Var]().union(*[sources[v] for v in node.inputs])
            most = GROWTH * sum([v.type.nbytes for v in made_of])
            sources.update(dict.fromkeys(node.outputs, made_of))
            able.update([v for v in node.outputs if v in stored and v.type.nbytes <= most])
    able.difference_update(graph.outputs)
    rest = _needed_beside(graph.nodes, graph.outputs, able)
    return list(dict.fromkeys([v for node in rest for v in node.inputs if v in able]))


def _needed_beside(nodes: Sequence[Node], outputs: Sequence[Var], given: Collection[Var]) -> list[Node]:
    """The nodes, in order, that some output depends on, where others are given."""
    live = set(outputs)
    kept = []
    for node in reversed(nodes):
        if any([v in live and v not in given for v in node.outputs]):
            kept.append(node)
            live.update(node.inputs)
    return kept[::-1]


def _part(graph: Graph, inputs: Sequence[Var], outputs: Sequence[Var]) -> Graph:
    """The graph from these values to those; equal nodes, which are there on purpose (`rematerialize`), stay."""
    builder = GraphBuilder()
    env = {v: builder.input(v.type) for v in inputs}
    nodes = []
    for node in _needed_beside(graph.nodes, outputs, env):
        made = Node(node.prim, tuple([env[v] for v in node.inputs]), node.params, node.origin)
        made.outputs = tuple([Var(v.type, builder, made) for v in node.outputs])
        env |= {v: new for v, new in zip(node.outputs, made.outputs) if v not in env}
        nodes.append(made)
    return Graph(builder.inputs, nodes, [env[v] for v in outputs])
