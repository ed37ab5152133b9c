"""Sparse tensors against PyTorch's: expressions that must print the same, fail in the same way, and have the same gradients."""
import io
import warnings

import numpy as np
import pytest

import flambeau as fb

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.filterwarnings("ignore")  # PyTorch calls its own sparse tensors a beta


def names(lib):
    """What the expressions may use: s and u (uncoalesced) are matrices, h has a dense dimension, c is by rows, d strided."""
    i = lib.tensor([[0, 1, 1], [2, 0, 2]])
    s = lib.sparse_coo_tensor(i, lib.tensor([3.0, 4.0, 5.0]), (2, 3)).coalesce()
    u = lib.sparse_coo_tensor(lib.tensor([[1, 0, 1, 1], [2, 1, 2, 0]]), lib.tensor([1.0, 2.0, -3.0, 0.5]), (2, 3))
    h = lib.sparse_coo_tensor(i, lib.arange(6.0).reshape(3, 2), (2, 3, 2))
    c = lib.sparse_csr_tensor([0, 2, 3], [0, 2, 1], [1.0, 2.0, 3.0], size=(2, 3))
    d = lib.arange(6.0).reshape(3, 2) / 4 - 0.5
    return {"torch": lib, "i": i, "s": s, "u": u, "h": h, "c": c, "d": d, "F": lib.nn.functional}


