"""Parameters that travel together: each process keeps its parts, and has the whole ones only while their module computes.

Forward reads whole parameters from a `Gathered` node; its backward is the way of their gradients to the processes that keep the parts.
It is older than all nodes of the module, so it runs when their gradients are complete.
"""
from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Callable, Iterator, NamedTuple, Sequence

import numpy as np

from ...autograd.engine import current_pass, observers
from ...autograd.grad_mode import no_grad
from ...dtypes import float32
from ...ops.creation import from_array
from ...runtime.changes import changes
from ...runtime.trace import end_step
from ...tensor import saved
from ...tensor.node import Node, edge
from ...tensor.tensor import Tensor, make_tensor
from ...tensor.views import as_strided
from .._shards import mean, part_of, start_gather, start_reduce_scatter
from ..device_mesh import DeviceMesh
from ..tensor import DTensor
from ..tensor._api import as_parameter

TOKEN = from_array(np.zeros((), np.float32), float32)  # stands for a gradient that other processes are still to add to


class Place(NamedTuple):
    """Where a module keeps a parameter."""

    module: Any
    name: str

    def get(self) -> Any:
        return self.module._parameters[self.name]

    def put(self, parameter: Tensor) -> None:
        self.module._parameters[self.name] = parameter


class Order:
    """What the groups of one outermost module have in common. latest: whose parameters were gathered last, and whether in backward."""

    def __init__(self) -> None:
        self.latest: tuple[ParamGroup, bool] | None = None


class Reduced(Node):
    """Where the reductions of gradients end: just newer than the parts, and so older than all modules' nodes. By then the reductions have
    gone on beside the backward pass."""

    __slots__ = ("group",)

    def __init__(self, group: ParamGroup, parts: Sequence[Tensor]):
        super().__init__(tuple(edge(part) for part in parts))
        self.sequence = max([e[0].sequence for e in self.edges if e is not None], default=0) + 0.5  # type: ignore[assignment]
        self.group = group

    @property
    def n_outputs(self) -> int:  # type: ignore[override]
        return len(self.edges)

    def backward(self, grads: list, create_graph: bool) -> list:
        return self.group.reduced()


class Gathered(Node):
    """The node of whole parameters made from everybody's parts. What flows from here to `Reduced` only says that something does."""

    __slots__ = ("group",)

    def __init__(self, group: ParamGroup, parts: Sequence[Tensor]):
        reduced = Reduced(group, parts)
        super().__init__(tuple(None if e is None else (reduced, i) for i, e in enumerate(reduced.edges)))
        self.group = group

    @property
    def n_outputs(self) -> int:  # type: ignore[override]
        return len(self.edges)

    def backward(self, grads: list, create_graph: bool) -> list:
        if create_graph:
            raise RuntimeError("fully_shard: gradients of gradients (create_graph=True) do not reach parameters that are shared out")
        return self.group.start_reducing(grads)


