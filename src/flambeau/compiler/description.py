"""What the kernels of a program compute, for who measures them: names, operations, bytes, and whose calls they are.

A fused multiply-add counts as two operations, any other elementwise call as one for each element; of a convolution by minimal
filtering the products that it does count, which are fewer than those of the definition. Bytes are those of the memory that a
kernel reads and writes, each byte once.
"""
from __future__ import annotations

from math import prod
from typing import Iterable, NamedTuple, Sequence

from ..ir.graph import Graph, Node, Var
from .emission import work
from .expression import Load, loads
from .memory import reads_of, targets
from .plan import plan
from .schedule import Contract, Fill, Host, Map, Scan, Special, Step

MOST_NAMES = 6  # primitives that a kernel's name tells


class Work(NamedTuple):
    """A kernel's work. flops, nbytes: in one run. owners: the recorded calls that it works for, as `Node.origin` has them, each
    with its share, which add up to 1."""

    name: str
    flops: float
    nbytes: float
    owners: tuple[tuple[tuple, float], ...]


def flops_of(node: Node) -> float:
    """Floating-point operations of a primitive call, by its definition."""
    name, out = node.prim.name, node.outputs[0]
    if name in ("dot", "added_dot"):
        return 2.0 * out.size * prod([node.inputs[0].shape[d] for d in node.params[0]])
    if name == "conv":
        return 2.0 * out.size * prod(node.inputs[1].shape[1:])
    if name in ("conv_input_grad", "bordered_input_grad"):
        return 2.0 * node.inputs[0].size * prod(node.inputs[1].shape[1:])
    if name == "conv_weight_grad":
        return 2.0 * node.inputs[1].size * prod(out.shape[1:])
    if name == "scan":
        body, _, _, length, _ = node.params
        return length * sum(map(flops_of, body.expanded.nodes))
    if node.prim.kind == "elementwise":
        return float(out.size)
    return float(node.inputs[0].size) if name.startswith("reduce_") else 0.0


def node_work(node: Node) -> Work:
    """Of a primitive call that runs by itself."""
    nbytes = sum(v.type.nbytes for v in (*node.inputs, *node.outputs))
    return Work(f"{node.prim.name} {_shape(node.outputs[0].shape)}", flops_of(node), float(nbytes), ((node.origin, 1.0),))


def program_work(graph: Graph) -> Work:
    """Of a whole graph that runs as one."""
    nbytes = sum(v.type.nbytes for v in (*graph.inputs, *dict.fromkeys(graph.outputs)))
    return Work(f"{len(graph.nodes)} primitives", sum(map(flops_of, graph.nodes)), float(nbytes), _shares(graph.nodes))


def describe(graph: Graph) -> list[list[Work]]:
    """The parts of the compiled program of `graph` in the order in which they run: the one call that the host makes, or the kernels
    of a native segment, one for each entry of its table."""
    _, steps, buffers = plan(graph)
    parts: list[list[Work]] = []
    in_segment = False
    for step, reads in zip(steps, reads_of(steps)):
        if isinstance(step, Host):
            parts.append([node_work(step.node)])
            in_segment = False
            continue
        if not in_segment:
            parts.append([])
            in_segment = True
        parts[-1] += _scan_works(step) if isinstance(step, Scan) else [_step_work(step, reads, buffers)]
    return parts


def _scan_works(scan: Scan) -> list[Work]:
    """A body's kernels, after those that run once before the first step."""
    loop, n = scan.loop, len(scan.strands)
    owners = tuple([(strand.node.origin, 1.0 / n) for strand in scan.strands])
    name = f"{n} scans" if n > 1 else "scan"

    def works(steps: Sequence[Step]) -> list[Work]:
        found = [_step_work(step, reads, set(loop.graph.inputs)) for step, reads in zip(steps, reads_of(list(steps)))]
        return [Work(f"{name}: {w.name}", n * w.flops, n * w.nbytes, owners) for w in found]
    return works(loop.entry) + works(loop.steps) * scan.length


def _step_work(step: Step, reads: Iterable[Var], buffers: set[Var]) -> Work:
    nodes = _nodes_of(step, buffers)
    if isinstance(step, Contract):
        flops: float = 2.0 * step.kernel.work
    elif isinstance(step, Special):
        flops = 2.0 * work(step) if hasattr(step.lower, "work") else flops_of(step.node)
    else:
        flops = sum(map(flops_of, nodes))
    return Work(_name(step, nodes), flops, _bytes(step, reads), _shares(nodes))


def _nodes_of(step: Step, buffers: set[Var]) -> list[Node]:
    """The primitive calls that a step computes: its own, and those before it whose results do not lie in memory."""
    if isinstance(step, (Special, Contract)):
        return [step.node]  # type: ignore[union-attr]
    nodes: dict[Node, None] = {}
    pending = [v.node for v in targets(step)]
    while pending:
        node = pending.pop()
        if node is not None and node not in nodes:
            nodes[node] = None
            pending += [v.node for v in node.inputs if v not in buffers]
    return list(nodes)[::-1]


def _bytes(step: Step, reads: Iterable[Var]) -> float:
    if isinstance(step, Fill):
        return float(step.target.type.nbytes)
    if isinstance(step, (Special, Contract)):
        return float(sum(v.type.nbytes for v in (*reads, *targets(step))))
    domain = step.domain if isinstance(step, Map) else (*step.outer, *step.inner)  # type: ignore[union-attr]
    points = prod(domain)
    values = [s.value for s in step.stores] if isinstance(step, Map) else [step.value]  # type: ignore[union-attr]
    read = {x.var: max(x.offset.coefficients, key=abs, default=0) for value in values for x in loads(value) if isinstance(x, Load)}
    total = sum(min(v.type.nbytes, (points if moves else 1) * v.dtype.itemsize) for v, moves in read.items())
    return float(total + sum(min(v.type.nbytes, points * v.dtype.itemsize) for v in targets(step)))


def _shares(nodes: Sequence[Node]) -> tuple[tuple[tuple, float], ...]:
    """By operations; where there are none, by results."""
    weights = [flops_of(n) for n in nodes]
    if not any(weights):
        weights = [float(n.outputs[0].size) or 1.0 for n in nodes]
    total, shares = sum(weights), dict[tuple, float]()
    for node, weight in zip(nodes, weights):
        shares[node.origin] = shares.get(node.origin, 0.0) + weight / total
    return tuple([(origin, share) for origin, share in shares.items() if share])


def _name(step: Step, nodes: Sequence[Node]) -> str:
    if isinstance(step, Fill):
        return f"fill {_shape(step.target.shape)}"
    if isinstance(step, (Special, Contract)):
        shapes = "·".join([_shape(v.shape) for v in step.node.inputs]) if isinstance(step, Contract) else _shape(step.node.outputs[0].shape)
        return f"{step.node.prim.name} {shapes}"
    computed = list(dict.fromkeys(n.prim.name for n in nodes if n.prim.kind not in ("view", "constant")))
    names = computed or list(dict.fromkeys(n.prim.name for n in nodes if n.prim.kind != "constant")) or ["copy"]
    text = "+".join(names[:MOST_NAMES]) + f"+{len(names) - MOST_NAMES} more" * (len(names) > MOST_NAMES)
    return f"{text} {_shape(step.domain if isinstance(step, Map) else (*step.outer, *step.inner))}"  # type: ignore[union-attr]


def _shape(sizes: Sequence[int]) -> str:
    return "×".join(map(str, sizes)) or "scalar"
