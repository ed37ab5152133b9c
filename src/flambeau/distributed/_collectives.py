"""Collectives on tensors. Every process of the group has to call the same one, in the same order; they compare notes first,
and raise RuntimeError naming the ranks where they differ.

All of them take `group` (default: all processes) and `async_op`: True returns a `Work` at once, whose `wait` writes the
results; otherwise they are there, and None is returned. A process outside of the group warns, and does nothing.
Autograd does not see the writes. Tensors of other devices are moved through the host's memory.

Errors: ValueError before init_process_group, or for ranks outside of the group; RuntimeError if the processes call
different things; DistBackendError if a process is gone, or does not come within the group's timeout.
"""
from __future__ import annotations

import time
from datetime import timedelta
from typing import Any, Callable, Sequence

import numpy as np

from ..tensor.tensor import Tensor
from ._engine import Engine
from ._group import Call, ProcessGroup, Work
from ._reduce_op import ReduceOp, supports_complex
from ._tensors import check_tensor, check_tensors, flat, from_numbers, from_words, numbers, words, write
from ._world import is_outside, peer_of, the_group

_MARGIN = timedelta(seconds=5)  # for what rank 0 says after its own time is over


def _run(group: ProcessGroup, call: Call, body: Callable[[Engine], Any], alone: Callable[[], Any],
         then: Callable[[Any], None], async_op: bool, results: Sequence[Tensor] = ()) -> Work | None:
    """results: the tensors that `then` writes, for `Work.get_future`."""
    work = group.submit(call, body, alone, then)
    work.results = list(results)
    if async_op:
        return work
    work.wait()
    return None


def _call(name: str, t: Tensor, detail: str = "") -> Call:
    return Call(name, tuple(t.shape), t.dtype.name, detail)


def _check_same(tensors: Sequence[Tensor], like: Tensor, name: str, shapes: bool = True) -> None:
    """All as many elements, and of the same dtype, as `like`."""
    for t in tensors:
        if t.dtype is not like.dtype:
            raise ValueError(f"Invalid usage of tensors with different dtypesFound {t.dtype} and  {like.dtype}")
        if shapes and t.shape.numel() != like.shape.numel():
            raise RuntimeError(f"{name}: tensor sizes must match across all tensors involved, "
                               f"but got {list(t.shape)} and {list(like.shape)}")


def _check_count(tensors: Sequence[Tensor], size: int, name: str) -> None:
    if len(tensors) != size:
        raise ValueError(f"{name}: expected a list of as many tensors as the group has processes ({size}), got {len(tensors)}")


# ------------------------------------------------------------------ reductions

def _reduction(op: ReduceOp, t: Tensor, size: int) -> tuple[str, Callable[[np.ndarray], np.ndarray]]:
    """What the engine does for `op` on t's elements, and what is left to do with the result."""
    if not isinstance(op, ReduceOp):
        raise TypeError(f"op must be a torch.distributed.ReduceOp, not {type(op).__name__}")
    if t.dtype.is_complex and not supports_complex(op):
        raise ValueError(f"all_reduce does not support {op} on complex tensors")
    if op in (ReduceOp.BAND, ReduceOp.BOR, ReduceOp.BXOR) and t.dtype.kind not in "iub":
        raise RuntimeError(f"Cannot use {op} with non-integral dtype")
    if op is not ReduceOp.AVG:
        return op.name.lower(), lambda total: total
    if t.dtype.kind in "iu":
        return "sum", lambda total: total // total.dtype.type(size)
    return "sum", lambda total: total / total.dtype.type(size)


def _reduced(t: Tensor, op: ReduceOp, size: int) -> tuple[Callable[[Engine], np.ndarray], Callable[[], np.ndarray]]:
    """(the all-reduce of t's elements, the same for a group of one): functions whose results `from_numbers` takes."""
    name, finish = _reduction(op, t, size)
    if size == 1:
        return lambda engine: None, lambda: flat(t).copy()  # type: ignore[return-value]
    mine = numbers(flat(t), t)
    return lambda engine: from_numbers(finish(engine.all_reduce(mine, name)), t), lambda: mine


