"""In-place writes: through a tensor into its storage, with PyTorch's rules about leaves, views and overlap."""
from __future__ import annotations

from math import prod
from typing import Any, Iterable, NoReturn

from ..dtypes import can_cast
from ..ir.graph import trace as trace_graph
from ..ir.types import tensor_type
from ..primitives import bitcast, reshape, strided_view, strided_write
from ..runtime.specialization import Specialization
from ..runtime.trace import Value, record, trace
from .grad_mode import mode
from .storage import InferenceStorage
from .strides import is_dense
from .tensor import Tensor, View, make_tensor

_write_specs: dict[tuple, Specialization] = {}


def _write_specialization(base, new, strides, offset) -> Specialization:
    key = (base, new, strides, offset)
    spec = _write_specs.get(key)
    if spec is None:
        whole = offset == 0 and new.nbytes == base.nbytes and strides == _contiguous(new.shape)

        def body(x, y):
            return reshape(bitcast(y, x.dtype), x.shape) if whole else _written(x, y, strides, offset)
        graph, _ = trace_graph(body, [base, new])
        spec = _write_specs[key] = Specialization("strided_write", "CopySlices", graph, True)
    return spec


def _written(memory, new, strides, offset):
    """memory with a view of it, read as new's dtype, replaced by `new`."""
    changed = strided_write(bitcast(memory, new.dtype), new, strides, offset)
    return reshape(bitcast(changed, memory.dtype), memory.shape)


def _rebase_specialization(memory, base, geometry, new, view) -> Specialization:
    """How a write through `view` changes a base that is itself a part of the memory: in terms of the base's elements."""
    shape, strides, offset = geometry
    key = (memory, base, geometry, new, view.strides, view.offset)
    spec = _write_specs.get(key)
    if spec is None:
        def body(base, new, memory):
            memory = _written(_written(memory, base, strides, offset), new, view.strides, view.offset)
            return strided_view(bitcast(memory, base.dtype), shape, strides, offset)
        graph, _ = trace_graph(body, [base, new, memory])
        spec = _write_specs[key] = Specialization("strided_write", "CopySlices", graph, True)
    return spec


def _contiguous(shape):
    from ..ir.types import contiguous_strides
    return contiguous_strides(shape)


