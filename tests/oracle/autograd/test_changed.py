"""Backward refuses what was written to after it was saved, and says who made it, in PyTorch's words."""
import pytest

torch = pytest.importorskip("torch")

import flambeau

PROGRAMS = {
    "an input": "y = x * 2; z = y.sin(); y.detach().add_(1)",
    "an input changed by an op with a gradient": "y = x * 2; z = y.sin(); y.add_(1).mul_(2)",
    "an input changed in a part": "y = x * 2; z = y.sin(); y[0] = 1",
    "an input changed through a view": "y = x * 2; v = y.view(-1); z = y.sin(); del y; v.add_(1)",
    "an input that lives no more": "y = x * 2; v = y.detach(); z = y.sin(); del y; v.add_(1)",
    "a view": "y = x * 2; v = y[1]; z = v.sin(); y.add_(1)",
    "the first of two outputs": "v, i = x.sort(1); z = v.sin(); v.detach().add_(1)",
    "one of several views": "v = (x * 2).unbind(1)[2]; z = v.sin(); v.detach().add_(1)",
    "a result": "z = x.sigmoid(); z.detach().add_(1)",
    "the result of an in-place op": "z = x * 2; z.exp_(); z.add_(1)",
    "a leaf": "z = x * 2 * x; x.detach().add_(1)",
    "an operand without a gradient": "w = t.ones(4); z = x * w; w.add_(x[0])",
    "positions": "i = t.tensor([0, 1]); z = x[i]; i.add_(1)",
    "a parameter that an optimizer steps": "w = t.ones(4, requires_grad=True); z = (x * w).sum(); z.backward(retain_graph=True); "
                                           "t.optim.SGD([w], 0.1).step()",
    "the weight of a layer": "w = t.ones(3, x.shape[-1], requires_grad=True); z = t.nn.functional.linear(x, w, x.sum()); w.detach().add_(1)",
    "the weight of a layer, made by an op": "w = x * 2; z = t.nn.functional.linear(x, w); w.add_(1)",
    "a transpose": "w = x * 2; z = x @ w.t(); w.add_(1)",
    "an input of a function": "y = x * 2; z = Square.apply(y); y.add_(1)",
    "an output of a function": "z = Square.apply(x * 2); z.detach().add_(1)",
    "a leaf of a function": "z = Square.apply(x); x.detach().add_(1)",
}


def _refusal(t, program):
    class Square(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            y = x * x
            ctx.save_for_backward(x, y)
            return y

        @staticmethod
        def backward(ctx, g):
            x, y = ctx.saved_tensors
            return 2 * x * g
    names = {"t": t, "x": t.ones(3, 4, requires_grad=True), "Square": Square}
    exec(program, names)
    with pytest.raises(RuntimeError) as caught:
        names["z"].sum().backward()
    return str(caught.value)


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_who_made_what_was_changed(program):
    assert _refusal(flambeau, program) == _refusal(torch, program)


def test_names_of_the_engines_own_nodes():
    found = []
    for t in (torch, flambeau):
        x = t.ones(3, requires_grad=True)
        y = x * 1
        y[0] = 2
        found.append([y.grad_fn.name(), str(y), (x + 1).grad_fn.name(), (x + 1).grad_fn.next_functions[0][0].name()])
    assert found[0] == found[1]


@pytest.mark.parametrize("change", ["w.detach().add_(1)", "y.add_(1)"])
def test_after_a_compiled_call(change):
    refusals = []
    for t in (torch, flambeau):
        w, y = t.ones(4, requires_grad=True), t.ones(2, 4)
        call = (flambeau.compile if t is flambeau else lambda f: f)(lambda x: (x * w * y).exp())
        for _ in range(5):
            z = call(t.ones(2, 4, requires_grad=True))
            z.sum().backward(retain_graph=True)
        exec(change)
        with pytest.raises(RuntimeError) as caught:
            z.sum().backward()
        refusals.append(str(caught.value))
    assert refusals[0] == refusals[1]
