"""What autograd and the functions of functions refuse, or warn of, in PyTorch's words."""
import warnings

import pytest

torch = pytest.importorskip("torch")

import flambeau

CALLS = """
autograd.grad(x.sum(), [y]); autograd.grad(x.sum(), [x, y]); autograd.Function(1); repr(set_grad_enabled(True)); func.vjp(lambda v: v.long(), x);
func.vjp(lambda v: (v, v > 0), x); func.jacrev(lambda v: v.long())(x); eye(2).to_sparse().__setitem__(0, 1); x.softmax(); x.log_softmax();
stft(s, 4, return_complex=True).shape; istft(stft(s, 4, return_complex=True, window=ones(4)), 4).shape
""".replace("\n", "").split(";")


@pytest.mark.parametrize("call", [c.strip() for c in CALLS])
def test_words(call):
    said = []
    for t in (torch, flambeau):
        t.set_warn_always(True)
        names = {**vars(t), **{n: getattr(t, n) for n in ("func", "stft", "istft", "ones", "eye")}, "x": t.ones(3, requires_grad=True),
                 "y": t.ones(3, requires_grad=True), "s": t.ones(10)}
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            try:
                outcome = str(eval(call, names)) if "Function" not in call else eval(call, names) and None
            except Exception as error:
                outcome = f"{type(error).__name__}: {error}"
        t.set_warn_always(False)
        said.append((outcome, [(w.category, str(w.message).partition(" (Triggered")[0].replace("flambeau.", "torch.")) for w in told
                               if "jit" not in str(w.message)]))
    assert said[0] == said[1]
