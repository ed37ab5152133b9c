"""PyTorch's operator database: values, dtypes, shapes, gradients and errors of its samples are flambeau's, too."""
import functools

import pytest

torch = pytest.importorskip("torch")

# Where flambeau differs, and why
EXCEPT = {
    "as_strided_scatter": "PyTorch's gradient is that of the wrong elements",
    "kthvalue": "ties", "topk": "ties", "sort": "ties", "argsort": "ties", "msort": "ties", "mode": "ties",
    "gather": "arguments that share memory do not when they are translated", "take": "likewise", "cat": "likewise",
    "logcumsumexp": "complex logarithms that PyTorch does not bring back to (−π, π]",
    "logsumexp": "complex numbers whose phase float32 does not hold",
    "narrow_copy": "PyTorch's internal assertion", "max_pool2d_with_indices_backward": "needs torch.ops",
    "sparse.mm": "matrices by rows are not translated", "sparse.sampled_addmm": "likewise",
    "nn.functional.scaled_dot_product_attention": "dropout where a batch is broadcast",
    "special.bessel_j0": "PyTorch's is good to seven digits", "special.bessel_y1": "likewise",
    **dict.fromkeys(("__radd__", "__rdiv__", "__rmul__", "__rand__", "__ror__", "__rxor__"), "methods called on numbers"),
}
NOT_UNIQUE = {"svd", "linalg.svd", "linalg.eig", "linalg.eigh", "geqrf", "linalg.qr", "qr", "ormqr", "svd_lowrank", "pca_lowrank",
              "linalg.lstsq", "linalg.ldl_factor", "linalg.ldl_factor_ex"}
UNDEFINED = {"empty", "empty_like", "new_empty", "new_empty_strided", "empty_strided", "empty_permuted", "resize_", "resize_as_"}
SOME = ["add", "addmm", "addr", "arange", "atan2", "cdist", "clamp", "cumsum", "diff", "einsum", "fft.rfft2", "fmod", "index_fill",
        "linalg.cholesky", "linalg.solve", "masked.var", "matmul", "nanquantile", "native_layer_norm", "nn.functional.conv2d",
        "nn.functional.conv_transpose2d", "nn.functional.dropout3d", "nn.functional.interpolate", "nn.functional.layer_norm",
        "nn.functional.multi_margin_loss", "pow", "rand_like", "softmax", "special.zeta", "sum_to_size", "tril",
        "uniform", "unravel_index", "where"]
SHARDS = 24


@functools.cache
def database():
    from operator_database import operator_database
    ops = operator_database()
    return None if ops is None else [op for op in ops if op.name not in EXCEPT]


def differences(ops, dtypes, count):
    from operator_database import disagreements
    ran, found = 0, []
    for op in ops:
        n, differ = disagreements(op, dtypes, count, values=op.name not in NOT_UNIQUE | UNDEFINED)
        ran += n
        found += differ
    return ran, found


def ops_or_skip(choose):
    ops = database()
    if ops is None:
        pytest.skip("this PyTorch cannot load its operator database")
    return choose(ops)


@pytest.mark.parametrize("name", SOME)
def test_some_operators(name):
    ran, found = differences(ops_or_skip(lambda ops: [op for op in ops if op.name == name]), [torch.float32, torch.complex64, torch.int64], 3)
    assert ran and not found


@pytest.mark.slow
@pytest.mark.parametrize("shard", range(SHARDS))
def test_all_operators(shard):
    ran, found = differences(ops_or_skip(lambda ops: ops[shard::SHARDS]),
                             [torch.float32, torch.float64, torch.int64, torch.bool, torch.complex128], 6)
    assert ran and not found
