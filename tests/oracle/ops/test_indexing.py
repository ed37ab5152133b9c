"""Reading and writing at positions, masks, bins, against PyTorch: every expression for several dtypes."""
import numpy as np
import pytest

import flambeau

torch = pytest.importorskip("torch")

DTYPES = ["float64", "int64", "bool", "bfloat16", "complex64"]
POSITIONS = {
    "gather": [
        "x.gather(0, rows)", "x.gather(1, rows)", "z.gather(2, j[None])", "s.gather(0, t.tensor(0))",
        "x.gather(0, far)", "x.gather(0, i)", "x.gather(0, rows.to(t.int32))", "x.gather(0, x)",
        "x.gather(3, rows)", "v.gather(0, j)", "x.gather(0, t.zeros(0, dtype=t.int64))",
        "t.take_along_dim(x, x.argmax(1, True), 1)", "t.take_along_dim(x, x.argmax())",
        "t.take_along_dim(x, rows[:1], 0)", "t.take_along_dim(x, x, 0)",
    ],
    "scatter": [
        "x.scatter(0, rows, y)", "x.scatter(1, rows, y[:2])", "x.scatter(0, rows, 2.5)", "x.scatter(0, rows, value=1)",
        'x.scatter(0, rows, y, reduce="add")', 'x.scatter(0, rows, 2, reduce="multiply")',
        'x.scatter(0, rows, y, reduce="no")', "x.scatter(0, far, y)", "x.scatter(0, i, y)",
        "x.scatter(0, rows, y[:1])", "x.scatter_add(0, rows, y)", "x.scatter_add(1, rows, y)",
        "x.scatter_add(0, low, y)", "s.scatter_add(0, t.tensor(0), s)",
    ],
    "scatter_reduce": [
        'x.scatter_reduce(0, rows, y, "sum")', 'x.scatter_reduce(0, rows, y, "prod")',
        'ties.scatter_reduce(0, rows, ties.detach() * 1, "prod")', 'x.scatter_reduce(0, rows, y, "mean")',
        'x.scatter_reduce(1, rows, y, "amax")', 'x.scatter_reduce(0, rows, y, "amin", include_self=False)',
        'x.scatter_reduce(0, rows, y, "mean", include_self=False)',
        'x.scatter_reduce(0, rows, y, "prod", include_self=False)', 'ties.scatter_reduce(0, rows, ties, "amax")',
        'x.scatter_reduce(0, rows, y, "median")',
    ],
    "index_select": [
        "x.index_select(0, i)", "x.index_select(1, t.tensor(1))", "x.index_select(0, i9)", "x.index_select(0, j)",
        "s.index_select(0, t.tensor([0]))", "x.index_select(0, i.to(t.int32))", "x.index_select(0, t.tensor([-1]))",
        "x.index_select(0, x[0])",
    ],
    "index_add": [
        "x.index_add(0, i[:2], y[:2])", "x.index_add(1, i[1:3], y[:, :2], alpha=2)", "x.index_add(0, i[:2], y)",
        "x.index_add(0, i, x[i])", "x.index_add(0, i9[:2], y[:2])", "x.index_add(0, j, y[:2])",
        "s.index_add(0, t.tensor([0]), s)", "x.index_add(0, t.tensor(1), y[:1])",
    ],
    "index_copy": [
        "x.index_copy(0, i[:2], y[:2])", "x.index_copy(1, i[1:3], y[:, :2])", "x.index_copy(0, i[:2], y)",
        "x.index_copy(0, i9[:2], y[:2])", "x.index_copy(0, i[:1], y[:1, :1])", "s.index_copy(0, t.tensor([0]), s)",
    ],
    "index_fill": [
        "x.index_fill(0, i, 3)", "x.index_fill(1, k, -1)", "x.index_fill(0, i, s.detach())",
        "x.index_fill(0, i9, 1)", "x.index_fill(0, i, x)", "s.index_fill(0, t.tensor([0]), 2)",
        "x.index_fill(0, j, 1)",
    ],
    "index_reduce": [
        'x.index_reduce(0, i[:2], y[:2], "prod")', 'x.index_reduce(0, i, x.detach()[i] * 0.5, "mean")',
        'x.index_reduce(0, i[:2], y[:2], "amax")', 'x.index_reduce(1, i[1:3], y[:, :2], "amin", include_self=False)',
        'x.index_reduce(0, i[:2], y[:2], "sum")', 'x.index_reduce(0, i[:2], y[:2], "mean", include_self=False)',
    ],
    "flat": [
        "x.take(j)", "x.take(k)", "x.take(k99)", "x.take(x)", "e.take(j)", "x.put(k, v[:2])",
        "x.put(j, y[:2, :2], accumulate=True)", "x.put(k, v)", "x.put(k99, v[:2])", "x.index_put((i, i), v[:4])",
        "x.index_put((i,), y[0], accumulate=True)", "x.index_put((mask,), s)", "x.index_put((i, i, i), v)",
        "x.index_put((i9,), y[0])",
    ],
    "masks": [
        "x.masked_fill(mask, 2)", "x.masked_fill(bits[:, None], -1.5)", "x.masked_fill(mask, s)",
        "x.masked_fill(i > 0, 0)", "x.masked_fill(x, 0)", "x.masked_fill(mask, v)", "v[:4].masked_fill(mask, 0)",
        "x.masked_fill(bits, 0)", "x.masked_scatter(mask, y)", "x.masked_scatter(bits[:, None], y)",
        "x.masked_scatter(mask, v)", "x.masked_scatter(i, y)", "x.masked_select(mask)",
        "x.masked_select(bits[:, None])", "v[:4].masked_select(mask)", "x.masked_select(i)", "x.masked_select(bits)",
    ],
    "nonzero": [
        "ties.nonzero()", "ties.nonzero(as_tuple=True)", "s.nonzero()", "(s * 0).nonzero()",
        "s.nonzero(as_tuple=True)", "e.nonzero()", "ties.argwhere()", "t.nonzero_static(ties, size=3)",
        "t.nonzero_static(ties, size=20, fill_value=9)", "t.unravel_index(j, (2, 3))", "t.unravel_index(j, 7)",
    ],
    "histogram": [
        "t.histc(x, 4)", "t.histc(x, 4, -1, 1)", "t.histc(x, 4, 1, -1)", "t.histc(x, 0)", "t.histogram(x.detach(), 3)", "t.histogram(x.detach())",
        "t.histogram(x.detach(), 4, range=(-1.0, 1.0), density=True)",
        "t.histogram(x.detach(), x.detach()[0].sort().values, weight=y.detach())",
        "t.histogramdd(x.detach()[:, :2], [2, 3])",
        "t.histogramdd(x.detach()[:, :2], (x.detach()[0].sort().values, x.detach()[1].sort().values))",
        "t.histogram(x.detach(), -1)", "t.bincount(i)", "t.bincount(i, x.detach()[0])", "t.bincount(i, minlength=7)",
        "t.bincount(j)", "t.bincount(-i)", "t.bincount(i, minlength=-1)",
    ],
}


