"""In-place writes, `out=`, views that refuse them, memory formats and conversions to numbers, as in PyTorch: the same program gives
the same results, errors and warnings."""
import warnings

import pytest

import flambeau

torch = pytest.importorskip("torch")

PROGRAMS = """
# views that a call makes together
x = torch.ones(4, requires_grad=True) * 1; a, b = x.split(2); a.add_(1)
x = torch.ones(4, requires_grad=True) * 1; a, b = x.chunk(2); a.mul_(2)
x = torch.ones(4, requires_grad=True) * 1; a, b = x.unbind(0)[:2]; b.add_(1)
x = torch.ones(4, 4, requires_grad=True) * 1; torch.split(x, [1, 3])[0].zero_()
x = torch.ones(4, 4, requires_grad=True) * 1; next(iter(x)).zero_()
x = torch.ones(4, requires_grad=True) * 1; a, b = x.split(2); a[0] = 5
x = torch.ones(4, requires_grad=True) * 1; a, b = x.split(2); a.view(-1).add_(1)
x = torch.ones(4, requires_grad=True) * 1; a, b = x.split(2); x.add_(1); a.sum()
x = torch.ones(4, requires_grad=True) * 1; a, b = torch.tensor_split(x, 2); a.mul_(2); out = x
x = torch.ones(4); a, b = x.split(2); a.add_(1); out = x
x = torch.ones(4, 4); y = torch.ones(4, requires_grad=True); x.unbind()[0].add_(y)
x = torch.ones(4, 4); y = torch.ones(4, requires_grad=True); x.split(2)[0].copy_(y * 2)
# views that were made without gradients
with torch.no_grad(): x = torch.ones(4, 4); v = x.view(-1)|v.add_(torch.ones(16, requires_grad=True))
x = torch.ones(4, 4, requires_grad=True)|with torch.no_grad(): v = x.view(-1)|v.add_(1)
with torch.no_grad(): x = torch.ones(4, 4); v = x.view(-1)|v.add_(1); out = x
# leaves
x = torch.ones(4, requires_grad=True); x.add_(1)
x = torch.ones(4, requires_grad=True); x[0] = 1
x = torch.ones(4, requires_grad=True); x.view(2, 2).add_(1)
x = torch.ones(4, requires_grad=True); x.detach().add_(1); out = x.detach()
x = torch.ones(4, requires_grad=True); z = x * x; x.detach().add_(1); z.sum().backward(); out = x.grad
x = torch.ones(4, requires_grad=True); z = x.exp(); z.add_(1); z.sum().backward()
# elements that share a place
x = torch.ones(3).expand(2, 3); x.add_(1)
x = torch.ones(1).expand(3); x[0] = 2; out = x
x = torch.ones(1).expand(3); x.fill_(2); out = x
x = torch.ones(2, 1).expand(2, 3); x.zero_(); out = x
x = torch.ones(2, 1); x.fill_(value=3); out = x
x = torch.arange(6.); x.as_strided((3, 3), (1, 1)).add_(1)
# operands that are a part of what is written
x = torch.arange(6.); x[1:].add_(x[:-1])
x = torch.arange(6.); x[1:].copy_(x[:-1])
x = torch.arange(6.); x[1:] = x[:-1]
x = torch.arange(6.); torch.add(x[:-1], 1, out=x[1:])
x = torch.ones(2, 2); x.add_(x.t())
x = torch.arange(6.); x[:3] = x[3:]; out = x
x = torch.arange(6.); torch.mul(x, x, out=x); out = x
x = torch.arange(6.); x.mul_(x); out = x
x = torch.arange(6.); x[::2].add_(x[1::2]); out = x
x = torch.eye(3); torch.mm(x, x, out=x)
# out=
x = torch.ones(3); torch.add(x, x, out=torch.empty(3, dtype=torch.int64))
x = torch.ones(3); out = torch.empty(5); torch.add(x, x, out=out)
x = torch.ones(3); out = torch.empty(0); torch.add(x, x, out=out)
x = torch.ones(3, requires_grad=True); torch.add(x, x, out=torch.empty(3))
x = torch.ones(3); torch.sum(x, 0, out=torch.empty(2))
x = torch.ones(3); torch.cat([x, x], out=torch.empty(2, dtype=torch.float64))
x = torch.ones(3); torch.max(x, 0, out=(torch.empty(()), torch.empty((), dtype=torch.int64)))
# copies of numbers
x = torch.ones(2, 2); x.copy_(3); out = x
x = torch.arange(3); x.copy_(2.5); out = x
x = torch.arange(3); x.add_(1.5)
x = torch.arange(3); x /= 2
x = torch.ones(3); x += torch.ones(2, 3)
# memory formats
x = torch.ones(2, 3, 4, 5).to(memory_format=torch.channels_last); out = (x.stride(), x.is_contiguous())
x = torch.ones(2, 3, 4, 5).to(memory_format=torch.channels_last); out = x.is_contiguous(memory_format=torch.channels_last)
x = torch.ones(2, 3, 4, 5).contiguous(memory_format=torch.channels_last); out = x.clone().stride()
x = torch.ones(2, 1, 4, 5).to(memory_format=torch.channels_last); out = x.stride()
x = torch.ones(1, 3, 1, 1).to(memory_format=torch.channels_last); out = x.stride()
x = torch.ones(2, 3, 1, 5).contiguous(memory_format=torch.channels_last); out = x.stride()
x = torch.ones(2, 3).to(memory_format=torch.channels_last)
x = torch.ones(2, 3, 4, 5, 6).to(memory_format=torch.channels_last_3d); out = x.stride()
x = torch.empty(2, 3, 4, 5, memory_format=torch.channels_last); x.view(-1)
x = torch.ones(2, 3, 4, 5).to(memory_format=torch.channels_last); out = x.to(torch.float64).stride()
out = torch.nn.Conv2d(3, 4, 2).to(memory_format=torch.channels_last).weight.stride()
# numbers
x = torch.ones(2); float(x)
x = torch.ones(2); int(x)
x = torch.tensor(1., requires_grad=True); out = f'{x:.2f}'
x = torch.tensor(1., requires_grad=True); out = x.item()
"""


