"""The contraction kernel family against NumPy: matmuls, convolutions and their gradients, by every kind of schedule."""
import ctypes
import itertools
import re
from dataclasses import replace
from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import as_strided

from flambeau.compiler.llvm import emit, jit
from flambeau.compiler.llvm.emit import I64, PTR, Emitter
from flambeau.compiler.llvm.target import ISAS, host_target, make_target
from flambeau.compiler.loops import schedule as schedules
from flambeau.compiler.loops.contraction import (
    Axis, Contraction, ConvShape, channels_last, conv_forward, conv_input_grad, conv_weight_grad, input_grad_border, matmul,
    row_major)
from flambeau.compiler.loops.contraction_kernel import ELEMENTS, write_contraction
from flambeau.compiler.loops.schedule import make_schedule
from flambeau.compiler.threads import Program, set_num_threads

TARGET = host_target()
CONV32 = ConvShape(24, 32, 32, (32, 32), (3, 3), (1, 1), (1, 1))
GUARD = 64  # elements around the output that must stay untouched


def compile_contraction(schedule, offsets=(0, 0, 0)):
    module = emit.new_module(TARGET)
    e = Emitter.define(module, TARGET, "kernel", [PTR, I64, PTR], noalias=False)
    buffers, chunk, scratch = e.args
    dtypes = schedule.contraction.dtypes
    pointers = [e.at(e.load(e.at(buffers, 8 * i), PTR), o, ELEMENTS[d]) for i, (o, d) in enumerate(zip(offsets, dtypes))]
    write_contraction(e, schedule, *pointers, chunk, scratch)
    e.b.ret_void()
    lib = jit.load(jit.compile_module(module, TARGET, level=1), ["kernel"])
    return Program([(lib["kernel"], schedule.n_chunks)], scratch=schedule.scratch_bytes(), keep=lib)


def call(program, *arrays):
    pointers = (ctypes.c_void_p * len(arrays))(*[a.ctypes.data for a in arrays])
    program.run(ctypes.addressof(pointers))


def reach(strides_and_sizes):
    """(elements before index 0, elements from index 0 on) that an operand needs."""
    low = sum(min(0, s * (n - 1)) for s, n in strides_and_sizes)
    high = sum(max(0, s * (n - 1)) for s, n in strides_and_sizes)
    return -low, high + 1


def fill_borders(c, a, value):
    """Writes where the contraction says that operand a has zeros; `a` begins with the element with all indices 0."""
    axes = c.outer + c.reduced
    view = as_strided(a, [x.size for x in axes], [x.a * a.itemsize for x in axes])
    index = np.indices(view.shape, sparse=True)
    for border in c.borders:
        forth, back = ([i for i, x in enumerate(part, start) if x.a == stride and x.size > 1]
                       for part, start, stride in ((c.outer, 0, border.stride), (c.reduced, len(c.outer), -border.stride)))
        position = sum([index[i] for i in forth]) - sum([index[i] for i in back])
        view[np.broadcast_to((position < border.low) | (position >= border.high), view.shape)] = value


def check(c, schedule=None, rng=None, tolerance=None, border=0):
    """Runs a contraction and compares; returns the schedule. border: what the kernel finds in borders."""
    rng = rng or np.random.default_rng(0)
    s = schedule or make_schedule(c, TARGET.isa)
    offsets, arrays = [], []
    for op, dtype in zip(("a", "b", "out"), c.dtypes):
        axes = c.outer + c.reduced if op != "out" else c.outer
        before, after = reach([(x.out if op == "out" else x.stride(op), x.size) for x in axes])
        offsets.append(before + GUARD)
        # NaN around what belongs to the operand: reading it must not matter
        x = np.full(before + after + 2 * GUARD, np.nan, dtype)
        x[GUARD:-GUARD] = rng.standard_normal(before + after)
        arrays.append(x)
    fill_borders(c, arrays[0][offsets[0]:], 0)
    want = arrays[2].copy()
    c.reference(*arrays[:2], want, tuple(offsets))
    fill_borders(c, arrays[0][offsets[0]:], border)
    call(compile_contraction(s, offsets), *arrays)
    steps = np.prod([r.size for r in c.reduced])
    tolerance = tolerance or (2e-6 if c.accumulate == "float32" else 1e-14)
    assert np.array_equal(np.isnan(arrays[2]), np.isnan(want)), s
    assert np.nanmax(np.abs(arrays[2] - want)) <= tolerance * max(4, steps), s
    return s


