"""`gradcheck` finds wrong gradients and accepts right ones, real and complex, backward and forward."""
import pytest

import flambeau as torch
from flambeau import nn
from flambeau.autograd import gradcheck, gradgradcheck
from flambeau.autograd.gradcheck import GradcheckError


def _randn(*shape, dtype=torch.float64):
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(sum(shape))).requires_grad_()


class Wrong(torch.autograd.Function):
    """x², with the gradient of x."""

    @staticmethod
    def forward(ctx, x):
        return x * x

    @staticmethod
    def backward(ctx, g):
        return g


class Moody(torch.autograd.Function):
    """x, with another gradient each time."""

    calls = 0

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, g):
        Moody.calls += 1
        return g + 1e-9 * Moody.calls


RIGHT = {
    "sin": (torch.sin, [_randn(2, 2)]), "several": (lambda a, b: (a @ b, a.sum()), [_randn(2, 3), _randn(3, 2)]),
    "complex": (lambda z: z.exp() / z, [_randn(2, dtype=torch.complex128)]), "to real": (lambda z: (z * z.conj()).real, [_randn(
        2, dtype=torch.complex128)]), "to complex": (lambda x: torch.fft.fft(x), [_randn(3)]),
    "conv": (lambda x, w: nn.functional.conv2d(x, w, padding=1, stride=2), [_randn(1, 2, 4, 4), _randn(3, 2, 3, 3)]),
    "indices": (lambda x: (x.argmax(), x.sum()), [_randn(3)]),
}


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.parametrize("fast", [False, True])
def test_right_gradients(name, fast):
    f, inputs = RIGHT[name]
    assert gradcheck(f, inputs, check_forward_ad=True, check_batched_grad=True, check_batched_forward_grad=True, check_grad_dtypes=True,
                     fast_mode=fast)
    assert gradgradcheck(f, inputs, fast_mode=fast)


def test_modules_and_second_order():
    m = nn.Sequential(nn.Linear(2, 3), nn.Tanh()).double()
    assert gradcheck(lambda x, *_: m(x), (_randn(4, 2), *m.parameters()))  # parameters move where they are
    assert gradgradcheck(lambda a, b: a * b.exp(), (_randn(2), _randn(2)), check_fwd_over_rev=True, check_batched_grad=True,
                         gen_non_contig_grad_outputs=True)


@pytest.mark.parametrize("fast", [False, True])
def test_wrong_gradients(fast):
    with pytest.raises(GradcheckError, match="Jacobian mismatch for output 0 with respect to input 0"):
        gradcheck(Wrong.apply, _randn(2), fast_mode=fast)
    assert gradcheck(Wrong.apply, (_randn(2),), raise_exception=False, fast_mode=fast) is False
    with pytest.raises(GradcheckError):
        gradgradcheck(lambda x: Wrong.apply(x).exp() * x, (_randn(2),), fast_mode=fast)
    with pytest.raises(GradcheckError, match="not reentrant"):
        gradcheck(Moody.apply, _randn(2))
    assert gradcheck(Moody.apply, _randn(2), nondet_tol=1e-6)
    with pytest.raises(GradcheckError, match="expected to be zero"):
        gradcheck(lambda x: x.detach(), _randn(2))
    assert gradcheck(lambda x: torch.ones(2), _randn(2))


def test_inputs_that_cannot_be_checked():
    with pytest.raises(ValueError, match="at least one input tensor to require gradient"):
        gradcheck(torch.sin, torch.ones(2))
    with pytest.raises(RuntimeError, match="dimension with stride 0"):
        gradcheck(torch.sin, _randn(1).expand(3))
    with pytest.raises(AssertionError, match="at least one of"):
        gradcheck(torch.sin, _randn(2), check_backward_ad=False)
    with pytest.warns(UserWarning, match="not a double precision"), pytest.raises(GradcheckError):
        gradcheck(torch.sin, torch.ones(2, requires_grad=True))


def test_second_order_draws_as_pytorch_does():
    torch.manual_seed(0)
    gradgradcheck(torch.sin, (_randn(2),))
    after = torch.rand(1)
    torch.manual_seed(0)
    _randn(2)
    torch.empty(2, dtype=torch.float64).uniform_(-1, 1)
    assert torch.equal(after, torch.rand(1))