def all_reduce(tensor: Tensor, op: ReduceOp = ReduceOp.SUM, group: Any = None, async_op: bool = False) -> Work | None:
    """Overwrites `tensor` with the reduction of everybody's."""
    check_tensor(tensor, "tensor")
    if is_outside(group, "all_reduce"):
        return None
    members = the_group(group)
    body, alone = _reduced(tensor, op, members.size())
    return _run(members, _call("ALLREDUCE", tensor, f"op={op}"), body, alone, lambda result: write(tensor, result), async_op, [tensor])


def reduce(tensor: Tensor, dst: int | None = None, op: ReduceOp = ReduceOp.SUM, group: Any = None, async_op: bool = False,
           group_dst: int | None = None) -> Work | None:
    """As `all_reduce`, but only the process `dst` is given the result."""
    check_tensor(tensor, "tensor")
    if is_outside(group, "reduce"):
        return None
    members = the_group(group)
    target = peer_of(members, dst, group_dst, "dst")
    body, alone = _reduced(tensor, op, members.size())
    then = (lambda result: write(tensor, result)) if members.rank() == target else lambda result: None
    return _run(members, _call("REDUCE", tensor, f"op={op}, dst={target}"), body, alone, then, async_op, [tensor])


def all_reduce_coalesced(tensors: Sequence[Tensor], op: ReduceOp = ReduceOp.SUM, group: Any = None,
                         async_op: bool = False) -> Work | None:
    """`all_reduce` of several tensors of one dtype, in one go."""
    tensors = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    check_tensors(tensors, "tensor")
    if is_outside(group, "all_reduce_coalesced"):
        return None
    members = the_group(group)
    _check_same(tensors, tensors[0], "all_reduce_coalesced", shapes=False)
    name, finish = _reduction(op, tensors[0], members.size())
    joined = np.concatenate([flat(t) for t in tensors])
    ends = np.cumsum([t.shape.numel() for t in tensors])[:-1]

    def body(engine: Engine) -> np.ndarray:
        return from_numbers(finish(engine.all_reduce(numbers(joined, tensors[0]), name)), tensors[0])

    def then(result: np.ndarray) -> None:
        for t, part in zip(tensors, np.split(result, ends)):
            write(t, part)
    shapes = ", ".join(str(list(t.shape)) for t in tensors)
    return _run(members, _call("ALLREDUCE_COALESCED", tensors[0], f"op={op}, shapes={shapes}"), body, lambda: joined, then, async_op,
                tensors)


def reduce_scatter_tensor(output: Tensor, input: Tensor, op: ReduceOp = ReduceOp.SUM, group: Any = None,
                          async_op: bool = False) -> Work | None:
    """Reduces everybody's `input` and gives each process its part of the result.

    Shapes:  input (size·n, *) or (size, n, *), output (n, *).
    """
    check_tensor(output, "output")
    check_tensor(input, "input")
    if is_outside(group, "reduce_scatter_tensor"):
        return None
    members = the_group(group)
    _check_same([output], input, "reduce_scatter_tensor", shapes=False)
    if input.shape.numel() != output.shape.numel() * members.size():
        raise ValueError("input tensor must be the same size as output size times world size")
    return _reduce_scatter(output, flat(input), op, members, async_op, "REDUCE_SCATTER_TENSOR")


def reduce_scatter(output: Tensor, input_list: Sequence[Tensor], op: ReduceOp = ReduceOp.SUM, group: Any = None,
                   async_op: bool = False) -> Work | None:
    """Reduces everybody's lists, tensor by tensor, and gives process i number i of the result."""
    check_tensor(output, "output")
    check_tensors(input_list, "input_list")
    if is_outside(group, "reduce_scatter"):
        return None
    members = the_group(group)
    _check_count(input_list, members.size(), "reduce_scatter")
    _check_same(input_list, output, "reduce_scatter")
    return _reduce_scatter(output, np.concatenate([flat(t) for t in input_list]), op, members, async_op, "REDUCE_SCATTER")


def _reduce_scatter(output: Tensor, joined: np.ndarray, op: ReduceOp, members: ProcessGroup, async_op: bool, name: str) -> Work | None:
    reduction, finish = _reduction(op, output, members.size())

    def body(engine: Engine) -> np.ndarray:
        rows = numbers(joined, output).reshape(engine.size, -1)
        return from_numbers(finish(engine.reduce_scatter(rows, reduction)), output)
    return _run(members, _call(name, output, f"op={op}"), body, joined.copy, lambda result: write(output, result), async_op, [output])


# ------------------------------------------------------------------ moves

