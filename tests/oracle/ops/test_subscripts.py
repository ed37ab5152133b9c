"""x[key] and x[key] = value, and in-place methods, against PyTorch: every expression for several dtypes."""
import pytest

torch = pytest.importorskip("torch")

DTYPES = ["float64", "int64", "bool", "bfloat16", "complex64"]
READS = {
    "basic": [
        "x[0]", "x[-1]", "x[5]", "x[1:]", "x[::2, 1]", "x[..., 0]", "x[None]", "x[:, None, 1:3]", "x[...]", "x[()]",
        "x[:]", "x[0, 0]", "x[0, 0, 0]", "s[...]", "s[None]", "s[0]", "s[()]", "x[1:1]", "x[5:9]", "x[-2:]", "x[::-1]",
        "x[:, ::3]", "x[t.tensor(1)]", "x[1, ...]", "z[..., None, 1]", "z[:, 0, ..., 1]", "x[3:1]", "z[0][1:, 2]",
        'x["a"]', "x[1.5]", "x[{}]",
    ],
    "advanced": [
        "x[i]", "x[i, i]", "x[:, i]", "x[j]", "z[:, i, 1]", "z[0, :, i]", "z[k, :, i[:2]]", "z[..., k]", "x[k, None]",
        "x[[0, 2]]", "x[[0, 2], [1, 1]]", "x[[]]", "x[:, [0, 1]]", "x[i[:, None], k]", "x[i9]", "x[low]",
        "x[i, rows]", "x[bits]", "x[mask]", "z[:, mask]", "x[bits, 1:]", "x[bits, i[:2]]", "x[True]", "x[False]",
        "x[None, True]", "x[mask[:2]]", "x[t.tensor(True)]", "x[x]", "x[[True, False, True]]",
        "x[t.tensor([1, 0, 1], dtype=t.uint8)]", "z[k][:, bits]", "z[1:, i, ::2]", "e[k]", "z[None, :, i]",
        "x[i.to(t.int32)]", "x[i.to(t.int16)]", "x[range(2)]", "s[True]", "z[i[:2] * 0, 1:, k]",
    ],
}
WRITES = {
    "write": [
        "a[0] = 1", "a[0] = v[:4]", "a[1:] = y[:2]", "a[..., 0] = v[:3]", "a[:] = s", "a[:, None] = y[:, None]",
        "a[0, 0] = s", "a[::2] = 7", "a[0] = v", "a[5] = 1", "a[1:1] = 3", "a[None] = y[None]", "a[0] = y[None, 0]",
        'a[0] = "x"', "a[0] = [1, 2, 3, 4]", "a[0] = None", "a[0] = 1j",
    ],
    "advanced": [
        "a[i] = 2", "a[i[:2]] = y[:2]", "a[i[:2], 1:] = 0.5", "a[:, i] = y", "a[mask] = 0", "a[mask] = s",
        "a[bits] = y[:2]", "a[bits] = v", "a[i[:2], k] = v[:2]", "a[[0, 2]] = y[0]", "a[i9] = 1", "a[True] = y",
        "a[False] = 1", "a[j] = 3", "a[i[:2]] = y[:2].to(t.float32)", "a[bits, 0] = v[:2]",
        "a[:, bits[[0, 1, 2, 1]]] = 9",
    ],
    "inplace": [
        "a[0] += 1", "a[1:] *= 2", "a[i] += 1", "a[mask] *= 3", "a[0][1] = 4", "a.t()[0] = v[:3]",
        "a.view(-1)[3:5] = 0", "a.index_put_((i[:2],), y[:2], accumulate=True)", "a.index_add_(0, i[:2], y[:2])",
        "a.masked_fill_(mask, 1)", "a.scatter_(0, rows, 1.5)", "a.scatter_add_(0, rows, y[:2])", "a.tril_()",
        "a.cumsum_(0)", "a.put_(k, v[:2])", "a.index_fill_(0, i, 2)", "a.index_copy_(0, i[:2], y[:2])",
        "a.masked_scatter_(mask, y)", "a.renorm_(2, 0, 1.0)", "a.fill_diagonal_(3)", "a.fill_diagonal_(3, wrap=True)",
        "a.squeeze_()", "a.unsqueeze_(0)", "a.t_()", "a.transpose_(0, 1)", "a.swapaxes_(0, 1)", "a.resize_(2, 3)",
        "a.unsqueeze_(1).mul_(2)", "a.t_().mul_(2)", "a.t_()[0] = 5", "a.as_strided_((2, 2), (1, 2))",
        'a.scatter_reduce_(0, rows, y[:2], "amax")', 'a.index_reduce_(0, i[:2], y[:2], "prod")',
    ],
}


def cases(table):
    return [pytest.param(e, id=f"{group}-{e}") for group, expressions in table.items() for e in expressions]


@pytest.mark.parametrize("expression", cases(READS))
def test_reads(agree, expression):
    for dtype in DTYPES:
        agree(expression, dtype)


@pytest.mark.parametrize("expression", cases(READS))
def test_views_and_node_names(agree, expression):
    agree(expression, names=True, views=True)


@pytest.mark.parametrize("statement", cases(WRITES))
def test_writes(agree, statement):
    """Writes to a fresh tensor; views made before and after see them."""
    for dtype in DTYPES:
        agree(f"do a = x * 1; before = a.view(-1)[1:3]; {statement}; out = (a, before, a[..., :1])", dtype)


@pytest.mark.parametrize("statement", cases(WRITES))
def test_gradients_of_writes(agree, statement):
    if statement.startswith("a.resize_"):
        pytest.skip("tensors with history cannot be resized")
    agree("do "
          "x.requires_grad_(); y.requires_grad_(); v.requires_grad_(); a = x * 2; before = a.view(-1)[1:3]; "
          f"{statement}; g = t.autograd.grad((a * a).sum() + before.sum(), [x, y, v], allow_unused=True); "
          "out = (a, before, [t.zeros(w.shape, dtype=w.dtype) if h is None else h for w, h in zip([x, y, v], g)])")
