"""Tensors made in inference mode: what PyTorch allows them, flambeau does, and what it refuses it refuses in the same words."""
import pytest

import flambeau

torch = pytest.importorskip("torch")

# i: made in inference mode; v: a view of it; n: an ordinary tensor; p: a leaf that requires a gradient
ALLOWED = """
t.is_inference(i), i.is_inference(), v.is_inference(), n.is_inference(); (i * 2).is_inference(); i[0].is_inference(); i.clone().is_inference();
i.detach().is_inference(); (i + p).requires_grad; t.cat([i, p]).requires_grad; n.add_(i).tolist(); n.copy_(i).is_inference(); i.requires_grad_(False).requires_grad;
inside(t, lambda: i.add_(1)).tolist(); inside(t, lambda: (n.is_inference(), n[0].is_inference(), (n + 1).is_inference(), (p * 2).requires_grad));
inside(t, lambda: t.ones(2, requires_grad=True).requires_grad); (inside(t, lambda: t.ones(2, requires_grad=True)) * 2).requires_grad;
inside(t, lambda: without(t, lambda: ((p * 2).requires_grad, t.ones(2).is_inference()))); inside(t, lambda: granted(t, lambda: (p * 2).requires_grad));
inside(t, lambda: n.add_(1))._version; t.is_inference_mode_enabled(); inside(t, t.is_inference_mode_enabled);
(i.detach().add_(1), i)[1].tolist(); (i.data.mul_(3), i)[1].tolist(); (v.detach().add_(1), i)[1].tolist()
"""
REFUSED = """
i.add_(1); i.zero_(); i.copy_(n); i[0] = 1; t.add(n, 1, out=i); v.mul_(2); i._version; inside(t, lambda: i.detach()).add_(1); i.detach().view(3).add_(1); i.requires_grad_(); setattr(i, 'requires_grad', True);
t.nn.Parameter(i); i * p; t.exp(p).mul(i); (p * 1).mul_(i); t.nn.functional.linear(i, t.ones(2, 3, requires_grad=True)); t.no_grad()(lambda: i.add_(1))()
"""


def inside(t, run):
    with t.inference_mode():
        return run()


def without(t, run):
    with t.inference_mode(False):
        return run()


def granted(t, run):
    with t.enable_grad():
        return run()


def names(t):
    made = inside(t, lambda: t.ones(3))
    return {"t": t, "i": made, "v": inside(t, lambda: made.view(3)), "n": t.ones(3), "p": t.ones(3, requires_grad=True), "inside": inside,
            "without": without, "granted": granted}


@pytest.mark.parametrize("expression", [e.strip() for e in ALLOWED.split(";")])
def test_allowed(expression):
    assert eval(expression, names(flambeau)) == eval(expression, names(torch))


@pytest.mark.parametrize("statement", [e.strip() for e in REFUSED.split(";")])
def test_refused(statement):
    said = []
    for t in (torch, flambeau):
        with pytest.raises(RuntimeError) as error:
            exec(statement, names(t))
        said.append(str(error.value))
    assert said[0] == said[1]


def test_a_layer_s_result_cannot_be_trained_on():
    model = flambeau.nn.Linear(2, 2)
    with flambeau.inference_mode():
        y = model(flambeau.ones(1, 2))
    with pytest.raises(RuntimeError, match="cannot be saved for backward"):
        model(y)
    model(y.clone()).sum().backward()
    assert model.weight.grad is not None