def run(module, program):
    """(what `out` is, or the error; the warnings)."""
    names = {"torch": module}
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            exec(program.replace("|", "\n"), names)
        except Exception as error:
            return f"{type(error).__name__}: {error}".split("\n")[0].partition(" operation: ")[0], []
    out = names.get("out")
    if isinstance(out, module.Tensor):
        out = out.tolist(), str(out.dtype), tuple(out.stride()), out.requires_grad
    return out, [(w.category, str(w.message).partition(" (Triggered")[0][:60]) for w in warned]


@pytest.mark.parametrize("program", [line for line in PROGRAMS.strip().split("\n") if not line.startswith("#")])
def test_write(program):
    assert run(flambeau, program) == run(torch, program)


def test_conversion_of_a_tensor_with_history_warns(monkeypatch):
    from flambeau import warning
    monkeypatch.setattr(warning, "_given", set())
    x = flambeau.tensor(2.0, requires_grad=True)
    with pytest.warns(UserWarning, match="Converting a tensor with requires_grad=True to a scalar"):
        assert float(x) == 2.0
    float(x)  # only once: warnings are errors here
    float(flambeau.tensor(1.0))


def test_a_view_that_is_a_leaf_stays_one():
    def leaf(t, write):
        base = t.zeros(4)
        view = base[1::2].requires_grad_()
        with t.no_grad():
            write(base, view)
        (view * view).sum().backward()
        return view.requires_grad, view.is_leaf, view.grad.tolist(), base.requires_grad

    for write in (lambda base, view: view.add_(1), lambda base, view: base.add_(1)):
        assert leaf(flambeau, write) == leaf(torch, write) == (True, True, [2, 2], False)
