"""Type promotion of operands, as PyTorch's: tensors with dimensions decide; 0-dim tensors and then numbers only raise the category."""
from __future__ import annotations

from typing import Any, Callable, Sequence

from ..dtypes import BY_NAME, bool_, category, default_complex, dtype, get_default_dtype, int64, promote
from ..ir.graph import Var
from ..primitives import broadcast_shapes, broadcast_to, cast, constant

DEFAULT_OF = {"b": lambda: bool_, "i": lambda: int64, "f": get_default_dtype, "c": default_complex}


def number_dtype(x: Any) -> dtype:
    """The dtype that a Python number stands for."""
    if isinstance(x, bool):
        return bool_
    if isinstance(x, int):
        return int64
    return get_default_dtype() if isinstance(x, float) else default_complex()


def result_dtype(*operands: Any) -> dtype:
    """The dtype that Vars and Python numbers promote to."""
    dims: dtype | None = None
    zero: dtype | None = None
    weak: dtype | None = None
    for x in operands:
        if isinstance(x, Var):
            if x.type.weak:
                d = DEFAULT_OF[x.dtype.kind]()
                weak = d if weak is None else promote(weak, d)
            elif x.ndim:
                dims = x.dtype if dims is None else promote(dims, x.dtype)
            else:
                zero = x.dtype if zero is None else promote(zero, x.dtype)
        elif x is not None:
            d = number_dtype(x)
            weak = d if weak is None else promote(weak, d)
    result = dims
    for level in (zero, weak):
        if level is None:
            continue
        if result is None:
            result = level
        elif category(level) > category(result):
            result = result.to_complex() if level.kind == "c" and result.kind == "f" and level is weak else \
                level if level.kind != "c" or result.kind != "f" else promote(result, level)
    assert result is not None
    return result


def convert(dt: dtype, *operands: Any) -> list[Var]:
    """Operands as Vars of dtype `dt` (numbers become constants); shapes are left alone."""
    builder = next(x.builder for x in operands if isinstance(x, Var))
    return [cast(x, dt) if isinstance(x, Var) else constant(x, dt, builder) for x in operands]


def variant(name: str, tensors: int = 0, number_last: int = 1, number_first: int = 2) -> Callable[..., str]:
    """The name of an autograd node, whose number says which of a function's first two arguments are numbers."""
    def grad_name(first: Any, last: Any, *others: Any) -> str:
        number = number_first if first.type.weak else number_last if not isinstance(last, Var) or last.type.weak else tensors
        return f"{name}Backward{number}"
    return grad_name


def check_shapes(*operands: Any) -> None:
    """PyTorch's error for operands that do not broadcast, which comes before any about their dtypes."""
    broadcast_shapes(*[x.shape for x in operands if isinstance(x, Var)])


def promoted(*operands: Any) -> list[Var]:
    """Operands converted to their common dtype."""
    check_shapes(*operands)
    return convert(result_dtype(*operands), *operands)


def promoted_float(*operands: Any) -> list[Var]:
    """Operands converted to their common dtype, or to the default floating dtype where that is integral."""
    check_shapes(*operands)
    dt = result_dtype(*operands)
    return convert(dt if dt.kind in "fc" else get_default_dtype(), *operands)


def to_float(x: Var) -> Var:
    """x, converted to the default floating dtype if it is integral or boolean."""
    return x if x.dtype.kind in "fc" else cast(x, get_default_dtype())


def in_opmath(compute: Callable[..., Any], *xs: Any) -> Any:
    """compute(*xs), with half-precision operands in single precision and the result rounded once to their dtype."""
    halves = {x.dtype for x in xs if isinstance(x, Var) and x.dtype.wide != x.dtype.np}
    if not halves:
        return compute(*xs)
    half = halves.pop()
    wide = BY_NAME[half.wide.name]
    result = compute(*[cast(x, wide) if isinstance(x, Var) and x.dtype is half else x for x in xs])
    return cast(result, half) if result.dtype is wide else result


def need_tensor(name: str, *operands: Any) -> None:
    """PyTorch's error for calls on numbers alone."""
    if all(x.type.weak for x in operands):
        kinds = ", ".join({"b": "bool", "i": "int", "f": "float", "c": "complex"}[x.dtype.kind] for x in operands)
        raise TypeError(f"{name}() received an invalid combination of arguments - got ({kinds})")


def not_implemented(name: str, dt: dtype) -> NotImplementedError:
    """PyTorch's error for a kernel that has no variant for `dt`."""
    return NotImplementedError(f'"{name}" not implemented for \'{dt._legacy}\'')


def broadcast_all(xs: Sequence[Var]) -> list[Var]:
    """The operands in their common shape."""
    shape = broadcast_shapes(*[x.shape for x in xs])
    return [broadcast_to(x, shape) for x in xs]
