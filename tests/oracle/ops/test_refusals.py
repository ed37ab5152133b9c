"""Calls that PyTorch refuses, for the types of their arguments, are refused; and what `()` means for dimensions."""
import pytest

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("call", [
    "equal(2.5, x)", "equal(x, None)", "broadcast_tensors(x, 2)", "cross(x.t(), y.t().long(), dim=1)",
    "linalg.cross(x[:, :3], y[:, :3].long(), dim=1)", "cross(mask, mask, dim=0)", "aminmax(x * 1j)", "trace(mask[:, :3])",
    "special.zeta(x.half(), x.half())", "special.hermite_polynomial_h(x.half(), 2)", "special.chebyshev_polynomial_t(x.bfloat16(), 2)",
    "special.ndtri(u.half())", "special.bessel_j0(x.bfloat16())", "cat([x, None])", "stack([None, x])", "argmax(x, out=x)",
    "sort(x, out=(x.double(), x.long()))", "max(x, 1, out=(u.double(), u.long()))", "scatter(x, 0, x.long(), 1.0, out=x.double())",
    "nn.functional.linear(x, y.double())", "nn.functional.linear(x, y, u.double())", "nn.functional.linear(x.double(), y, t.ones(3))",
    "nn.functional.linear(x, y.double(), t.ones(3))", "addmm(u, x.double(), y.t())", "addmm(u, x, y.t().double())",
])
def test_refused(call):
    import flambeau
    def run(module):
        names = {"t": module, "x": module.ones(3, 4), "y": module.ones(3, 4), "u": module.ones(2), "mask": module.ones(3, 4).bool()}
        with pytest.raises(Exception) as raised:
            eval("t." + call, names)
        return raised.value
    want, got = run(torch), run(flambeau)
    assert isinstance(got, type(want)) and str(got).split("\n")[0] == str(want).split("\n")[0]


@pytest.mark.parametrize("call", ["all(x, ())", "any(ties, ())", "all(ties, (), True)", "any(e, ())", "sum(x, ())", "amax(x, ())"])
def test_no_dimensions(agree, call):
    agree("t." + call)
    agree("t." + call, "uint8")


@pytest.mark.parametrize("shape", [(1,), (), (2, 1), (2, 4)])
def test_addbmm_takes_the_shape_of_the_result(shape):
    import flambeau

    def run(module):
        x = module.ones(shape)
        y = x.addbmm_(module.arange(12.0).reshape(2, 2, 3), module.arange(24.0).reshape(2, 3, 4), beta=0.5)
        return y is x, x.tolist()
    assert run(flambeau) == run(torch)
