"""Draws that carry gradients: a sample x of a distribution, as a function of the parameters that it was drawn with.

`gamma_draw` and `dirichlet_draw` give x itself; their VJPs say how x moves with the parameters (kernels/
reparameterization.py has the formulas). There are no second derivatives.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from ..ir.graph import Var
from .base import Primitive, no_derivative
from .elementwise import mul, sub
from .kernels import reparameterization as kernels
from .reduction import reduce_sum, spread


def _gamma_gradient_kernel(alpha: np.ndarray, x: np.ndarray) -> np.ndarray:
    return kernels.gamma_gradient(alpha, x).astype(x.dtype)


gamma_gradient_p = Primitive("gamma_gradient", lambda alpha, x: x, _gamma_gradient_kernel,
                             lambda g, y, xs: (no_derivative(xs[0], "_standard_gamma_grad"),
                                               no_derivative(xs[1], "_standard_gamma_grad")), kind="host")


def gamma_gradient(alpha: Var, x: Var) -> Var:
    """dx/dalpha of gamma numbers x of concentration alpha and rate 1."""
    return gamma_gradient_p((alpha, x))


gamma_draw_p = Primitive("gamma_draw", lambda alpha, x: x, lambda alpha, x: x,
                         lambda g, y, xs: (mul(g, gamma_gradient(xs[0], y)), None), moves_data=True, kind="host")


def gamma_draw(alpha: Var, x: Var) -> Var:
    """x, drawn from gamma distributions of concentration alpha and rate 1."""
    return gamma_draw_p((alpha, x))


def _dirichlet_gradient_kernel(x: np.ndarray, alpha: np.ndarray, total: np.ndarray) -> np.ndarray:
    return kernels.dirichlet_gradient(x, alpha, total).astype(x.dtype)


dirichlet_gradient_p = Primitive("dirichlet_gradient", lambda x, alpha, total: x, _dirichlet_gradient_kernel,
                                 lambda g, y, xs: tuple(no_derivative(x, "_dirichlet_grad") for x in xs), kind="host")


def dirichlet_gradient(x: Var, alpha: Var, total: Var) -> Var:
    """(dx/dalpha) / (1 − x) of beta numbers x with parameters alpha and total − alpha."""
    return dirichlet_gradient_p((x, alpha, total))


def _dirichlet_vjp(g: Var, x: Var, xs: tuple[Var, ...]) -> tuple[Any, ...]:
    """x_i moves with α_i as a beta number does; the other numbers of its row make room in proportion to their size."""
    alpha = xs[0]
    last = (alpha.ndim - 1,)
    total = spread(reduce_sum(alpha, last), alpha, last)
    centred = sub(g, spread(reduce_sum(mul(x, g), last), x, last))
    return mul(dirichlet_gradient(x, alpha, total), centred), None


dirichlet_draw_p = Primitive("dirichlet_draw", lambda alpha, x: x, lambda alpha, x: x, _dirichlet_vjp, moves_data=True,
                             kind="host")


def dirichlet_draw(alpha: Var, x: Var) -> Var:
    """x, drawn from Dirichlet distributions with concentrations alpha along the last dimension."""
    return dirichlet_draw_p((alpha, x))
