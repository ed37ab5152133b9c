"""Transforms made of transforms."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable

import numpy as np

from ....nn import ModuleList

from .. import _draws
from .. import transforms as _transforms
from ._transform import Transform


def _check(transforms: Any, kinds: Any = Sequence, what: str = "a sequence of callables") -> None:
    if not isinstance(transforms, kinds):
        raise TypeError(f"Argument transforms should be {what}")
    if not transforms:
        raise ValueError("Pass at least one transform")


def _chain(transforms: Any, inputs: tuple[Any, ...]) -> Any:
    """One transform after the other on the same arguments."""
    several = len(inputs) > 1
    for transform in transforms:
        outputs = transform(*inputs)
        inputs = outputs if several else (outputs,)
    return inputs if several else inputs[0]


class _Container(Transform):
    def extra_repr(self) -> str:
        """One transform on each line."""
        return "\n".join(f"    {t}" for t in self.transforms)


class Compose(_Container):
    """One transform after the other."""

    def __init__(self, transforms: Sequence[Callable]) -> None:
        super().__init__()
        _check(transforms)
        self.transforms = transforms

    def forward(self, *inputs: Any) -> Any:
        """The sample through all of them."""
        return _chain(self.transforms, inputs)


class RandomApply(_Container):
    """All of the transforms, with probability p; else none."""

    _v1_transform_cls = _transforms.RandomApply

    def __init__(self, transforms: Any, p: float = 0.5) -> None:
        super().__init__()
        _check(transforms, (Sequence, ModuleList), "a sequence of callables or a `nn.ModuleList`")
        self.transforms = transforms
        if not 0.0 <= p <= 1.0:
            raise ValueError("`p` should be a floating point value in the interval [0.0, 1.0].")
        self.p = p

    def forward(self, *inputs: Any) -> Any:
        """The sample through all of them, or as it is."""
        if not _draws.happens(self.p):
            return inputs if len(inputs) > 1 else inputs[0]
        return _chain(self.transforms, inputs)


class RandomChoice(Transform):
    """One of the transforms, with probabilities proportional to `p` (default equal)."""

    def __init__(self, transforms: Sequence[Callable], p: list[float] | None = None) -> None:
        _check(transforms)
        p = [1] * len(transforms) if p is None else p
        if len(p) != len(transforms):
            raise ValueError(f"Length of p doesn't match the number of transforms: {len(p)} != {len(transforms)}")
        super().__init__()
        self.transforms = transforms
        self.p = [share / sum(p) for share in p]

    def forward(self, *inputs: Any) -> Any:
        """The sample through the one drawn."""
        return self.transforms[_draws.multinomial(np.array(self.p, np.float32))](*inputs)


class RandomOrder(Transform):
    """All of the transforms, in random order."""

    def __init__(self, transforms: Sequence[Callable]) -> None:
        _check(transforms)
        super().__init__()
        self.transforms = transforms

    def forward(self, *inputs: Any) -> Any:
        """The sample through all of them."""
        return _chain([self.transforms[k] for k in _draws.randperm(len(self.transforms))], inputs)