def overlaps(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    """Whether a view surely or possibly has two elements at one place: dimensions, by stride, must not reach into each other."""
    reach = 1
    for stride, size in sorted((abs(st), sz) for sz, st in zip(shape, strides) if sz > 1):
        if stride < reach:
            return True
        reach = stride * (size - 1) + reach if stride else reach
    return False


def check_writable(t: Tensor) -> None:
    """PyTorch's errors for writes that would break the history or hit one element twice."""
    if not isinstance(t, Tensor):
        raise TypeError(f"expected a Tensor to write to, got {type(t).__name__}")
    if t._storage.__class__ is InferenceStorage and not mode.inference and "_cut_off" not in t.__dict__:
        raise RuntimeError("Inplace update to inference tensor outside InferenceMode is not allowed.You can make a clone to get a normal "
                           "tensor before doing inplace update.See https://github.com/pytorch/rfcs/pull/17 for more details.")
    if mode.enabled and t._node is not None:
        from .node import AccumulateGrad
        if type(t._node) is AccumulateGrad:
            raise RuntimeError("a leaf Variable that requires grad is being used in an in-place operation.")
        base = t._view.base if t._view is not None else None
        if base is not None and type(base._node) is AccumulateGrad:
            raise RuntimeError("a view of a leaf Variable that requires grad is being used in an in-place operation.")
    if t._view is not None and any(st == 0 and sz > 1 for sz, st in zip(t._view.shape, t._view.strides)):
        raise RuntimeError("unsupported operation: more than one element of the written-to tensor refers to a single memory "
                           "location. Please clone() the tensor before performing the operation.")


def refuse_write(t: Tensor, event: str) -> NoReturn:
    """PyTorch's error for a differentiable write through a view that was made with others, or without gradients."""
    from .tensor import NO_GRAD
    view = t._view
    assert view is not None
    many = ("This view is the output of a function that returns multiple views. Such functions do not allow the output views to be modified "
            "inplace. You should replace the inplace operation by an out-of-place one.")
    if t._node is not None and view.origin is not NO_GRAD:
        raise RuntimeError(f"Output {t._nr} of {t._node.name().partition('Backward')[0]} is a view and {event}. {many}")
    alone = ("Given that this use case is ambiguous and error-prone, it is forbidden. You can clarify your code by moving both the view and the "
             "inplace either both inside the no_grad block (if you don't want the inplace to be tracked) or both outside (if you want the "
             "inplace to be tracked).")
    raise RuntimeError(f"A view was created in no_grad mode and {event} with grad mode enabled. "
                       + (alone if view.origin is NO_GRAD else many))


def write_value(t: Tensor, value: Value) -> None:
    """Writes a value over t, whose history stays as it is."""
    storage, view = t._storage, t._view
    if view is not None:
        value = _with_view(storage.value, value, view)
    storage.write(value)


def write_values(tensors: Iterable[Tensor], values: Iterable[Value]) -> None:
    """Writes values over tensors: `write_value` for many, without calls where memory is plainly replaced."""
    undo = trace.undo
    for t, value in zip(tensors, values):
        storage = t._storage
        old = storage.value
        if t._view is None and old.__class__ is Value and value.__class__ is Value and old.pinned is None:
            if old.buffer is not None:
                undo.append((storage, old))
            storage.value = value
            storage.version += 1
        else:
            write_value(t, value)


def _with_view(memory: Value, value: Value, view: Any) -> Value:
    """The memory with a view of it replaced by `value`."""
    spec, offsets = _write_call(memory, value, view)
    return record(spec, [memory, value, *offsets])[0]


def _write_call(memory: Value, value: Value, view: Any) -> tuple[Specialization, list[int]]:
    """The call that replaces a view of the memory by `value`, and what it is told besides the two: the offset, or nothing."""
    if memory.__class__ is not Value and trace.capture is None:
        tell = getattr(memory, "write_at", None)  # devices have a rule of their own
        spec = None if tell is None else tell(value, view.strides, view.offset)
        if spec is not None:
            return spec, [view.offset]
    return _write_specialization(memory.type, value.type, view.strides, view.offset), []


def assign(t: Tensor, new: Tensor) -> None:
    """Writes `new` (same shape and dtype) over t, and makes new's history t's."""
    storage = t._storage
    view = t._view
    if view is None:
        storage.write(new._value())
        if mode.enabled:
            t._node, t._nr = new._node, new._nr
        return
    base = view.base
    if view.origin is not None and mode.enabled and base is not None and not new._node is t._node is base._node is None:
        refuse_write(t, "is being modified inplace")
    value = new._value()
    if mode.enabled and view.tracked and base is not None and (new._node is not None or base._node is not None):
        from .op import record_specialization
        if base._view is None:
            spec, offsets = _write_call(storage.value, value, view)
            whole = record_specialization(spec, [base, new, *offsets])[0]
            storage.write(whole._value())
        else:
            memory = storage.value
            rebase = _rebase_specialization(memory.type, tensor_type(base.dtype, tuple(base.shape)), base._geometry(), value.type, view)
            whole = record_specialization(rebase, [base, new, make_tensor(memory)])[0]
            write_value(t, value)
        base._node, base._nr = whole._node, whole._nr
    else:
        write_value(t, value)
        if mode.enabled and base is None:
            t._node, t._nr = new._node, new._nr
            view.node_version = storage.version


def refuse_partial_overlap(operands: Iterable, out: Any) -> None:
    """RuntimeError if an output is a part of an operand's memory, or all of it in another order: both dense."""
    for o in out if isinstance(out, (tuple, list)) else (out,):
        for a in operands:
            if isinstance(a, Tensor) and isinstance(o, Tensor) and a._storage is o._storage and a is not o:
                x, y = a._geometry(), o._geometry()
                if x != y and a.dtype is o.dtype and is_dense(*x[:2]) and is_dense(*y[:2]) \
                        and x[2] < y[2] + prod(y[0]) and y[2] < x[2] + prod(x[0]):
                    raise RuntimeError(_SHARED)


_SHARED = ("unsupported operation: some elements of the input tensor and the written-to tensor refer to a single memory location. Please "
           "clone() the tensor before performing the operation.")


def refuse_shared_memory(operands: Any, out: Any) -> None:
    """RuntimeError if an output uses the memory of an operand."""
    outs = out if isinstance(out, tuple) else (out,)
    if any(isinstance(a, Tensor) and a._storage is o._storage for a in operands for o in outs):
        raise RuntimeError(_SHARED)


def resized(out: Tensor, shape: tuple[int, ...], stacklevel: int = 4) -> Tensor:
    """A given `out` in the shape that a result is going to have; a warning where it has elements of another."""
    from .views import resize_
    if tuple(out.shape) != tuple(shape):
        if out.shape.numel():
            import warnings
            warnings.warn(f"An output with one or more elements was resized since it had shape {list(out.shape)}, which does "
                          f"not match the required output shape {list(shape)}. Pass a new tensor, or one resized to no "
                          "elements, to reuse memory.", UserWarning, stacklevel=stacklevel)
        resize_(out, shape)
    return out


def write_out(result: Any, out: Any, strict: bool = False, name: str = "") -> Any:
    """The `out=` form: copies results into given tensors, which are resized when their shape differs. strict: dtypes must agree."""
    if isinstance(result, tuple):
        for r, o in zip(result, out):
            write_out(r, o, strict, name)
        return type(result)(out)
    from ..ops.conversion import cast_to
    if not isinstance(out, Tensor):
        raise TypeError(f"argument 'out' must be Tensor, not {type(out).__name__}")
    if mode.enabled and (out._node is not None or result._node is not None):
        raise RuntimeError((name and name + "(): ") + "functions with out=... arguments don't support automatic differentiation, but one of the arguments "
                           "requires grad.")
    if strict and result.dtype is not out.dtype:
        raise RuntimeError(f"Expected out tensor to have dtype {result.dtype.c_name}, but got {out.dtype.c_name} instead")
    check_writable(out)
    if not can_cast(result.dtype, out.dtype):
        raise RuntimeError(f"result type {result.dtype._legacy} can't be cast to the desired output type {out.dtype._legacy}")
    if out.shape != result.shape:
        resized(out, result.shape, stacklevel=5)
        shape, strides, _ = result._geometry()
        if strides != _contiguous(shape) and is_dense(shape, strides):  # new memory is in the result's order
            out._view = View(shape, strides, out._geometry()[2], out.dtype, None, False, out._storage.version)
    assign(out, cast_to(result, out.dtype))
    return out