def broadcast(tensor: Tensor, src: int | None = None, group: Any = None, async_op: bool = False,
              group_src: int | None = None) -> Work | None:
    """Overwrites everybody's `tensor` with that of the process `src`."""
    check_tensor(tensor, "tensor")
    if is_outside(group, "broadcast"):
        return None
    members = the_group(group)
    source = peer_of(members, src, group_src, "src")
    mine = flat(tensor)
    is_source = members.rank() == source

    def body(engine: Engine) -> np.ndarray | None:
        sent = words(mine)
        total = engine.all_reduce(sent if is_source else np.zeros_like(sent), "sum")  # everybody else adds nothing
        return None if is_source else from_words(total, mine)

    def then(result: np.ndarray | None) -> None:
        if result is not None:
            write(tensor, result)
    return _run(members, _call("BROADCAST", tensor, f"src={source}"), body, lambda: None, then, async_op, [tensor])


def _gathered(members: ProcessGroup, t: Tensor) -> tuple[Callable[[Engine], list[np.ndarray]], Callable[[], list[np.ndarray]]]:
    mine = flat(t)
    return lambda engine: [from_words(row, mine) for row in engine.all_gather(words(mine))], lambda: [mine.copy()]


def all_gather(tensor_list: Sequence[Tensor], tensor: Tensor, group: Any = None, async_op: bool = False) -> Work | None:
    """Overwrites `tensor_list`, one for each process, with everybody's `tensor`."""
    check_tensors(tensor_list, "tensor_list")
    check_tensor(tensor, "tensor")
    if is_outside(group, "all_gather"):
        return None
    members = the_group(group)
    _check_count(tensor_list, members.size(), "all_gather")
    _check_same(tensor_list, tensor, "all_gather")

    def then(rows: list[np.ndarray]) -> None:
        for t, row in zip(tensor_list, rows):
            write(t, row)
    return _run(members, _call("ALLGATHER", tensor), *_gathered(members, tensor), then, async_op, tensor_list)


def all_gather_into_tensor(output_tensor: Tensor, input_tensor: Tensor, group: Any = None, async_op: bool = False) -> Work | None:
    """Everybody's `input_tensor`, one after another. Shapes: input (n, *), output (size·n, *) or (size, n, *)."""
    check_tensor(output_tensor, "output_tensor")
    check_tensor(input_tensor, "input_tensor")
    if is_outside(group, "all_gather_into_tensor"):
        return None
    members = the_group(group)
    _check_same([output_tensor], input_tensor, "all_gather_into_tensor", shapes=False)
    if output_tensor.shape.numel() != input_tensor.shape.numel() * members.size():
        raise ValueError("output tensor size must be equal to world_size times input tensor size")
    return _run(members, _call("ALLGATHER_INTO_TENSOR", input_tensor), *_gathered(members, input_tensor),
                lambda rows: write(output_tensor, np.concatenate(rows)), async_op, [output_tensor])


def all_gather_coalesced(output_tensor_lists: Sequence[Sequence[Tensor]], input_tensor_list: Sequence[Tensor],
                         group: Any = None, async_op: bool = False) -> Work | None:
    """`all_gather` of several tensors: output_tensor_lists[process][number]."""
    check_tensors(input_tensor_list, "tensor_list")
    if is_outside(group, "all_gather_coalesced"):
        return None
    members = the_group(group)
    works = [all_gather([outputs[i] for outputs in output_tensor_lists], t, members, async_op=True)
             for i, t in enumerate(input_tensor_list)]
    return _after(works, async_op)


def _after(works: Sequence[Work | None], async_op: bool) -> Work | None:
    """Several works as one."""
    def wait_for_all(_: Any) -> None:
        for work in works:
            if work is not None:
                work.wait()
    last = Work(None, wait_for_all)
    last._finish()
    if async_op:
        return last
    last.wait()
    return None


def gather(tensor: Tensor, gather_list: Sequence[Tensor] | None = None, dst: int | None = None, group: Any = None,
           async_op: bool = False, group_dst: int | None = None) -> Work | None:
    """Gives the process `dst` (default: 0) everybody's `tensor`, in its `gather_list`; the others give none."""
    check_tensor(tensor, "tensor")
    if is_outside(group, "gather"):
        return None
    members = the_group(group)
    target = peer_of(members, dst, group_dst, "dst", default=0)
    is_target = members.rank() == target
    outputs = _one_sided(gather_list, is_target, tensor, members, "gather", "gather_list", "destination")

    def then(rows: list[np.ndarray]) -> None:
        for t, row in zip(outputs, rows):
            write(t, row)
    return _run(members, _call("GATHER", tensor, f"dst={target}"), *_gathered(members, tensor), then, async_op, outputs)