class ParamGroup:
    """Some parameters, all of whose places are given, cut into parts among the processes of a mesh; in a mesh of two dimensions, of each row.

    policy: dtypes, see MixedPrecisionPolicy. name: of the module, for errors. order: shared with the groups of the modules around and
    inside: what is sent ahead must be the same in all processes, so it depends on nothing but the order of calls.
    """

    def __init__(self, places: Sequence[Sequence[Place]], mesh: DeviceMesh, policy: Any, name: str) -> None:
        self.places, self.mesh, self.policy, self.name = places, mesh, policy, name
        self.processes = mesh._group_of_parts()
        self.replicas = mesh.get_group(0) if mesh.ndim == 2 else None  # the processes that have the same parts
        self.reduces = True  # whether gradients go to the other processes after backward
        self.reduces_among_replicas = True  # whether parts of gradients then go to the replicas
        self._own_parts: dict[int, Tensor] = {}  # of gradients, that have not gone to the replicas yet
        self._whole: list[Tensor] = []
        self._numbers: dict[int, int] = {}  # of whole parameters, by the identity of their storages
        self._versions: list[tuple[Any, int]] = []  # of the parts from which the whole ones were made: (storage, version)
        self._in_backward = False
        self._own_gradients: dict[int, Tensor] = {}  # whole ones that have not been reduced yet
        self._coming: tuple[list, Callable[[], list[Tensor]]] | None = None  # whole parameters under way: versions, and what waits for them
        self.order = Order()
        self._followers: dict[bool, ParamGroup] = {}  # whose parameters are wanted next, in forward (False) and in backward
        self._reductions: list[tuple[list[int], Callable[[], list[Tensor]]]] = []  # under way: of which parameters, and what waits for them
        self._pass: Any = None  # the backward pass that they belong to
        self._parts = [self._cut(at[0].get()) for at in places]
        self._show(self._parts)
        observers.add(self)

    def _cut(self, p: Tensor) -> DTensor:
        p._is_shared_out = True  # type: ignore[attr-defined]
        part = part_of(p, self.processes.rank(), self.processes.size())
        return as_parameter(DTensor._of(part, p.shape, self.mesh), p.requires_grad)  # type: ignore[attr-defined]

    def _show(self, tensors: Sequence[Tensor]) -> None:
        """Puts tensors in the parameters' places."""
        for at, t in zip(self.places, tensors):
            for place in at:
                place.put(t)
        changes.count += 1

    def shared_out(self, inputs: Any, is_root: bool) -> Any:
        """The inputs: each process has been given its own part of the batch."""
        return inputs

    # ------------------------------------------------------------------ whole and in parts

    def unshard(self) -> None:
        """Puts whole parameters in the places. Every process has to do so, unless they are there and the parts have not changed."""
        if self._whole:
            if self._versions == self._current_versions():
                return
            self.reshard()
        self._parts = [at[0].get() for at in self.places]  # load_state_dict(assign=True) puts others there
        self._versions = self._current_versions()
        if self._coming is None or self._coming[0] != self._versions:
            self._coming = self._versions, self._start_gather()
        (_, finish), self._coming = self._coming, None
        with no_grad():
            self._whole = finish()
        self._start_next()
        node = Gathered(self, [p._local_tensor for p in self._parts])
        for i, (t, p) in enumerate(zip(self._whole, self._parts)):
            t._is_param = True  # type: ignore[attr-defined]
            if p.requires_grad:
                t._node, t._nr = node, i
        self._numbers = {id(t._storage): i for i, t in enumerate(self._whole)}
        self._show(self._whole)

    def _start_gather(self) -> Callable[[], list[Tensor]]:
        with no_grad():
            sent = [self._for_computing(p._local_tensor.detach()) for p in self._parts]  # type: ignore[attr-defined]
            return start_gather(sent, [p.shape[0] for p in self._parts], self.processes, f"parameters of {self.name}")

    def _start_next(self) -> None:
        """Sends the parts of the module that came after this one last time, while this one computes."""
        latest, self.order.latest = self.order.latest, (self, self._in_backward)
        if latest is not None and latest[0] is not self and latest[1] is self._in_backward:
            latest[0]._followers[self._in_backward] = self
        following = self._followers.get(self._in_backward)
        if following is not None and not following._whole and following._coming is None:
            following._parts = [at[0].get() for at in following.places]
            following._coming = following._current_versions(), following._start_gather()

    def _for_computing(self, t: Tensor) -> Tensor:
        dtype = self.policy.param_dtype
        return t.to(dtype) if dtype is not None and t.dtype.is_floating_point else t  # type: ignore[attr-defined]

    def _current_versions(self) -> list[tuple[Any, int]]:
        storages = [p._local_tensor._storage for p in self._parts]
        return [(storage, storage.version) for storage in storages]

    def reshard(self) -> None:
        """Puts the parts back, and lets go of the whole parameters: runs what was recorded with them."""
        self._in_backward = False
        if self._whole:
            self._show(self._parts)
            self._whole, self._numbers = [], {}
            end_step()

    # ------------------------------------------------------------------ what autograd saves

    @contextmanager
    def not_saving(self) -> Iterator[None]:
        """Inside, autograd saves which parameter it was, in the place of a whole parameter, and backward gathers it again."""
        outer = saved.current()
        saved.push(lambda t: self._pack(t, outer), lambda packed: packed())
        try:
            yield
        finally:
            saved.pop()

    def _pack(self, t: Tensor, outer: Any) -> Any:
        number = self._numbers.get(id(t._storage))
        if number is not None:
            view = None if t._view is None else t._geometry()
            return lambda: self._again(number, view)
        if outer is not None:
            packed = outer[0](t)
            return lambda: outer[1](packed)
        value = t._value()
        return lambda: make_tensor(value)

    def _again(self, number: int, view: Any) -> Tensor:
        """A whole parameter, or a view of it, in backward."""
        self.unshard_in_backward()
        t = self._whole[number]
        return t if view is None else as_strided(t, *view)

    def unshard_in_backward(self) -> None:
        """Makes the parameters whole until their gradients have been reduced, or backward is over."""
        self._in_backward = True
        self.unshard()

    def after_pass(self, nodes: set) -> None:
        """Once a backward pass is over: `nodes` were reached."""
        if self._in_backward:
            self.reshard()

    # ------------------------------------------------------------------ gradients

    def start_reducing(self, grads: list) -> list:
        """Sends gradients, of those parameters that have some, to be averaged. Ends the use of the whole parameters. Returns a token for
        each gradient that is sent."""
        if self._pass is not current_pass():  # what a pass that failed has left
            self._pass, self._reductions = current_pass(), []
        grads = [self._with_own(i, g) for i, g in enumerate(grads)]
        if not self.reduces:
            self._own_gradients = {i: g for i, g in enumerate(grads) if g is not None}
            self.reshard()
            return [None] * len(grads)
        there = [i for i, g in enumerate(grads) if g is not None]
        with no_grad():
            sent = [self._for_reducing(grads[i]) for i in there]
            self._reductions.append((there, start_reduce_scatter(sent, self.processes, f"gradients of {self.name}")))
        self.reshard()
        return [None if g is None else TOKEN for g in grads]

    def reduced(self) -> list:
        """The parts of the means of everybody's gradients, once they are there."""
        grads: list[Any] = [None] * len(self._parts)
        reductions, self._reductions, self._pass = self._reductions, [], None
        with no_grad():
            for there, finish in reductions:
                for i, part in zip(*self._among_replicas(there, finish())):
                    part = part.to(self._parts[i].dtype)  # type: ignore[attr-defined]
                    grads[i] = part if grads[i] is None else grads[i] + part
        return grads

    def _among_replicas(self, there: list[int], parts: list[Tensor]) -> tuple[list[int], list[Tensor]]:
        """(numbers of parameters, the means of their gradients' parts over all replicas)."""
        if self.replicas is None:
            return there, parts
        for i, part in zip(there, parts):
            self._own_parts[i] = self._own_parts[i] + part if i in self._own_parts else part  # type: ignore[operator]
        if not self.reduces_among_replicas:
            return [], []
        own, self._own_parts = self._own_parts, {}
        return list(own), mean(list(own.values()), self.replicas, f"gradients of {self.name}, among replicas")

    def _with_own(self, i: int, g: Tensor | None) -> Tensor | None:
        """A gradient with what earlier passes have left in this process."""
        own = self._own_gradients.pop(i, None)
        return g if own is None else own if g is None else own + g  # type: ignore[operator]

    def _for_reducing(self, g: Tensor) -> Tensor:
        return g if self.policy.reduce_dtype is None else g.to(self.policy.reduce_dtype)  # type: ignore[attr-defined]

