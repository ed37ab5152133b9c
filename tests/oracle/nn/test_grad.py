"""`torch.nn.grad` beside PyTorch: values, further gradients, errors."""
import pytest

import flambeau
import flambeau.nn.grad as ours

torch = pytest.importorskip("torch")
theirs = torch.nn.grad

CASES = [
    (1, (2, 4, 9), (6, 4, 3), {}),
    (1, (2, 4, 9), (6, 2, 3), {"stride": 2, "padding": 1, "groups": 2}),
    (2, (2, 4, 9, 8), (6, 4, 3, 2), {"padding": (1, 0), "dilation": (2, 1)}),
    (2, (2, 4, 9, 8), (8, 1, 3, 3), {"stride": (2, 1), "padding": 1, "groups": 4}),
    (3, (1, 2, 5, 6, 7), (3, 2, 2, 3, 2), {"stride": 2, "padding": 1}),
]


@pytest.mark.parametrize("nd, input_size, weight_size, kwargs", CASES)
def test_values_and_gradients(nd, input_size, weight_size, kwargs):
    torch.manual_seed(0)
    x, w = torch.randn(input_size, dtype=torch.float64), torch.randn(weight_size, dtype=torch.float64)
    g = torch.randn_like(getattr(torch.nn.functional, f"conv{nd}d")(x, w, **kwargs))
    for name, size_of, given in ((f"conv{nd}d_input", input_size, w), (f"conv{nd}d_weight", weight_size, x)):
        results = []
        for t, module in ((torch, theirs), (flambeau, ours)):
            a, b = (t.tensor(v.numpy(), requires_grad=True) for v in (given, g))
            out = getattr(module, name)(*((size_of, a) if name.endswith("input") else (a, size_of)), b, **kwargs)
            (out ** 2).sum().backward()
            results.append([v.detach().numpy() for v in (out, a.grad, b.grad)])
        for expected, got in zip(*results):
            assert got.shape == expected.shape
            assert abs(got - expected).max() < 1e-9


BAD = [
    ("conv2d_input", lambda t: ((4, 8, 8), t.ones(6, 4, 3, 3), t.ones(6, 6, 6)), {}, "Expected 4-dimensional input"),
    ("conv2d_input", lambda t: ((2, 4, 8, 8), t.ones(6, 4, 3, 3), t.ones(2, 6, 6, 6)), {"stride": (1, 2, 3)}, "expected stride to be"),
    ("conv2d_input", lambda t: ((2, 4, 8, 8), t.ones(6, 4, 3, 3), t.ones(2, 6, 6, 6)), {"groups": 2}, "Given groups=2, weight of size"),
    ("conv2d_input", lambda t: ((2, 4, 8, 8), t.ones(6, 4, 3, 3), t.ones(2, 6, 6, 6)), {"padding": -1}, "negative padding is not supported"),
    ("conv2d_weight", lambda t: (t.ones(2, 4, 8, 8), (3, 3), t.ones(2, 6, 6, 6)), {}, "weight should have at least three dimensions"),
    ("conv2d_weight", lambda t: (t.ones(2, 4, 8, 8), (6, 4, 3, 3), t.ones(1, 6, 6, 6)), {}, None),
    ("conv2d_weight", lambda t: (t.ones(2, 4, 8, 8), (6, 4, 3, 3), t.ones(2, 6, 6, 6).double()), {}, None),
]


@pytest.mark.parametrize("name, arguments, kwargs, words", BAD)
def test_errors(name, arguments, kwargs, words):
    for t, module in ((torch, theirs), (flambeau, ours)):
        with pytest.raises(RuntimeError, match=words):
            getattr(module, name)(*arguments(t), **kwargs)
