"""`Transform`: the base of all v2 transforms. It finds what in a sample it is for, draws its parameters once, and
transforms each part with them."""
from __future__ import annotations

import enum
from typing import Any, Callable

import flambeau as torch
from ....nn import Module

from ... import tv_tensors
from .. import _draws
from .._functional_pil import _is_pil_image
from ._tree import tree_flatten, tree_unflatten
from ._utils import check_type, has_any, is_pure_tensor
from .functional._utils import call_if_supported


class Transform(Module):
    """Subclass it and define `transform(inpt, params)`, and `make_params(flat_inputs)` if something is to be drawn or
    measured.

    A sample is one or several arguments of any nesting. Images, videos, masks, boxes and keypoints are transformed; of
    plain Tensors only the first, and only if there is no image; the rest passes through.
    """

    _transformed_types: tuple[Any, ...] = (torch.Tensor, _is_pil_image)
    _v1_transform_cls: type | None = None

    def __init_subclass__(cls) -> None:
        if cls._v1_transform_cls is not None and hasattr(cls._v1_transform_cls, "get_params"):
            cls.get_params = staticmethod(cls._v1_transform_cls.get_params)

    def check_inputs(self, flat_inputs: list[Any]) -> None:
        """Raises if the sample lacks something, or holds what this transform cannot do."""

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """The parameters for this sample."""
        return {}

    def _call_kernel(self, functional: Callable, inpt: Any, *args: Any, **kwargs: Any) -> Any:
        return call_if_supported(functional, inpt, args, kwargs)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """One part of the sample, transformed."""
        raise NotImplementedError

    def forward(self, *inputs: Any) -> Any:
        """The sample, transformed."""
        flat_inputs, spec = tree_flatten(inputs if len(inputs) > 1 else inputs[0])
        self.check_inputs(flat_inputs)
        return tree_unflatten(self._transformed(flat_inputs), spec)

    def _transformed(self, flat_inputs: list[Any]) -> list[Any]:
        needed = self._needs_transform_list(flat_inputs)
        params = self.make_params([inpt for inpt, needs in zip(flat_inputs, needed) if needs])
        return [self.transform(inpt, params) if needs else inpt for inpt, needs in zip(flat_inputs, needed)]

    def _needs_transform_list(self, flat_inputs: list[Any]) -> list[bool]:
        takes_tensor = not has_any(flat_inputs, tv_tensors.Image, tv_tensors.Video, _is_pil_image)
        needed = []
        for inpt in flat_inputs:
            needs = check_type(inpt, self._transformed_types)
            if needs and is_pure_tensor(inpt):
                needs, takes_tensor = takes_tensor, False
            needed.append(needs)
        return needed

    def extra_repr(self) -> str:
        """The attributes that are numbers, strings, sequences or enums."""
        shown = (bool, int, float, str, tuple, list, enum.Enum)
        return ", ".join(f"{name}={value}" for name, value in self.__dict__.items()
                         if not name.startswith("_") and name != "training" and isinstance(value, shown))


class _RandomApplyTransform(Transform):
    """The base of those that do something with probability p."""

    def __init__(self, p: float = 0.5) -> None:
        if not 0.0 <= p <= 1.0:
            raise ValueError("`p` should be a floating point value in the interval [0.0, 1.0].")
        super().__init__()
        self.p = p

    def forward(self, *inputs: Any) -> Any:
        """The sample, transformed or not."""
        sample = inputs if len(inputs) > 1 else inputs[0]
        flat_inputs, spec = tree_flatten(sample)
        self.check_inputs(flat_inputs)
        if not _draws.happens(self.p):
            return sample
        return tree_unflatten(self._transformed(flat_inputs), spec)