def cases(table):
    return [pytest.param(e, id=f"{group}-{e}") for group, expressions in table.items() for e in expressions]


@pytest.mark.parametrize("expression", cases(POSITIONS))
def test_positions(agree, expression):
    for dtype in DTYPES:
        agree(expression, dtype)


@pytest.mark.parametrize("shape", [(), (5,), (3, 4), (2, 3, 4), (0, 3), (20,)])
def test_positions_of_true_elements_lie_column_by_column(shape):
    values = np.random.default_rng(0).integers(0, 2, shape)
    want, got = torch.tensor(values).nonzero(), flambeau.tensor(values).nonzero()
    np.testing.assert_array_equal(got.numpy(), want.numpy())
    if min(want.shape, default=0) > 1:  # else the order is nobody's business
        assert got.stride() == want.stride()


@pytest.mark.parametrize("mask", ["m", "m[:, 0]", "m[0, 0, 0]", "m[:1]", "m.permute(0, 2, 1)[:, :3]", "m.to(t.uint8)", "(m[:, 0], 1)"])
@pytest.mark.filterwarnings("ignore:indexing with dtype torch.uint8")
def test_masks_of_leading_dimensions(mask):
    def read(t):
        x = t.arange(24.0).reshape(2, 3, 4).requires_grad_()
        m = t.arange(24).reshape(2, 3, 4) % 3 == 0
        found = x[eval(mask, {"m": m, "t": t})]
        (found * found).sum().backward()
        return found.detach().numpy(), x.grad.numpy(), found.grad_fn.name()
    try:
        want = read(torch)
    except IndexError:
        with pytest.raises(IndexError):
            read(flambeau)
    else:
        for a, b in zip(want, read(flambeau)):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_bins_of_histc_are_rounded_as_the_dtype_is(dtype):
    counts = []
    for t in (torch, flambeau):
        x = (t.arange(400) * 0.025).to(getattr(t, dtype))
        counts.append([t.histc(x, 100, 0, 10).tolist(), t.histc(x, 33, -1.3, 8.7).tolist(), t.histc(x, 32).tolist()])
    assert counts[0] == counts[1]