def scatter(tensor: Tensor, scatter_list: Sequence[Tensor] | None = None, src: int | None = None, group: Any = None,
            async_op: bool = False, group_src: int | None = None) -> Work | None:
    """Overwrites each process's `tensor` with its one of the `scatter_list` of the process `src` (default: 0)."""
    check_tensor(tensor, "tensor")
    if is_outside(group, "scatter"):
        return None
    members = the_group(group)
    source = peer_of(members, src, group_src, "src", default=0)
    inputs = _one_sided(scatter_list, members.rank() == source, tensor, members, "scatter", "scatter_list", "source")
    mine = flat(tensor)
    rows = [flat(t) for t in inputs]

    def body(engine: Engine) -> np.ndarray:
        sent = [words(row) for row in rows] or [np.zeros_like(words(mine))] * engine.size
        return from_words(engine.all_to_all(np.stack(sent))[source], mine)
    return _run(members, _call("SCATTER", tensor, f"src={source}"), body, lambda: rows[0].copy(),
                lambda result: write(tensor, result), async_op, [tensor])


def _one_sided(tensors: Sequence[Tensor] | None, is_here: bool, like: Tensor, members: ProcessGroup, name: str, argument: str,
               side: str) -> Sequence[Tensor]:
    """The list that one process has to give and the others must not."""
    if not is_here:
        if tensors:
            raise ValueError(f"Argument ``{argument}`` must NOT be specified on non-{side} ranks.")
        return []
    if not tensors:
        raise ValueError(f"Argument ``{argument}`` must be specified on {side} rank.")
    check_tensors(tensors, argument)
    _check_count(tensors, members.size(), name)
    _check_same(tensors, like, name)
    return tensors


def all_to_all(output_tensor_list: Sequence[Tensor], input_tensor_list: Sequence[Tensor], group: Any = None,
               async_op: bool = False) -> Work | None:
    """Sends input i to process i, and gets output i from it. Sizes may differ from pair to pair."""
    check_tensors(output_tensor_list, "output_tensor_list")
    check_tensors(input_tensor_list, "input_tensor_list")
    if is_outside(group, "all_to_all"):
        return None
    members = the_group(group)
    for tensors in (output_tensor_list, input_tensor_list):
        _check_count(tensors, members.size(), "all_to_all")
        _check_same(tensors, input_tensor_list[0], "all_to_all", shapes=False)

    def then(rows: list[np.ndarray]) -> None:
        for t, row in zip(output_tensor_list, rows):
            write(t, row)
    return _exchange(members, "ALLTOALL", input_tensor_list[0].dtype, [flat(t) for t in input_tensor_list],
                     [flat(t) for t in output_tensor_list], then, async_op, output_tensor_list)


def all_to_all_single(output: Tensor, input: Tensor, output_split_sizes: Sequence[int] | None = None,
                      input_split_sizes: Sequence[int] | None = None, group: Any = None, async_op: bool = False) -> Work | None:
    """`all_to_all` of the parts of one tensor along its first dimension: equal ones, or of the given sizes."""
    check_tensor(output, "output")
    check_tensor(input, "input")
    if is_outside(group, "all_to_all_single"):
        return None
    members = the_group(group)
    _check_same([output], input, "all_to_all_single", shapes=False)
    return _exchange(members, "ALLTOALL_BASE", input.dtype, _parts(input, input_split_sizes, members.size()),
                     _parts(output, output_split_sizes, members.size()),
                     lambda rows: write(output, np.concatenate(rows)), async_op, [output])