def force(c, vector_axis, tile, isa=TARGET.isa, packed="", lanes=None):
    """A schedule with the choices given, on the simplified contraction."""
    c = c.simplify()
    lanes = lanes or isa.lanes(np.dtype(c.accumulate).itemsize)
    return schedules._finish(c, schedules._Candidate(vector_axis, lanes, tile, packed, 1e6))


@pytest.fixture(autouse=True)
def two_threads():
    set_num_threads(2)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("ta,tb", list(itertools.product([False, True], repeat=2)))
@pytest.mark.parametrize("m,n,k", [(1, 1, 1), (1, 10, 8), (13, 17, 19), (64, 32, 16), (5, 1, 300), (7, 40, 129), (50, 64, 257)])
def test_matmul(m, n, k, ta, tb, dtype):
    check(matmul(m, n, k, a=(1, m) if ta else None, b=(1, k) if tb else None, dtype=dtype))


@pytest.mark.parametrize("m,n,k,kind", [(40, 48, 4104, "nt"), (50, 18, 8192, "nt"),  # blocks of a long reduction
                                        (200, 1040, 8, "tn"), (261, 1056, 7, "nn"),  # of the rows of a large result
                                        (21, 2200, 67, "nn"), (24, 1040, 163, "nn")])  # of few steps down long columns
def test_matmul_in_blocks(m, n, k, kind):
    c = matmul(m, n, k, a=(1, m) if kind[0] == "t" else None, b=(1, k) if kind[1] == "t" else None)
    s = make_schedule(c, ISAS["avx2"])
    assert s.block_axis == 0 or len(s.contraction.outer) == 3
    check(c)
    check(c, s if TARGET.isa.vector_bytes >= ISAS["avx2"].vector_bytes else None)


def test_empty_reduction_gives_zeros():
    c = matmul(6, 20, 0, a=(1, 1), b=(20, 1))
    out = np.ones(120, np.float32)
    call(compile_contraction(make_schedule(c, TARGET.isa)), out, out, out)
    assert (out == 0).all()


@pytest.mark.parametrize("m,n,k", [(6, 7, 9), (33, 18, 40)])
def test_batched_and_strided_matmul(m, n, k):
    # batches of heads inside rows, as attention has them: (batch, length, heads, size)
    heads, size = 3, max(m, n, k)
    stride = heads * size
    check(matmul(m, n, k, a=(stride, 1), b=(1, stride), batch=[(2, heads * m * n, m * stride, n * stride), (heads, m * n, size, size)]))
    check(matmul(m, n, k, a=(-stride, 1), b=(stride, -1), out=(n + 5, 1)))
    check(matmul(m, n, k, out=(2 * n, 2)))  # nothing contiguous in the output
    check(matmul(m, n, k, a=(0, 1), b=(0, 1)))  # broadcast operands


@pytest.mark.parametrize("k", [5, 8, 61, 1500])
@pytest.mark.parametrize("packed, tile", [("b", (6, 16)), ("b", (3, 8)), ("a", (6, 16)), ("ab", (4, 24))])
def test_operands_packed_by_rows_of_the_reduction(packed, tile, k):
    check(c := matmul(45, 59, k, a=(k, 1), b=(1, k)), force(c, 1, tile, packed=packed if "b" in packed else packed + "b"))


def test_both_operands_of_a_batch_are_packed_where_their_columns_are_far_apart():
    rows = 512
    c = matmul(64, 64, 96, a=(1, rows), b=(rows, 1), batch=[(8, 64 * 64, 64, 64)])
    assert len(check(c).packs) == 2