EXPRESSIONS = """
s | u | h | u.coalesce() | u.coalesce().is_coalesced() | h.is_coalesced() | u._indices() | u._values() | s.indices() | s.values()
torch.sparse_coo_tensor(size=(2, 3)) | torch.sparse_coo_tensor((2, 3)) | torch.sparse_coo_tensor(torch.zeros(2, 0).long(), torch.zeros(0, 4), (2, 3, 4))
torch.sparse_coo_tensor(i, torch.ones(3)) | torch.sparse_coo_tensor([[0, 1], [1, 2]], [1, 2], dtype=torch.float64)
torch.sparse_coo_tensor(i, torch.tensor([1, 2, 3])) | torch.sparse_coo_tensor(i, torch.ones(3), (2, 3), requires_grad=True)
torch.sparse_coo_tensor(i, torch.ones(3, requires_grad=True), (2, 3)) | torch.zeros(2, 3, layout=torch.sparse_coo)
(s.is_sparse, s.layout, s.sparse_dim(), s.dense_dim(), s._nnz(), s.shape, s.dtype, s.numel(), s.ndim, s.is_leaf, s.requires_grad)
(h.sparse_dim(), h.dense_dim(), h.shape) | s.stride() | len(s) | list(s) | s.type()
s + s | (s + u).to_dense() | u + u | (u - s).to_dense() | s - s.double() | torch.add(s, u, alpha=2).coalesce() | d.t() + u | torch.ones(2, 3) - s | h + h
s * 2 | 2 * u | s / 2 | u // 2 | (s * u).to_dense() | (u * u.coalesce()).to_dense() | s * torch.ones(2, 3) | torch.ones(3) * u | s ** 2 | u ** 2 | -u | h * torch.tensor([1.0, 2.0])
torch.mm(s, d) | u @ d | d.t()[:, :2] @ u | torch.sparse.mm(u, s.t()) | s @ u.t() | s @ torch.ones(3) | torch.mv(u, torch.ones(3))
torch.sparse.addmm(torch.ones(2, 2), s, d, beta=0.5, alpha=2) | torch.addmm(torch.ones(2, 2), u, d) | torch.bmm(torch.stack([s, u]), torch.stack([d, d]))
F.linear(s, torch.ones(4, 3))
s.t() | u.transpose(0, 1) | torch.transpose(s, 0, 1) | s.T | s.permute(1, 0) | h.permute(1, 0, 2) | s.unsqueeze(0) | torch.unsqueeze(s, -1) | h.unsqueeze(3)
s.sum() | s.sum(0) | torch.sparse.sum(u) | torch.sparse.sum(u, 0) | torch.sparse.sum(s, (0, 1)) | torch.sparse.sum(s, 1, dtype=torch.float64)
torch.sparse.sum(h, 2) | torch.sparse.sum(h, (0, 1)) | torch.sparse.sum(h, 0) | torch.sparse.sum(h, (0, 2)) | torch.sum(u, -1)
torch.sparse.softmax(s, 1) | torch.sparse.softmax(u, 0) | torch.sparse.log_softmax(s, 1) | torch.sparse.softmax(h, 2) | torch.sparse.softmax(h, 0)
s[0] | s[0, 2] | s[:, 1] | s[-1] | h[0] | h.select(2, 0) | s.index_select(1, torch.tensor([2, 0])) | s.narrow_copy(1, 1, 2)
s.to_dense() | u.to_dense() | h.to_dense() | torch.eye(2).to_sparse() | torch.eye(2).to_sparse(1) | torch.eye(2).to_dense() | s.to_sparse()
s.double() | s.to(torch.float64) | u.clone() | s.detach() | s.float() is not None
s.abs() | s.sqrt() | torch.relu(u) | torch.sin(u) | u.norm() | torch.any(s) | torch.isnan(s) | torch.tanh(s) | u.neg()
torch.arange(6.0).reshape(2, 3).sparse_mask(s) | s.clone().zero_() | u.clone().add_(s).to_dense() | u.clone().mul_(2) | torch.zeros(2, 3).add_(u, alpha=2)
torch.cat([s, u]) | torch.cat([s, s], 1) | torch.stack([s, s]) | torch.cat([h, h], 2) | torch.zeros_like(s) | torch.empty_like(h)
torch.sparse.spdiags(torch.tensor([[1.0, 2, 3], [4, 5, 6]]), torch.tensor([0, 1]), (3, 3)) | u.clone().copy_(s)
c | torch.sparse_csr_tensor(torch.tensor([0, 2, 3]), torch.tensor([0, 2, 1]), torch.ones(3)) | c.to_dense() | c.to_sparse() | c.to_sparse_coo()
(c.layout, c.is_sparse, c.is_sparse_csr, c.shape, c._nnz(), c.sparse_dim(), c.dense_dim(), c.numel()) | (c.crow_indices(), c.col_indices(), c.values())
torch.eye(3).to_sparse_csr() | u.to_sparse_csr() | torch.eye(2).to_sparse(layout=torch.sparse_csr) | c.to_sparse_csr() | torch.zeros(2, 3).to_sparse_csr()
c @ d | torch.mm(c, d) | torch.sparse.mm(c, d) | c @ torch.ones(3) | c @ torch.eye(3).to_sparse_csr() | torch.addmm(torch.ones(2, 2), c, d) | d @ c
c * 2 | 2 * c | c + c | -c | c * c | c * torch.ones(2, 3) | torch.ones(2, 3) + c | c + torch.ones(2, 3) | c.sum() | c.abs() | torch.sin(c)
c[0] | c[0, 2] | c.clone() | c.double() | c.detach() | len(c) | torch.sparse.sampled_addmm(c, torch.ones(2, 4), torch.ones(4, 3), beta=0.5, alpha=2)
torch.sparse_csr_tensor([0, 2, 3], [0, 2, 1], [1.0, 2.0, 3.0], size=(2, 3), requires_grad=True)
s.smm(d) | torch.smm(u.coalesce(), d) | torch.hspmm(s, d) | torch.sspaddmm(torch.ones(2, 2).to_sparse(), s, d, beta=2, alpha=3)
s.clone().sparse_resize_((3, 4), 2, 0) | s.clone().sparse_resize_and_clear_((4, 4), 1, 1) | (d.sparse_dim(), d.dense_dim())
torch.is_tensor(s) | isinstance(s, torch.Tensor)
""".replace("\n", " | ").strip(" |").split(" | ")


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expression(expression):
    expected = eval(expression, names(torch))
    got = eval(expression, names(fb))
    assert repr(got) == repr(expected)


ERRORS = """
u.values() | u.indices() | s + 1 | s + torch.ones(2, 3) | s / s | s / torch.ones(2, 3) | s == s | s.exp() | s.view(6) | s.squeeze() | s.numpy()
d.coalesce() | d.values() | d.crow_indices() | s.col_indices() | c.row_indices() | s.clone().sparse_resize_((1, 3), 2, 0)
s.clone().sparse_resize_((2, 3), 1, 1) | d.smm(d) | c.coalesce() | c.indices() | c.numpy() | c.view(6) | s.item() | s.mean() | s.max() | torch.softmax(s, 1) | torch.cumsum(s, 0) | torch.ones_like(s) | torch.equal(s, s) | torch.mm(s, torch.ones(2, 2))
torch.sparse.mm(s, d.double()) | torch.eye(2).to_sparse(0) | s.to_dense(torch.float64) | s + h | torch.cat([s, torch.ones(2, 3)]) | s[5]
torch.sparse_coo_tensor(i, torch.ones(2), (2, 3)) | torch.sparse_coo_tensor(i, torch.ones(3), (2, 3, 4))
torch.sparse_coo_tensor(torch.tensor([[5], [0]]), torch.ones(1), (2, 3), check_invariants=True)
torch.sparse_coo_tensor(i, torch.ones(3, 4), (2, 3, 5)) | torch.nn.EmbeddingBag(3, 2, sparse=True, mode='max')(torch.tensor([[0]]))
""".replace("\n", " | ").strip(" |").split(" | ")


