"""Weights as length times direction, recomputed before each call (the old form; see `parametrizations`).

Salimans & Kingma 2016, arXiv:1602.07868.
"""
# ruff: noqa: F821
from __future__ import annotations

import warnings
from typing import Any

from ...ops.norms import vector_norm
from ...tensor.op import op
from ...tensor.tensor import Tensor
from ..modules.module import Module
from ..parameter import Parameter, UninitializedParameter


@op("NormExceptDimBackward0")
def norm_except_dim(v: Tensor, pow=2, dim=0):
    """The norm of `v` over all dimensions but `dim`, which keep size 1; over all, without dimensions, for dim −1."""
    if dim == -1:
        return vector_norm(v, float(pow), None, False)
    return vector_norm(v, float(pow), [d for d in range(v.ndim) if d != dim], True)


@op("WeightNormInterfaceBackward0")
def _weight_norm(v: Tensor, g: Tensor, dim=0):
    """g · v / ‖v‖, with the norm over all dimensions but `dim`."""
    return v * (g / norm_except_dim(v, 2, dim))


class WeightNorm:
    """The forward pre-hook that computes the weight `name` from its length `name`_g and direction `name`_v."""

    def __init__(self, name: str, dim: int | None) -> None:
        self.name = name
        self.dim = -1 if dim is None else dim

    def compute_weight(self, module: Module) -> Tensor:
        """The weight for the present length and direction."""
        return _weight_norm(getattr(module, self.name + "_v"), getattr(module, self.name + "_g"), self.dim)

    @staticmethod
    def apply(module: Module, name: str, dim: int | None) -> WeightNorm:
        """Replace the parameter `name` by length and direction, and register the hook."""
        warnings.warn("`torch.nn.utils.weight_norm` is deprecated in favor of "
                      "`torch.nn.utils.parametrizations.weight_norm`.", FutureWarning, stacklevel=3)
        if any(isinstance(hook, WeightNorm) and hook.name == name for hook in module._forward_pre_hooks.values()):
            raise RuntimeError(f"Cannot register two weight_norm hooks on the same parameter {name}")
        hook = WeightNorm(name, dim)
        weight = getattr(module, name)
        if isinstance(weight, UninitializedParameter):
            raise ValueError("The module passed to `WeightNorm` can't have uninitialized parameters. Make sure to run "
                             "the dummy forward before applying weight normalization")
        del module._parameters[name]
        module.register_parameter(name + "_g", Parameter(norm_except_dim(weight, 2, hook.dim).data))
        module.register_parameter(name + "_v", Parameter(weight.data))
        setattr(module, name, hook.compute_weight(module))
        module.register_forward_pre_hook(hook)
        return hook

    def remove(self, module: Module) -> None:
        """Put the present weight back as a parameter."""
        weight = self.compute_weight(module)
        delattr(module, self.name)
        del module._parameters[self.name + "_g"], module._parameters[self.name + "_v"]
        setattr(module, self.name, Parameter(weight.data))

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self.name, self.compute_weight(module))


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Deprecated: make the parameter `name` length times direction, a length for each index of `dim` (None: one for
    all)."""
    WeightNorm.apply(module, name, dim)
    return module


def remove_weight_norm(module: Module, name: str = "weight") -> Module:
    """Undo `weight_norm`. Returns the module."""
    for number, hook in module._forward_pre_hooks.items():
        if isinstance(hook, WeightNorm) and hook.name == name:
            hook.remove(module)
            del module._forward_pre_hooks[number]
            return module
    raise ValueError(f"weight_norm of '{name}' not found in {module}")
