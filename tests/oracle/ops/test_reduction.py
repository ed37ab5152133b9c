"""Reductions and statistics, against PyTorch: every expression for several dtypes."""
import pytest

torch = pytest.importorskip("torch")

DTYPES = ["float64", "int64", "bool", "bfloat16", "complex64"]
REDUCTIONS = {
    "sum": [
        "t.sum(x)", "x.sum(0)", "x.sum(-1, keepdim=True)", "z.sum((0, 2))", "x.sum(dim=())", "x.sum(axis=1)",
        "e.sum(0)", "s.sum()", "s.sum(0)", "x.sum(1, dtype=t.float64)", "x.sum(2)", "x.sum((0, 0))",
        "x.sum_to_size(1, 4)", "x.sum_to_size(5)",
    ],
    "nansum": [
        "nans.nansum()", "nans.nansum(1)", "nans.nansum((0, 1), True)",
    ],
    "prod": [
        "x.prod()", "ties.prod(1)", "z.prod(2, True)", "e.prod()", "s.prod()", "e.prod(0)",
        "x.prod(dim=0, dtype=t.float64)",
    ],
    "mean": [
        "x.mean()", "z.mean((0, 1))", "x.mean(1, keepdim=True)", "e.mean()", "e.mean(0)", "s.mean()",
        "x.mean(0, dtype=t.float64)", "x.mean(9)",
    ],
    "nanmean": [
        "nans.nanmean()", "nans.nanmean(1, keepdim=True)",
    ],
    "logsumexp": [
        "x.logsumexp(1)", "z.logsumexp((0, 2), keepdim=True)", "s.logsumexp(0)", '(x * float("inf")).logsumexp(0)',
        "e.logsumexp(0)", "e.logsumexp(1)",
    ],
    "truth": [
        "x.all()", "ties.all(1)", "x.any()", "ties.any(0, keepdim=True)", "e.all()", "e.any()", "e.all(0)",
        "z.all((0, 1))", "z.any((1, 2))", "s.all(0)", "t.all(ties, dim=1)",
    ],
    "count": [
        "ties.count_nonzero()", "ties.count_nonzero(1)", "z.count_nonzero((0, 1))",
    ],
    "extrema": [
        "x.amax()", "x.amax(1)", "ties.amax(1)", "z.amin((0, 2), True)", "ties.amin()", "e.amax()", "e.amax(0)",
        "e.amax(1)", "s.amax(0)", "nans.amax(1)",
    ],
    "aminmax": [
        "x.aminmax()", "x.aminmax(dim=1)", "x.aminmax(dim=0, keepdim=True)", "ties.aminmax()", "s.aminmax(dim=0)",
        "e.aminmax()",
    ],
    "max": [
        "x.max()", "ties.max()", "x.max(1)", "x.max(0, True)", "x.max(dim=-1, keepdim=True)", "t.max(x, y)",
        "x.max(y)", "e.max()", "e.max(0)", "e.max(1)", "s.max()", "s.max(0)", "nans.max(1)", "x.max(5)",
        "x.max(1).values", "x.max(1).indices", "x.max(1)[0]",
    ],
    "min": [
        "x.min()", "ties.min()", "x.min(1)", "x.min(0, True)", "t.min(x, y)", "e.min()", "nans.min(1)",
        "t.min(x, dim=0)",
    ],
    "arg": [
        "x.argmax()", "x.argmax(1)", "x.argmin(0, keepdim=True)", "x.argmin(keepdim=True)", "s.argmax()",
        "s.argmax(0)", "e.argmax()", "e.argmax(0)", "nans.argmax(1)", "ties.argmin(1)", "x.argmax(dim=None)",
    ],
    "var": [
        "x.var()", "x.var(1)", "x.var(0, False)", "x.var(False)", "x.var((0, 1), correction=0)",
        "z.var(1, keepdim=True)", "x.var(unbiased=False)", "v.var(0, correction=2)", "s.var()", "s.var(correction=0)",
        "e.var(0)", "x.std()", "x.std(1)", "x.std(0, unbiased=False, keepdim=True)", "(x * 0).std(1)", "t.var_mean(x)",
        "t.var_mean(x, 1)", "t.std_mean(x, (0, 1), keepdim=True)", "t.std_mean(x, correction=0)", "t.var(x, axis=1)",
    ],
    "median": [
        "x.median()", "ties.median()", "x.median(1)", "nans.median(1)", "nans.median()", "nans.nanmedian()",
        "nans.nanmedian(1)", "z.median(1, True)", "s.median()", "s.median(0)", "e.median()", "e.median(0)",
        "e.median(1)", "v.nanmedian()",
    ],
    "mode": [
        "ties.mode()", "ties.mode(0)", "x.mode(1, True)", "s.mode()", "e.mode(0)",
    ],
    "quantile": [
        "x.quantile(0.3)", "x.quantile(q)", "x.quantile(q32)", "x.quantile(0.3, 1)", "x.quantile(q, 0, keepdim=True)",
        "nans.quantile(0.4, 1)", "nans.nanquantile(0.4, 1)", "nans.nanquantile(q, 1)",
        'x.quantile(0.37, 1, interpolation="nearest")', 'x.quantile(0.37, 1, interpolation="lower")',
        'x.quantile(0.37, 1, interpolation="higher")', 'x.quantile(0.37, 1, interpolation="midpoint")',
        'x.quantile(0.5, interpolation="no")', "x.quantile(2.0)", "x.quantile(1.0, 1)",
        "x.quantile(0.3, keepdim=True)",
    ],
    "norm": [
        "x.norm()", "x.norm(2)", "x.norm(1, 0)", "x.norm(3.0, (0, 1))", 'x.norm(float("inf"), 1, True)',
        'x.norm(float("-inf"))', "x.norm(0)", "(x * 0).norm()", 'x.norm("fro", (0, 1))', "x.norm(dim=1)",
        "t.dist(x, y)", "t.dist(x, y, 1)", "t.dist(x, x)", "x.renorm(2, 0, 1.0)", "z.renorm(1, 1, 0.5)",
        "v.renorm(2, 0, 1.0)",
    ],
    "cov": [
        "x.cov()", "x.cov(correction=0)", "v.cov()", "x.corrcoef()", "v.corrcoef()",
        "t.cov(x, fweights=t.tensor([1, 2, 1, 3]))", "z.cov()",
    ],
}


def cases(table):
    return [pytest.param(e, id=f"{group}-{e}") for group, expressions in table.items() for e in expressions]


@pytest.mark.parametrize("expression", cases(REDUCTIONS))
def test_reductions(agree, expression):
    for dtype in DTYPES:
        agree(expression, dtype)