def _parts(t: Tensor, split_sizes: Sequence[int] | None, size: int) -> list[np.ndarray]:
    length = t.shape[0]
    if not split_sizes:
        if length % size:
            raise RuntimeError("Tensor's dim 0 does not divide equally across group size")
        split_sizes = [length // size] * size
    if len(split_sizes) != size:
        raise RuntimeError("Number of tensor splits not equal to group size")
    if sum(split_sizes) != length:
        raise RuntimeError("Split sizes doesn't match total dim 0 size")
    row = t.shape.numel() // length if length else 0
    return np.split(flat(t), np.cumsum(split_sizes)[:-1] * row)


def _exchange(members: ProcessGroup, name: str, dtype: Any, sent: list[np.ndarray], wanted: list[np.ndarray],
              then: Callable[[list[np.ndarray]], None], async_op: bool, results: Sequence[Tensor]) -> Work | None:
    """Sends sent[i] to process i; gets what is like wanted[i] from it."""
    def body(engine: Engine) -> list[np.ndarray]:
        sizes = np.array([[row.size] for row in sent], np.int64)
        coming = engine.all_to_all(sizes)[:, 0]
        longest = int(engine.all_reduce(np.array([max(row.nbytes for row in sent)], np.int64), "max")[0])
        for source, (count, row) in enumerate(zip(coming, wanted)):
            if count != row.size:  # raised after everybody has sent, so that nobody is left waiting
                wrong = f"rank {members._ranks[source]} sends {count} elements, and {row.size} were expected"
                break
        else:
            wrong = ""
        rows = np.zeros((engine.size, -(-longest // 4)), np.uint32)
        for row, part in zip(rows, sent):
            part = words(part)
            row[:part.size] = part
        received = engine.all_to_all(rows)
        if wrong:
            raise RuntimeError(f"all_to_all: {wrong}")
        return [from_words(row, like) for row, like in zip(received, wanted)]

    def alone() -> list[np.ndarray]:
        if sent[0].size != wanted[0].size:
            raise RuntimeError(f"all_to_all: rank 0 sends {sent[0].size} elements, and {wanted[0].size} were expected")
        return [sent[0].copy()]
    return _run(members, Call(name, None, "", f"dtype={dtype.name}"), body, alone, then, async_op, results)


# ------------------------------------------------------------------ barriers

def barrier(group: Any = None, async_op: bool = False, device_ids: Any = None, timeout: timedelta | None = None) -> Work | None:
    """Waits until all processes have come here. device_ids: of GPUs in PyTorch; nothing depends on it."""
    if is_outside(group, "barrier"):
        return None
    work = the_group(group).submit(Call("BARRIER"), lambda engine: None, lambda: None, lambda _: None)
    if async_op:
        return work
    work.wait(timeout)
    return None


def monitored_barrier(group: Any = None, timeout: timedelta | None = None, wait_all_ranks: bool = False) -> None:
    """A barrier that names who does not come: the process of rank 0 waits for each one, and tells the others.

    timeout: default: the group's. wait_all_ranks: name all that are missing, not only the first.
    Errors: RuntimeError on all processes that came.
    """
    if is_outside(group, "monitored_barrier"):
        return
    members = the_group(group)
    if members.size() == 1:
        return
    timeout = members._timeout if timeout is None else timeout
    store, key = members.get_group_store(), f"monitored barrier {members.next_message(-1, -1, -1)}"
    if members.rank() != 0:
        store.set(f"{key}: {members.rank()}", b"")
        verdict = members.receive(f"{key}: verdict for {members.rank()}", 0, "rank 0 to pass monitoredBarrier", timeout + _MARGIN)
    else:
        verdict = _missing(members, key, timeout, wait_all_ranks).encode()
        for rank in range(1, members.size()):
            store.set(f"{key}: verdict for {rank}", verdict)
    if verdict:
        raise RuntimeError(verdict.decode())


def _missing(members: ProcessGroup, key: str, timeout: timedelta, wait_all_ranks: bool) -> str:
    """What rank 0 of a monitored barrier says: who did not come in time, or nothing."""
    deadline = time.monotonic() + timeout.total_seconds()
    missing = []
    for rank in range(1, members.size()):
        while not members.await_key(f"{key}: {rank}", timedelta(seconds=max(0.0, deadline - time.monotonic()))):
            if time.monotonic() >= deadline:
                missing.append(str(members._ranks[rank]))
                break
        if missing and not wait_all_ranks:
            break
    milliseconds = round(timeout.total_seconds() * 1000)
    if not missing:
        return ""
    if wait_all_ranks:
        return f"[Rank 0]: Ranks {', '.join(missing)} failed to pass monitoredBarrier in {milliseconds} ms"
    return f"[Rank 0]: Rank {missing[0]} failed to pass monitoredBarrier in {milliseconds} ms"
