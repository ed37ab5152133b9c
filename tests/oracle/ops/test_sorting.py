"""Order: sorting, searching, distinct values, against PyTorch: every expression for several dtypes."""
import pytest

torch = pytest.importorskip("torch")

DTYPES = ["float64", "int64", "bool", "bfloat16", "complex64"]
ORDER = {
    "sort": [
        "x.sort()", "x.sort(0)", "x.sort(1, True)", "x.sort(stable=True)",
        "ties.sort(stable=True, dim=0, descending=True)", "nans.sort(1)", "s.sort()", "e.sort(0)", "x.sort(4)",
        "x.argsort()", "x.argsort(0, True)", "ties.argsort(stable=True)", "x.msort()", "t.sort(x, dim=0)[1]",
    ],
    "topk": [
        "x.topk(2)", "x.topk(2, 0)", "x.topk(3, largest=False)", "x.topk(0)", "x.topk(9)", "s.topk(1)",
        "x.topk(2, 1, True, True).values", "x.kthvalue(2)", "x.kthvalue(1, 0, True)", "x.kthvalue(0)", "s.kthvalue(1)",
        "e.kthvalue(1, 0)",
    ],
    "search": [
        "t.searchsorted(edges, edges)", "t.searchsorted(x.sort().values, y)",
        "t.searchsorted(x.sort().values, y, right=True)", 't.searchsorted(v.sort().values, x, side="right")',
        "t.searchsorted(v.sort().values, 0.4)", "t.searchsorted(v.sort().values, x, out_int32=True)",
        "t.searchsorted(v, x, sorter=v.argsort())", "t.searchsorted(x, v)", "t.searchsorted(s, v)",
        't.searchsorted(v, x, side="middle")', "t.bucketize(x, v.sort().values)", "t.bucketize(0.3, edges)",
        "t.bucketize(x, v.sort().values, right=True)", "t.bucketize(x, x)",
    ],
    "isin": [
        "t.isin(ties, t.tensor([0, 1]))", "t.isin(ties, 1)", "t.isin(1, ties)",
        "t.isin(ties, t.tensor([1]), invert=True)", "t.isin(x, x[:1])", "t.isin(e, x)", "t.isin(x, e)",
    ],
    "unique": [
        "ties.detach().unique()", "ties.detach().unique(return_inverse=True, return_counts=True)",
        "ties.detach().unique(dim=0)",
        "ties.detach().unique(dim=1, return_inverse=True, return_counts=True)", "t.unique_consecutive(ties.detach())",
        "t.unique_consecutive(ties.detach().sort().values, return_inverse=True, return_counts=True)",
        "t.unique_consecutive(ties.detach(), dim=1, return_counts=True)", "s.detach().unique(return_counts=True)",
        "e.detach().unique()",
        "x.detach().unique(dim=7)", "nans.detach().unique(return_inverse=True)",
    ],
}


def cases(table):
    return [pytest.param(e, id=f"{group}-{e}") for group, expressions in table.items() for e in expressions]


@pytest.mark.parametrize("expression", cases(ORDER))
def test_order(agree, expression):
    for dtype in DTYPES:
        agree(expression, dtype)
