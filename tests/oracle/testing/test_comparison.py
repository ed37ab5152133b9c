"""`torch.testing` says the same as PyTorch's, and draws the same tensors."""
import pytest

torch = pytest.importorskip("torch")

PAIRS = [
    "(t.tensor([1., 2.]), t.tensor([1., 3.]))", "(t.tensor([1, 2]), t.tensor([1, 3]))", "(t.tensor([1, 2]), t.tensor([1, 2, 3]))",
    "(t.tensor([1, 2]), t.tensor([1., 2.]))", "([t.ones(2)], [t.zeros(2)])", "(1., 2.)", "(1, 1.)", "(t.ones(3), t.ones(3) + 1e-7)",
    "({'a': t.ones(1)}, {'b': t.ones(1)})", "(t.tensor(1.), t.tensor(2.))", "('a', 'b')", "(t.ones(3), [1, 1, 1])", "([1, 2], [1, 2, 3])",
    "(t.tensor([True, False]), t.tensor([True, True]))", "(t.tensor(float('nan')), t.tensor(float('nan')))", "(None, 1)", "(None, None)",
    "(t.ones(2, 2), t.ones(2, 2).t() * 2)", "({'a': [1, t.ones(2)]}, {'a': [1, t.ones(2) * 1.1]})", "(t.ones(2).half(), t.ones(2).half() * 1.01)",
]


def outcome(module, expression, **options):
    try:
        module.testing.assert_close(*eval(expression, {"t": module}), **options)
    except (AssertionError, TypeError, ValueError) as error:
        return type(error), str(error)


@pytest.mark.parametrize("expression", PAIRS)
@pytest.mark.parametrize("options", [{}, {"rtol": 0.2, "atol": 0.0}, {"equal_nan": True}, {"check_dtype": False}, {"msg": "no"}],
                         ids=str)
def test_same_verdict(expression, options):
    import flambeau
    want, got = outcome(torch, expression, **options), outcome(flambeau, expression, **options)
    if want is None or got is None:
        assert want is got
    else:
        assert got[0] is want[0] and got[1].replace("flambeau.tensor.tensor.", "torch.") == want[1]


def test_one_tolerance_alone():
    import flambeau
    for expression in PAIRS[:4]:
        assert outcome(flambeau, expression, rtol=1.0) == outcome(torch, expression, rtol=1.0)


@pytest.mark.parametrize("arguments", [
    "(3, 4), dtype=t.float32", "2, 3, dtype=t.int64, low=0", "(5,), dtype=t.bool", "(2, 3), dtype=t.complex64, noncontiguous=True",
    "(4,), dtype=t.uint8", "(6,), dtype=t.float64, low=0.5, high=0.75, exclude_zero=True", "(30,), dtype=t.int32, low=-1, high=2, exclude_zero=True",
    "(3,), dtype=t.float32, low=2, high=1", "(3,), dtype=t.int8, requires_grad=True", "(3,), dtype=t.bfloat16, requires_grad=True",
    "(2, 3, 2, 2), dtype=t.float32, memory_format=t.channels_last",
])
def test_make_tensor(arguments):
    import flambeau

    def run(module):
        module.manual_seed(0)
        try:
            x = eval(f"t.testing.make_tensor({arguments}, device='cpu')", {"t": module})
        except ValueError as error:
            return str(error)
        return str(x.dtype), tuple(x.shape), x.stride(), x.requires_grad, x.detach().tolist()
    assert run(flambeau) == run(torch)
