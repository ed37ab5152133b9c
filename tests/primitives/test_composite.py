"""Composites: executors see their body, gradients their own rule."""
from __future__ import annotations

import flambeau as torch
from flambeau import primitives as p
from flambeau.tensor.op import op


def body(x, y):
    """x · y"""
    return p.mul(x, y)


wrong_on_purpose = p.composite("wrong_on_purpose", body, lambda g, z, x, y: (p.mul(g, 7), p.mul(g, x)))
del p.PRIMITIVES["wrong_on_purpose"]  # the tables of rules are complete without it


@op("WrongBackward0")
def product(input: Tensor, other: Scalar):  # noqa: F821
    return wrong_on_purpose(input, other)


def test_the_body_runs_and_the_rule_differentiates():
    x, y = torch.tensor([3.0], requires_grad=True), torch.tensor([5.0], requires_grad=True)
    z = product(x, y)
    assert z.item() == 15
    z.backward()
    assert x.grad.item() == 7 and y.grad.item() == 3


def test_composites_differentiate_twice():
    x = torch.tensor([0.3], dtype=torch.float64, requires_grad=True)
    slope, = torch.autograd.grad(torch.sinc(x), x, create_graph=True)
    curvature, = torch.autograd.grad(slope, x)
    h = 1e-4
    f = [torch.sinc(torch.tensor([v], dtype=torch.float64)).item() for v in (0.3 - h, 0.3, 0.3 + h)]
    assert abs(curvature.item() - (f[0] - 2 * f[1] + f[2]) / h ** 2) < 1e-6
