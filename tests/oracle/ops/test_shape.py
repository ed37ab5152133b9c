"""Joining, splitting, rearranging, against PyTorch: every expression for several dtypes."""
import pytest

torch = pytest.importorskip("torch")

DTYPES = ["float64", "int64", "bool", "bfloat16", "complex64"]
SHAPES = {
    "join": [
        "t.cat([x, y])", "t.cat([x, y], 1)", "t.cat((x, y), dim=-1)", "t.cat([x, e[:, :0].reshape(0)])",
        "t.cat([x, v])", "t.cat([x, x[:, :2]])", "t.cat([s, s])", "t.cat([])", "t.cat([x, x.to(t.float32)])",
        "t.cat([x, mask], 0)", "t.concat([x, y])", "t.concatenate([x, y], 1)", "t.stack([x, y])",
        "t.stack([x, y], -1)", "t.stack([s, s])", "t.stack([x, v])", "t.stack([x, y], 4)", "t.hstack([x, y])",
        "t.hstack([v, v])", "t.hstack([s, s])", "t.vstack([x, y])", "t.vstack([v, v])", "t.vstack([s, s])",
        "t.row_stack([x, y])", "t.dstack([x, y])", "t.dstack([v, v])", "t.dstack([z, z])", "t.column_stack([x, y])",
        "t.column_stack([v, v])", "t.column_stack([s, s])", "t.column_stack([x[:, 0], y])", "t.vstack([])", "t.cat(3)",
        "t.cat([x, 3])", "t.block_diag(x, v, s)", "t.block_diag(z)", "t.block_diag()",
    ],
    "split": [
        "x.split(2)", "x.split(2, 1)", "x.split([1, 2])", "x.split([1, 1])", "x.split(0)", "x.split(-1)", "x.chunk(2)",
        "x.chunk(3, -1)", "x.chunk(0)", "x.chunk(9)", "x.tensor_split(2, 1)", "x.tensor_split((1, 3), 1)",
        "x.tensor_split(t.tensor([1, 2]), 0)", "x.tensor_split([2, 1], 1)", "x.tensor_split(0)", "z.hsplit(3)",
        "v.hsplit([2])", "z.vsplit(2)", "z.dsplit(2)", "x.dsplit(2)", "v.vsplit(2)", "x.hsplit(3)", "x.unbind()",
        "z.unbind(-1)", "s.unbind()", "e.split(2)", "e.chunk(2)", "x.unsafe_split(2)", "x.unsafe_chunk(2, 1)",
        "x.split_with_sizes([1, 2])", "t.unsafe_split_with_sizes(x, [3, 1], 1)",
    ],
    "transpose": [
        "x.T", "x.mT", "z.mT", "z.mH", "x.H", "x.t()", "v.t()", "v.T", "v.mT", "z.H", "s.T", "s.mT", "x.adjoint()",
        "z.swapaxes(0, 2)", "z.swapdims(1, -1)", "z.moveaxis(0, 2)", "z.movedim((0, 1), (2, 0))", "z.permute(2, 0, 1)",
        "z.permute(dims=(2, 0, 1))", "z.transpose(0, 5)",
    ],
    "shape": [
        "x.ravel()", "x.T.ravel()", "x.view_as(z[0])", "x.reshape_as(z[0])", "v[:1].expand_as(v)", "x.expand(2, 3, 4)",
        "x.expand(size=(2, -1, 4))", "t.broadcast_to(v, (2, 5))", "t.broadcast_tensors(x, v[:4], s)",
        "t.broadcast_tensors(x, v)", "t.atleast_1d(s)", "t.atleast_2d(v)", "t.atleast_3d(x)", "t.atleast_2d(s, v, x)",
        "t.atleast_3d(v)", 't.meshgrid(v, v, indexing="ij")', 't.meshgrid(v, x[0], indexing="xy")',
        't.meshgrid(s, v, indexing="xy")', "t.cartesian_prod(v, x[0])", "t.cartesian_prod(v)", "t.combinations(v)",
        "t.combinations(v, 3)", "t.combinations(v, 2, True)", "t.combinations(v, 9)", "t.combinations(x)",
        "x.view(2, 6)", "x.view(size=(2, 6))", "x.reshape(shape=(4, 3))", "x.T.view(12)", "x.unflatten(1, (2, 2))",
        "z.flatten(1)", "z.squeeze()", "x.unsqueeze(1)", "x[:, :1].squeeze(1)", "x.narrow(1, 1, 2)",
        "z.unfold(2, 2, 1)", "z.diagonal(0, 1, 2)", "x.as_strided((2, 2), (1, 2), 1)",
    ],
    "reorder": [
        "x.flip(0)", "x.flip(0, 1)", "x.flip((1,))", "x.flip(dims=(0,))", "x.flip(3)", "x.fliplr()", "v.flipud()",
        "v.fliplr()", "s.flip(0)", "x.roll(1)", "x.roll(2, 1)", "x.roll((1, -1), (0, 1))", "x.roll(shifts=1, dims=0)",
        "x.roll((1, 2))", "e.roll(1)", "x.rot90()", "x.rot90(2)", "x.rot90(-1)", "z.rot90(1, (1, 2))", "v.rot90()",
        "x.rot90(1, (0, 0))",
    ],
    "repeat": [
        "x.repeat(2, 1)", "x.repeat(2, 1, 3)", "x.repeat((1, 2))", "x.repeat(2)", "x.repeat(0, 1)", "x.repeat(-1, 1)",
        "x.tile(2)", "x.tile((2, 1, 2))", "x.tile(dims=(2,))", "x.repeat_interleave(2)", "x.repeat_interleave(2, 1)",
        "x.repeat_interleave(counts, 0)", "x.repeat_interleave(counts, dim=0, output_size=5)",
        "t.repeat_interleave(counts)", "x.repeat_interleave(counts, 1)", "x.repeat_interleave(-1)",
        "s.repeat_interleave(3)", "s.repeat(2)",
    ],
    "diagonal": [
        "t.diag(v)", "t.diag(x)", "t.diag(x, 1)", "t.diag(v, -2)", "t.diag(z)", "t.diagflat(x)", "t.diagflat(v, 1)",
        "t.diag_embed(x)", "t.diag_embed(x, 1, 0, 2)", "t.diag_embed(v, -1)", "x.diag_embed(0, 1, 1)",
        "x.diagonal_scatter(v[:3])", "x.diagonal_scatter(v[:2])", "z.diagonal_scatter(x[:2, :3], 0, 0, 1)",
        "x.select_scatter(v[:4], 0, 1)", "x.select_scatter(v[:4], 0, 5)", "x.slice_scatter(y[:2], 0, 0, 2)",
        "x.slice_scatter(y[:, :2], 1, None, None, 2)", "x.slice_scatter(y)", "x.slice_scatter(v)",
        "x.detach().as_strided_scatter(v[:3], (3,), (5,), 0)",
        "x.detach().as_strided_scatter(v, (5,), (0,), 0)", "x.tril()",
        "x.triu(1)", "z.tril(-1)", "v.tril()", "x.trace()", "z.trace()", "t.vander(v)", "t.vander(v, 3)",
        "t.vander(v, increasing=True)", "t.vander(x)",
    ],
    "copies": [
        "t.permute_copy(z, (2, 0, 1))", "t.select_copy(x, 0, 1)", "t.slice_copy(x, 0, 1, 3)",
        "t.transpose_copy(x, 0, 1)", "t.t_copy(x)", "t.squeeze_copy(z[:1])", "t.squeeze_copy(z[:1], 0)",
        "t.unsqueeze_copy(x, 0)", "t.unbind_copy(x)", "t.view_copy(x, (12,))", "t.unfold_copy(v, 0, 2, 1)",
        "t.split_copy(x, 2)", "t.split_with_sizes_copy(x, (1, 2))", "t.expand_copy(v, (2, 5))", "t.diagonal_copy(x)",
        "t.as_strided_copy(x, (2, 2), (1, 2))", "t.alias_copy(x)", "t.narrow_copy(x, 1, 1, 2)", "t.detach_copy(x)",
    ],
}


def cases(table):
    return [pytest.param(e, id=f"{group}-{e}") for group, expressions in table.items() for e in expressions]


@pytest.mark.parametrize("expression", cases(SHAPES))
def test_shapes(agree, expression):
    for dtype in DTYPES:
        agree(expression, dtype)
