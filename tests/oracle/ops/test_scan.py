"""Scans, differences and integrals, against PyTorch: every expression for several dtypes."""
import pytest

torch = pytest.importorskip("torch")

DTYPES = ["float64", "int64", "bool", "bfloat16", "complex64"]
SCANS = {
    "scans": [
        "x.cumsum(0)", "x.cumsum(-1)", "s.cumsum(0)", "e.cumsum(0)", "x.cumsum(2)", "x.cumsum(1, dtype=t.float64)",
        "x.cumprod(1)", "ties.cumprod(1)", "s.cumprod(0)", "z.cumprod(1)", "x.logcumsumexp(1)", "z.logcumsumexp(0)",
        "s.logcumsumexp(0)", "t.cumsum(x, dim=0)", "t.cumsum(x, axis=0)",
    ],
    "running": [
        "x.cummax(0)", "ties.cummax(1)", "nans.cummax(1)", "ties.cummin(1)", "nans.cummin(0)", "s.cummax(0)",
        "e.cummax(0)", "x.cummin(dim=1).values",
    ],
    "diff": [
        "x.diff()", "x.diff(dim=0)", "x.diff(2)", "x.diff(prepend=x[:, :1])", "x.diff(append=y, dim=0)", "x.diff(9)",
        "s.diff()", "x.diff(0)", "x.diff(n=-1)",
    ],
    "integrals": [
        "t.trapezoid(x)", "t.trapezoid(x, dx=0.5)", "t.trapezoid(x, y)", "t.trapezoid(x, v[:4])",
        "t.trapezoid(x, dim=0)", "t.trapezoid(x, v)", "t.cumulative_trapezoid(x)", "t.cumulative_trapezoid(z, dim=1)",
        "t.cumulative_trapezoid(x, y, dim=0)", "t.trapz(x, dx=2)",
    ],
    "gradient": [
        "t.gradient(x)", "t.gradient(x, dim=1)", "t.gradient(x, spacing=0.5)", "t.gradient(x, spacing=(0.5, 2.0))",
        "t.gradient(z[..., :], edge_order=2, dim=(1, 2))",
        "t.gradient(x, spacing=[t.tensor([0.0, 1.0, 4.0]), t.tensor([0.0, 1.0, 4.0, 9.0])])",
        "t.gradient(v, spacing=[t.tensor([0.0, 1.0, 4.0, 9.0, 11.0])], edge_order=2)", "t.gradient(x, spacing=(1.0,))",
        "t.gradient(x, edge_order=3)", "t.gradient(s)",
    ],
}


def cases(table):
    return [pytest.param(e, id=f"{group}-{e}") for group, expressions in table.items() for e in expressions]


@pytest.mark.parametrize("expression", cases(SCANS))
def test_scans(agree, expression):
    for dtype in DTYPES:
        agree(expression, dtype)
