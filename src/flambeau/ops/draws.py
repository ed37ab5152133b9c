# ruff: noqa: F821
"""Gamma, Dirichlet and binomial numbers: the draws that `torch.distributions` builds on, by rejection.

Gamma and Dirichlet numbers are drawn at once, because how far they move the generator depends on their values.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from .. import primitives as p
from ..dtypes import float64
from ..primitives import reparameterization
from ..primitives.kernels import rejection
from ..primitives.random import STATE, _draw
from ..runtime.trace import Value
from ..tensor.attributes import host_array
from ..tensor.op import op
from ..tensor.placement import device_of, follow
from ..tensor.tensor import Tensor, make_tensor
from .creation import from_array
from .promotion import not_implemented
from .random import _generator, draw


def _gamma_numbers(alpha: np.ndarray, generator: Any) -> np.ndarray:
    """Gamma numbers as doubles; moves the generator on."""
    g = _generator(generator)
    kept = None if g.normal is None else float(g.normal.array())
    stream = rejection.Stream(g.state.array(), _draw, kept)
    d, exponent = rejection.gamma_parameters(alpha)
    values = [rejection.gamma(a, b, stream) for a, b in zip(d.ravel().tolist(), exponent.ravel().tolist())]
    g.state = Value(STATE, stream.after())
    g.normal = None if stream.kept is None else from_array(np.array(stream.kept), float64)._value()
    return np.array(values, np.float64).reshape(alpha.shape)


@op("StandardGammaBackward0", name="_standard_gamma")
def _gamma_draw(input: Tensor, sample: Tensor):
    return reparameterization.gamma_draw(input, sample)


def _check_precision(name: str, x: Tensor) -> None:
    if x.dtype.name not in ("float32", "float64"):
        raise not_implemented(name, x.dtype)


def _standard_gamma(self: Tensor, generator: Any = None) -> Tensor:
    """Gamma numbers of concentrations self and rate 1, in its shape and dtype; gradients by implicit
    reparameterisation."""
    _check_precision("gamma_cpu", self)
    values = np.maximum(_gamma_numbers(host_array(self.detach()), generator), float(np.finfo(self.dtype.np).tiny))
    return _gamma_draw(self, follow(from_array(values.astype(self.dtype.np), self.dtype), self))


@op("StandardGammaGradBackward0")
def _standard_gamma_grad(self: Tensor, output: Tensor):
    """How gamma numbers `output` of concentrations self move with them: d output / d self."""
    return reparameterization.gamma_gradient(self, output)


@op("SampleDirichletBackward0", name="_sample_dirichlet")
def _dirichlet_draw(input: Tensor, sample: Tensor):
    return reparameterization.dirichlet_draw(input, sample)


def _sample_dirichlet(self: Tensor, generator: Any = None) -> Tensor:
    """Dirichlet numbers of concentrations self along the last dimension: gamma numbers over their sum. With
    gradients."""
    _check_precision("dirichlet", self)
    values = _gamma_numbers(host_array(self.detach()).astype(np.float64), generator)
    with np.errstate(invalid="ignore"):
        values = (values / values.sum(-1, keepdims=True)).astype(self.dtype.np)
    limits = np.finfo(values.dtype)
    return _dirichlet_draw(self, follow(from_array(np.clip(values, limits.tiny, 1 - limits.epsneg), self.dtype), self))


@op("DirichletGradBackward0")
def _dirichlet_grad(x: Tensor, alpha: Tensor, total: Tensor):
    """(d x / d alpha) / (1 − x) of beta numbers x with parameters alpha and total − alpha."""
    return reparameterization.dirichlet_gradient(x, alpha, total)


def _binomial_body(state, counts, probabilities):
    values, state = p.random_binomial(state, p.cast(counts, float64), p.cast(probabilities, float64))
    return p.cast(values, counts.dtype), state


def binomial(count: Tensor, prob: Tensor, generator: Any = None) -> Tensor:
    """How many of `count` trials succeed, each with probability `prob`; both floating, of one dtype."""
    from .rearrange import broadcast_tensors
    if count.dtype.kind != "f":
        raise ValueError(f"binomial only supports floating-point dtypes for count, got: {count.dtype._legacy}")
    if prob.dtype.kind != "f":
        raise ValueError(f"binomial only supports floating-point dtypes for prob, got: {prob.dtype._legacy}")
    if count.dtype is not prob.dtype:
        raise RuntimeError(f"Found dtype {prob.dtype._legacy} but expected {count.dtype._legacy}")
    _check_precision("binomial_cpu", count)
    count, prob = broadcast_tensors(count.detach(), prob.detach())
    return make_tensor(draw("binomial", _binomial_body, (), (), _generator(generator, device_of(count)), (count._value(), prob._value()))[0])