@pytest.mark.parametrize("expression", ERRORS)
def test_error(expression):
    with pytest.raises(Exception) as expected:
        eval(expression, names(torch))
    with pytest.raises(expected.type):
        eval(expression, names(fb))


GRADIENTS = {
    "to_dense": lambda s, d: (s.to_dense() ** 2).sum(),
    "coalesce": lambda s, d: (s.coalesce().values() ** 2).sum(),
    "mm": lambda s, d: ((s @ d) ** 2).sum(),
    "sum": lambda s, d: (s * 3).sum() ** 2,
    "product": lambda s, d: ((s * s).to_dense() ** 2).sum(),
    "sparse sum": lambda s, d: (s + s * 2).sum() ** 2,
    "transpose": lambda s, d: (s.t().to_dense() @ s.to_dense() ** 2).sum(),
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients(name):
    results = []
    for lib in (torch, fb):
        values = lib.tensor([1.0, 2.0, -3.0, 0.5], dtype=lib.float64).requires_grad_()
        s = lib.sparse_coo_tensor(lib.tensor([[1, 0, 1, 1], [2, 1, 2, 0]]), values, (2, 3))
        d = (lib.arange(6.0, dtype=lib.float64).reshape(3, 2) / 4).requires_grad_()
        GRADIENTS[name](s, d).backward()
        results.append((values.grad.tolist(), None if d.grad is None else d.grad.tolist()))
    np.testing.assert_allclose(results[1][0], results[0][0])
    if results[0][1] is not None:
        np.testing.assert_allclose(results[1][1], results[0][1])


@pytest.mark.parametrize("function", ["softmax", "log_softmax"])
@pytest.mark.parametrize("dim", [0, 1, 2])
def test_gradients_of_softmax(function, dim):
    results = []
    for lib in (torch, fb):
        values = (lib.arange(6.0, dtype=lib.float64).reshape(3, 2) / 3).requires_grad_()
        s = lib.sparse_coo_tensor(lib.tensor([[0, 1, 1], [2, 0, 2]]), values, (2, 3, 2))
        (getattr(lib.sparse, function)(s, dim).to_dense() * lib.arange(12.0, dtype=lib.float64).reshape(2, 3, 2)).sum().backward()
        results.append(values.grad.tolist())
    np.testing.assert_allclose(results[1], results[0], atol=1e-12)


def test_a_sparse_leaf_gets_a_sparse_gradient():
    texts = []
    for lib in (torch, fb):
        s = lib.sparse_coo_tensor(lib.tensor([[0, 1], [2, 0]]), lib.tensor([3.0, 4.0]), (2, 3), requires_grad=True)
        lib.sparse.mm(s, lib.ones(3, 2)).sum().backward()
        texts.append(repr(s.grad))
    assert texts[0] == texts[1]


LAYERS = {
    "Embedding": lambda nn, lib: (nn.Embedding(6, 2, sparse=True, padding_idx=1), (lib.tensor([[0, 1], [3, 0]]),)),
    "EmbeddingBag sum": lambda nn, lib: (nn.EmbeddingBag(6, 2, sparse=True, mode="sum"), (lib.tensor([[0, 1], [1, 2]]),)),
    "EmbeddingBag mean": lambda nn, lib: (nn.EmbeddingBag(6, 2, sparse=True), (lib.tensor([0, 1, 1, 4]), lib.tensor([0, 3]))),
}


@pytest.mark.parametrize("name", LAYERS)
def test_embeddings_get_sparse_gradients(name):
    texts = []
    for lib in (torch, fb):
        lib.manual_seed(0)
        layer, args = LAYERS[name](lib.nn, lib)
        for _ in range(2):  # the second gradient is added to the first
            (layer(*args) * 2).sum().backward()
        texts.append(repr(layer.weight.grad) + str(layer.weight.grad.is_coalesced()))
    assert texts[0] == texts[1]


OPTIMIZERS = {
    "SparseAdam": {}, "SparseAdam lr": dict(lr=0.05, betas=(0.8, 0.9), eps=1e-4), "SparseAdam maximize": dict(maximize=True),
    "SGD": dict(lr=0.1), "SGD momentum": dict(lr=0.1, momentum=0.9), "SGD nesterov": dict(lr=0.1, momentum=0.9, nesterov=True),
    "SGD maximize": dict(lr=0.1, maximize=True), "Adagrad": {}, "Adagrad decay": dict(lr=0.1, lr_decay=0.1),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_with_sparse_gradients(name):
    tables, states = [], []
    for lib in (torch, fb):
        lib.manual_seed(1)
        table = lib.nn.Embedding(8, 3, sparse=True)
        optimizer = getattr(lib.optim, name.split()[0])(table.parameters(), **OPTIMIZERS[name])
        for step in range(5):
            optimizer.zero_grad()
            rows = table(lib.tensor([step, 2, 2, 7 - step]))
            (rows ** 2).sum().backward()
            optimizer.step()
        tables.append(table.weight.tolist())
        states.append({k: lib.as_tensor(v).to_dense().tolist() for k, v in optimizer.state[table.weight].items()})
    np.testing.assert_allclose(tables[1], tables[0], rtol=1e-5, atol=1e-7)
    assert states[0].keys() == states[1].keys()
    for key in states[0]:
        np.testing.assert_allclose(states[1][key], states[0][key], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", ["Adam", "AdamW", "Adamax", "NAdam", "RAdam", "RMSprop", "Rprop", "ASGD", "Adadelta", "Adafactor", "Muon"])
def test_optimizers_without_sparse_gradients(name):
    messages = []
    for lib in (torch, fb):
        x = lib.nn.Parameter(lib.ones(3, 2))
        x.grad = lib.sparse_coo_tensor(lib.tensor([[0, 1]]), lib.ones(2, 2), (3, 2))
        optimizer = getattr(lib.optim, name)([x])
        with pytest.raises(RuntimeError) as raised:
            optimizer.step()
        assert x.tolist() == [[1, 1]] * 3
        messages.append(str(raised.value))
    assert messages[0] == messages[1]


def test_lbfgs_takes_sparse_gradients():
    tables = []
    for lib in (torch, fb):
        x = lib.nn.Parameter(lib.ones(3, 2))
        x.grad = lib.sparse_coo_tensor(lib.tensor([[0, 1]]), lib.ones(2, 2), (3, 2))
        lib.optim.LBFGS([x]).step(lambda: lib.tensor(1.0))
        tables.append(x.tolist())
    assert tables[0] == tables[1]


@pytest.mark.parametrize("expression", ["s", "u", "h", "c", "torch.sparse_coo_tensor(size=(2, 3))"])
def test_files_cross(expression):
    theirs, ours = eval(expression, names(torch)), eval(expression, names(fb))
    file = io.BytesIO()
    torch.save({"t": theirs}, file)
    file.seek(0)
    loaded = fb.load(file)["t"]
    assert repr(loaded) == repr(theirs)
    if theirs.is_sparse:
        assert loaded.is_coalesced() == theirs.is_coalesced()
    file = io.BytesIO()
    fb.save({"t": ours}, file)
    file.seek(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        back = torch.load(file)["t"]
    assert repr(back) == repr(theirs)
    if theirs.is_sparse:
        assert back.is_coalesced() == theirs.is_coalesced()


@pytest.mark.parametrize("reduce", ["sum", "mean", "amax", "amin"])
def test_products_that_combine_their_terms(reduce):
    found = []
    for t in (torch, fb):
        a = t.tensor([[1.0, 0, 2], [0, 0, 0], [3, 4, 0]]).to_sparse_csr().requires_grad_()
        b = t.tensor([[1.0, 2], [3, 4], [5, -6]], requires_grad=True)
        y = t.sparse.mm(a, b, reduce)
        (y * y).sum().backward()
        found.append((y.tolist(), a.grad.values().tolist(), b.grad.tolist()))
    assert found[0] == found[1]


@pytest.mark.parametrize("layouts, reduce", [(("csr", "dense"), "prod"), (("coo", "dense"), "sum"), (("csr", "csr"), "sum"), (("dense", "dense"), "sum")])
def test_products_that_cannot_combine_their_terms(layouts, reduce):
    raised = []
    for t in (torch, fb):
        operands = [getattr(t.eye(2), {"csr": "to_sparse_csr", "coo": "to_sparse_coo", "dense": "clone"}[layout])() for layout in layouts]
        with pytest.raises((RuntimeError, NotImplementedError)) as error:
            t.sparse.mm(*operands, reduce)
        raised.append(type(error.value))
    assert raised[0] is raised[1]
