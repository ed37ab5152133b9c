"""The tensors and generators that a call can reach, and what they held before it."""
from __future__ import annotations

from typing import Any, Iterable

from ..random import Generator
from ..runtime.trace import Value
from ..tensor.node import AccumulateGrad
from ..tensor.not_strided import NotStrided
from ..tensor.storage import Storage
from ..tensor.tensor import Tensor


class Known:
    """tensors: (tensor, its storage, its node) of each. values: what a storage (by id) held. gradients: of each leaf, the
    tensor or None. generators: each with its state."""

    def __init__(self, tensors: Iterable[Tensor], generators: Iterable[Generator]):
        self.tensors: list[tuple[Tensor, Storage, Any]] = []
        self.values: dict[int, tuple[Storage, Value]] = {}
        self.gradients: dict[AccumulateGrad, Tensor | None] = {}
        self.generators = [(g, g.state) for g in dict.fromkeys(generators)]
        for t in tensors:
            self._add(t)

    def _add(self, t: Tensor) -> None:
        try:
            storage = t._storage
        except NotStrided:
            return
        self.tensors.append((t, storage, t._node))
        self.values.setdefault(id(storage), (storage, storage.value))
        if t._node.__class__ is AccumulateGrad and t._node not in self.gradients:
            gradient = self.gradients[t._node] = t._node.grad
            if gradient is not None:
                self._add(gradient)

    def holds(self, t: Tensor) -> bool:
        """Whether t was there before the call."""
        return any(t is x for x, _, _ in self.tensors)

    def owners(self) -> dict[int, Any]:
        """What stands for each storage (by id): the leaf whose gradient it is, or a tensor that is the whole of it, rather
        one that requires a gradient."""
        found: dict[int, Any] = {}
        for t, storage, node in self.tensors:
            if t._view is None and (node is not None or id(storage) not in found):
                found[id(storage)] = t
        for leaf, gradient in self.gradients.items():
            if gradient is not None and gradient._view is None:
                found[id(gradient._storage)] = leaf
        return found

    def unchanged(self) -> bool:
        """Whether the tensors are still what they were: their contents may differ, not their storages and histories."""
        gradients = {id(g) for g in self.gradients.values()}
        return all(t._storage is storage and t._node is node for t, storage, node in self.tensors if id(t) not in gradients)