CONVS = [
    # n, c_in, c_out, size, kernel, stride, pad, dilation, groups
    (2, 3, 5, (9,), (3,), (1,), (1,), (1,), 1),
    (2, 3, 6, (12, 11), (5, 5), (1, 1), (0, 0), (1, 1), 1),
    (2, 16, 24, (8, 8), (3, 3), (1, 1), (1, 1), (1, 1), 1),
    (1, 8, 8, (9, 10), (3, 2), (2, 2), (1, 0), (1, 1), 1),
    (3, 6, 4, (11, 11), (3, 3), (2, 3), (2, 1), (2, 2), 2),
    (2, 8, 8, (7, 7), (3, 3), (1, 1), (1, 1), (1, 1), 8),
    (2, 4, 8, (5, 5), (1, 1), (1, 1), (0, 0), (1, 1), 1),
    (1, 4, 4, (5, 6, 4), (2, 3, 2), (1, 2, 1), (0, 1, 1), (1, 1, 2), 2),
]


def conv_case(n, c_in, c_out, size, kernel, stride, pad, dilation, groups):
    out = tuple((a + 2 * p - d * (k - 1) - 1) // s + 1 for a, p, d, k, s in zip(size, pad, dilation, kernel, stride))
    return ConvShape(n, c_in, c_out, out, kernel, stride, dilation, groups), tuple(a + 2 * p for a, p in zip(size, pad))


@pytest.mark.parametrize("layout", [row_major, channels_last])
@pytest.mark.parametrize("case", CONVS, ids=str)
def test_convolution_and_its_gradients(case, layout):
    n, c_in, c_out, size, kernel, stride, pad, dilation, groups = case
    shape, padded = conv_case(*case)
    x, y = layout((n, c_in, *padded)), layout((n, c_out, *shape.out))
    w = row_major((c_out, c_in // groups, *kernel))
    check(conv_forward(shape, x, w, y))
    check(conv_weight_grad(shape, x, y, w))
    border = input_grad_border(shape, pad, size)
    y = layout((n, c_out, *[t + 2 * b for t, b in zip(shape.out, border)]))
    for phase in conv_input_grad(shape, pad, size, y, w, layout((n, c_in, *size)), border):
        check(phase.contraction)


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_rows_of_a_border_are_not_read(rows):
    """Channels last, so that the taps are not the innermost loop; y's rows are apart, so that they stay an axis of their own."""
    shape, _ = conv_case(2, 16, 6, (14, 16), (5, 1), (1, 1), (0, 0), (1, 1), 1)
    y, x = channels_last((2, 6, 10 + 8, 17)), channels_last((2, 16, 14, 16))
    phase, = conv_input_grad(shape, (0, 0), (14, 16), y, (80, 1, 16, 16), x, (4, 0))
    outer = phase.contraction.simplify().outer
    tile = tuple([16 if axis.b == 1 else rows if axis.size == 14 else 1 for axis in outer])
    schedule = force(phase.contraction, [axis.b for axis in outer].index(1), tile)
    check(schedule.contraction, schedule, border=np.nan if rows == 1 else 0)


@pytest.mark.parametrize("case", CONVS, ids=str)
def test_tables_mean_convolution(case):
    """The access maps themselves, by their NumPy reference, against the definition."""
    n, c_in, c_out, size, kernel, stride, pad, dilation, groups = case
    shape, padded = conv_case(*case)
    rng = np.random.default_rng(1)
    x = np.zeros((n, c_in, *padded))
    inner = (slice(None), slice(None), *[slice(p, p + a) for p, a in zip(pad, size)])
    x[inner] = rng.standard_normal((n, c_in, *size))
    w = rng.standard_normal((c_out, c_in // groups, *kernel))
    g = rng.standard_normal((n, c_out, *shape.out))
    y, dx, dw = np.zeros(g.shape), np.zeros(x.shape), np.zeros(w.shape)
    og, ig = c_out // groups, c_in // groups
    for t in np.ndindex(*shape.out):
        window = tuple(slice(i * s, i * s + d * (k - 1) + 1, d) for i, s, d, k in zip(t, stride, dilation, kernel))
        for q in range(groups):
            part = (slice(None), slice(q * ig, (q + 1) * ig), *window)
            o = slice(q * og, (q + 1) * og)
            y[(slice(None), o, *t)] = np.tensordot(x[part], w[o], (range(1, x.ndim), range(1, x.ndim)))
            gt = g[(slice(None), o, *t)]
            dw[o] += np.tensordot(gt, x[part], (0, 0))
            dx[part] += np.tensordot(gt, w[o], (1, 0))
    strides = row_major(x.shape), row_major(w.shape), row_major(g.shape)
    got = np.zeros_like(y)
    conv_forward(shape, *strides, "float64").reference(x.ravel(), w.ravel(), got.reshape(-1))
    assert np.allclose(got, y)
    got = np.zeros_like(w)
    conv_weight_grad(shape, strides[0], strides[2], strides[1], "float64").reference(g.ravel(), x.ravel(), got.reshape(-1))
    assert np.allclose(got, dw)
    border = input_grad_border(shape, pad, size)
    bordered = np.pad(g, [(0, 0), (0, 0)] + [(b, b) for b in border])
    ys = row_major(bordered.shape)
    start = sum(b * s for b, s in zip(border, ys[2:]))
    got = np.zeros((n, c_in, *size))
    for phase in conv_input_grad(shape, pad, size, ys, strides[1], row_major(got.shape), border, "float64"):
        phase.contraction.reference(bordered.ravel(), w.ravel(), got.reshape(-1),
                                    (start + phase.y_offset, phase.w_offset, phase.x_offset))
    assert np.allclose(got, dx[inner])


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.data())
def test_any_contraction(data):
    """Random axes, sizes and strides (dense ones in random order, with gaps)."""
    sizes = st.integers(1, 21)
    outer = data.draw(st.lists(sizes, min_size=1, max_size=3))
    reduced = data.draw(st.lists(sizes, max_size=2))
    axes = list(range(len(outer) + len(reduced)))
    all_sizes = outer + reduced

    def strides(used):
        order = data.draw(st.permutations(used))
        step, found = data.draw(st.sampled_from([1, 1, 1, 2])), {}
        for i in order:
            found[i] = step
            step *= all_sizes[i] + data.draw(st.sampled_from([0, 0, 3]))
        return found
    a = strides(data.draw(st.lists(st.sampled_from(axes), unique=True)))
    b = strides(data.draw(st.lists(st.sampled_from(axes), unique=True)))
    out = strides(list(range(len(outer))))
    c = Contraction(tuple(Axis(n, out[i], a.get(i, 0), b.get(i, 0)) for i, n in enumerate(outer)),
                    tuple(Axis(n, None, a.get(i, 0), b.get(i, 0)) for i, n in enumerate(reduced, len(outer))))
    check(c, make_schedule(c, data.draw(st.sampled_from([TARGET.isa, ISAS["avx512"], ISAS["sse2"], ISAS["neon"]]))))


@pytest.mark.parametrize("c", [matmul(64, 512, 784, b=(1, 784)), matmul(512, 64, 64), matmul(100, 128, 512)])
def test_tables_of_a_cpu_that_does_wide_vectors_in_halves(c):
    """Multiplications are its bound: of the tiles that keep it busy, one with few loads is taken."""
    isa = replace(ISAS["avx512"], multiplies=1)
    s = check(c, make_schedule(c, isa))
    assert s.cycles > 1.5 * make_schedule(c, ISAS["avx512"]).cycles
    rows, columns = [n // (s.lanes if i == s.vector_axis else 1) for i, n in enumerate(s.tile)]
    assert rows + columns < 0.5 * rows * columns


@pytest.mark.parametrize("isa", ["avx512", "avx2", "sse2", "neon"])
@pytest.mark.parametrize("c", [matmul(70, 50, 33), matmul(33, 45, 70, b=(1, 70)), conv_forward(
    ConvShape(2, 8, 20, (9, 9), (3, 3), (1, 1), (1, 1)), channels_last((2, 8, 11, 11)), (1, 20, 480, 160), channels_last((2, 20, 9, 9)))])
def test_tables_of_every_isa(c, isa):
    s = check(c, make_schedule(c, ISAS[isa]))
    assert s.lanes == ISAS[isa].lanes(4)
    assert s.accumulators < ISAS[isa].registers


@pytest.mark.parametrize("packed", ["", "a", "b", "ab"])
@pytest.mark.parametrize("block", [(0, 7), (0, 16), (1, 5), (1, 8)])
def test_blocked_reduction(block, packed):
    c = Contraction((Axis(30, 40, 21, 0), Axis(40, 1, 0, 1)), (Axis(9, None, 1000, 2000), Axis(21, None, 1, 40)))
    s = replace(force(c, 1, (4, 16), packed=packed), block_axis=block[0], block=block[1], chunk_depth=0, chunk_group=2, unroll=1)
    s = replace(s, packs=schedules._packs(s.contraction, schedules._Candidate(1, s.lanes, (4, 16), packed, 0), s.order, 0, 2))
    check(c, s)


@pytest.mark.parametrize("tile", [(1, 8), (6, 16), (5, 24), (30, 8)])
@pytest.mark.parametrize("packed", ["", "a", "b", "ab"])
def test_forced_tiles_and_packing(tile, packed):
    check(matmul(31, 45, 20), force(matmul(31, 45, 20), 1, tile, packed=packed, lanes=8))


@pytest.mark.parametrize("tile", [(1, 1), (3, 4), (2, 7), (4, 2), (1, 9)])
def test_forced_tiles_along_the_reduction(tile):
    c = matmul(11, 13, 45, b=(1, 45))
    check(c, force(c, -1, tile, lanes=8))


def test_long_reductions_are_blocked_by_choice():
    s = make_schedule(matmul(96, 96, 8000, a=(1, 96)), ISAS["avx2"])
    assert s.block_axis == 0 and s.chunk_tiles > 1
    check(matmul(96, 96, 8000, a=(1, 96)), s, tolerance=1e-6)
    assert make_schedule(matmul(40, 64, 400, a=(1, 40)), ISAS["avx2"]).block_axis == -1


def test_same_bits_for_any_number_of_threads():
    c = matmul(200, 150, 130)
    s = make_schedule(c, TARGET.isa)
    assert s.n_chunks > 4
    program = compile_contraction(s)
    rng = np.random.default_rng(2)
    a, b = rng.standard_normal(200 * 130).astype(np.float32), rng.standard_normal(130 * 150).astype(np.float32)
    results = []
    for threads in (1, 2, 3, 4):
        set_num_threads(threads)
        out = np.zeros(200 * 150, np.float32)
        call(program, a, b, out)
        results.append(out.tobytes())
    assert len(set(results)) == 1


def test_half_precision_operands():
    c = replace(matmul(11, 24, 15), dtypes=("float16", "float16", "float16"))
    check(c, tolerance=2e-3)


def test_simplify_joins_what_is_one_walk():
    c = matmul(6, 8, 10, batch=[(4, 48, 60, 0)]).simplify()
    assert [x.size for x in c.outer] == [24, 8] and len(c.reduced) == 1


def test_chunks_do_not_depend_on_threads():
    c = matmul(64, 512, 784)
    set_num_threads(1)
    one = make_schedule.__wrapped__(c, TARGET.isa)
    set_num_threads(4)
    assert make_schedule.__wrapped__(c, TARGET.isa) == one


def hot_loops(c, target):
    """(fused multiply-adds, uses of the stack) of each basic block that multiplies."""
    module = emit.new_module(target)
    e = Emitter.define(module, target, "kernel", [PTR, I64, PTR], noalias=False)
    buffers, chunk, scratch = e.args
    pointers = [e.load(e.at(buffers, 8 * i), PTR) for i in range(3)]
    write_contraction(e, make_schedule(c, target.isa), *pointers, chunk, scratch)
    e.b.ret_void()
    blocks = re.split(r"\n(?=\.LBB)", jit.assembly(module, target, level=1))
    return [(b.count("vfmadd"), b.count("(%rsp)")) for b in blocks if b.count("vfmadd") >= 8]


@pytest.mark.skipif(not TARGET.triple.startswith("x86_64"), reason="reads x86-64 assembly")
@pytest.mark.parametrize("isa", ["avx512", "avx2"])
@pytest.mark.parametrize("c", [
    matmul(512, 512, 512), matmul(64, 512, 784, b=(1, 784)), matmul(512, 784, 64, a=(1, 512)),
    conv_forward(CONV32, channels_last((24, 32, 34, 34)), (1, 32, 3072, 1024), channels_last((24, 32, 32, 32))),
    conv_forward(CONV32, row_major((24, 32, 34, 34)), row_major((32, 32, 3, 3)), row_major((24, 32, 32, 32))),
    conv_weight_grad(CONV32, row_major((24, 32, 34, 34)), row_major((24, 32, 32, 32)), row_major((32, 32, 3, 3))),
], ids=["nn", "nt", "tn", "conv last", "conv first", "weight grad"])
def test_accumulators_stay_in_registers(c, isa):
    """Machines with AVX-512 are not always at hand; its code can be read anywhere."""
    loops = hot_loops(c, make_target(isa))
    assert loops and max(fmas for fmas, _ in loops) >= (12 if isa == "avx2" else 24)
    assert all(stack == 0 for _, stack in loops), loops


@pytest.mark.parametrize("isa", ["avx512", "avx2", "sse2", "neon"])
@pytest.mark.parametrize("steps, chunks", [(512, 2), (4096, 8)])
def test_a_matrix_of_which_each_row_is_read_once_streams_few_rows_at_a_time(isa, steps, chunks):
    c = matmul(1, 512, steps, b=(1, steps))
    s = make_schedule(c, ISAS[isa])
    assert s.vector_axis == -1 and s.accumulators <= schedules.STREAMS
    assert s.n_chunks >= chunks  # reading it takes longer than the multiplications
    check(c, make_schedule(c, TARGET.isa))
    assert make_schedule(matmul(64, 512, steps, b=(1, steps)), ISAS[isa]).accumulators > schedules.STREAMS


@pytest.mark.parametrize("m,n,k,packed", [(16, 120, 400, False), (64, 512, 784, False), (64, 512, 1024, False), (128, 256, 1024, False),
                                          (128, 1024, 256, True), (1024, 256, 1024, True)])
def test_rows_times_rows_are_turned_where_enough_use_them(m, n, k, packed):
    """x·wᵀ: either sums along rows, or panels of w with its rows turned, as was measured to be faster."""
    s = make_schedule(matmul(m, n, k, b=(1, k)), ISAS["avx512"])
    assert (s.vector_axis >= 0 and s.pack("b") is not None) == packed, s


@pytest.mark.parametrize("isa", ["avx512", "avx2"])
@pytest.mark.parametrize("channels, side, along", [(3, 32, True), (1, 64, True), (64, 32, False)])
def test_a_large_result_is_written_along_memory_where_little_is_read(isa, channels, side, along):
    shape = ConvShape(8, channels, 64, (side, side), (3, 3), (1, 1), (1, 1))
    c = conv_forward(shape, row_major((8, channels, side + 2, side + 2)), row_major((64, channels, 3, 3)), row_major((8, 64, side, side)))
    s = make_schedule(c, ISAS[isa])
    assert (s.order == tuple(range(4))) == along, s
    assert not along or 1 in s.tile[:2] or prod(s.tile[:2]) <= schedules.MOST_PAGES
    check(c, make_schedule(c, TARGET.isa))


def test_few_chunks_share_out_evenly():
    c = matmul(16, 640, 128)
    s = make_schedule(c, ISAS["avx512"])
    assert s.n_chunks == 10, s
    check(c, make_schedule(c, TARGET.isa))
