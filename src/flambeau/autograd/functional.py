"""Jacobians, Hessians and their products with vectors, of a function at given inputs.

`torch.func` has the same as functions of functions. Here inputs and outputs are a tensor or a tuple of tensors, results are
detached unless create_graph, and `strict` refuses a derivative that is zero because nothing depends on anything.
"""
from __future__ import annotations

from typing import Any, Callable, Sequence

from ..tensor.tensor import Tensor
from . import grad as _grad
from .grad_mode import enable_grad

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]


# ------------------------------------------------------------------ inputs and outputs

def _as_tuple(value: Any, what: str, function: str) -> tuple[bool, tuple]:
    """(whether it was a tuple, the tensors)."""
    is_tuple = isinstance(value, tuple)
    tensors = value if is_tuple else (value,)
    for i, t in enumerate(tensors):
        if not isinstance(t, Tensor):
            if is_tuple:
                raise TypeError(f"The {what} given to {function} must be either a Tensor or a tuple of Tensors but the value at index {i} "
                                f"has type {type(t)}.")
            raise TypeError(f"The {what} given to {function} must be either a Tensor or a tuple of Tensors but the given {what} has type "
                            f"{type(t)}.")
    return is_tuple, tensors


def _packed(values: Sequence[Any], *was_tuple: bool) -> Any:
    """values as a tuple, or alone; nested for two flags."""
    if len(was_tuple) == 2:
        inner = tuple(_packed(v, was_tuple[1]) for v in values)
        return inner if was_tuple[0] else inner[0]
    return tuple(values) if was_tuple[0] else values[0]


def _variables(inputs: Sequence[Tensor], create_graph: bool) -> tuple:
    """What to differentiate in: the inputs, and with create_graph their history, too."""
    return tuple([x.view_as(x) if create_graph and x.requires_grad else x.detach().requires_grad_() for x in inputs])  # type: ignore[attr-defined]


def _finished(values: Sequence[Any], create_graph: bool) -> tuple:
    """Results, without history unless that is wanted."""
    if create_graph:
        return tuple(values)
    return tuple(_finished(v, False) if isinstance(v, tuple) else v.detach() for v in values)


_OUTPUTS = "outputs of the user-provided function"


def _call(func: Callable, variables: tuple, function: str, strict: bool) -> tuple[bool, tuple]:
    is_tuple, outputs = _as_tuple(func(*variables), _OUTPUTS, function)
    if strict:
        for i, out in enumerate(outputs):
            if not out.requires_grad:
                raise RuntimeError(f"Output {i} of the user-provided function does not require gradients. The outputs must be computed in "
                                   "a differentiable manner from the input when running in strict mode.")
    return is_tuple, outputs


def _check_vector(v: Any, like: Sequence[Tensor], is_tuple: bool) -> tuple:
    """The vector as a tuple of tensors like `like`."""
    vectors = v if isinstance(v, tuple) else (v,)
    if len(vectors) != len(like):
        if is_tuple:
            raise RuntimeError(f"v is a tuple of invalid length: should be {len(like)} but got {len(vectors)}.")
        raise RuntimeError("The given v should contain a single Tensor.")
    for i, (a, b) in enumerate(zip(vectors, like)):
        if a.shape != b.shape:
            where = f"Entry {i} in " if is_tuple else ""
            raise RuntimeError(f"{where}v has invalid size: should be {b.shape} but got {a.shape}.")
    return vectors


def _vector(v: Any, like: Sequence[Tensor], is_tuple: bool, message: str, create_graph: bool, function: str) -> tuple:
    """The given vector, or 1 where `like` is a single number."""
    if v is not None:
        _, vectors = _as_tuple(v, "v", function)
        vectors = _check_vector(tuple(x if create_graph else x.detach() for x in vectors), like, is_tuple)
        return vectors
    if len(like) != 1 or like[0].numel() != 1:  # type: ignore[attr-defined]
        raise RuntimeError(f"The vector v can only be None if {message} a single Tensor with a single element.")
    return (like[0].new_ones(like[0].shape),)  # type: ignore[attr-defined]


def _gradients(outputs: Sequence[Tensor], inputs: Sequence[Tensor], vectors: Any = None, create_graph: bool = False) -> tuple:
    """Gradients, None where there are none, of the outputs that require them."""
    vectors = (None,) * len(outputs) if vectors is None else vectors
    tracked = [(o, v) for o, v in zip(outputs, vectors) if o is not None and o.requires_grad]  # type: ignore[attr-defined]
    if not tracked:
        return (None,) * len(inputs)
    return _grad([o for o, _ in tracked], inputs, [v for _, v in tracked], create_graph=create_graph, retain_graph=True, allow_unused=True)


_INDEPENDENT = {
    "back": "The output of the user-provided function is independent of input {i}. This is not allowed in strict mode.",
    "back_trick": "The gradient with respect to the input is independent of entry {i} in the grad_outputs when using the double backward "
                  "trick to compute forward mode gradients. This is not allowed in strict mode.",
    "double_back": "The jacobian of the user-provided function is independent of input {i}. This is not allowed in strict mode.",
    "double_back_trick": "The hessian of the user-provided function is independent of entry {i} in the grad_jacobian. This is not allowed "
                         "in strict mode as it prevents from using the double backward trick to replace forward mode AD.",
}
_FIXED = ("The {what} of the user-provided function is independent of input {i}. This is not allowed in strict mode when "
          "create_graph=True.")
_HESSIAN = ("While computing the hessian, found that the jacobian of the user-provided function with respect to input {i} is independent of "
            "the input. This is not allowed in strict mode. You should ensure that your function is twice differentiable and that the "
            "jacobian depends on the inputs (this would be violated by a linear function for example).")


def _filled(gradients: Sequence[Tensor | None], like: Sequence[Tensor], strict: bool, create_graph: bool, stage: str) -> tuple:
    """Zeros for None; in strict mode an error for them, and with create_graph for those that are constant."""
    results = []
    for i, (g, x) in enumerate(zip(gradients, like)):
        if g is None:
            if strict:
                raise RuntimeError(_INDEPENDENT[stage].format(i=i))
            g = x.new_zeros(x.shape)  # type: ignore[attr-defined]
        elif strict and create_graph and not g.requires_grad:  # type: ignore[attr-defined]
            what = "hessian" if stage.startswith("double") else "jacobian"
            raise RuntimeError(_FIXED.format(what=what, i=i))
        results.append(g)
    return tuple(results)


def _check_differentiable(jacobian: Sequence[Any], strict: bool) -> None:
    if strict:
        for i, g in enumerate(jacobian):
            if g is None or not g.requires_grad:
                raise RuntimeError(_HESSIAN.format(i=i))


def _scalar(outputs: tuple, is_tuple: bool, function: str) -> Tensor:
    if is_tuple:
        raise RuntimeError(f"The function given to {function} should return a single Tensor")
    if outputs[0].numel() != 1:
        raise RuntimeError(f"The Tensor returned by the function given to {function} should contain a single element")
    return outputs[0].squeeze()


# ------------------------------------------------------------------ products

def vjp(func: Callable, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple:
    """(func(*inputs), vᵀ J): v is like the outputs, and may be left out for a single number; vᵀ J is like the inputs."""
    with enable_grad():
        in_tuple, given = _as_tuple(inputs, "inputs", "vjp")
        xs = _variables(given, create_graph)
        out_tuple, outputs = _call(func, xs, "vjp", strict)
        vectors = _vector(v, outputs, out_tuple, "the user-provided function returns", create_graph, "vjp")
        found = _gradients(outputs, xs, vectors, create_graph)
        products = _filled(found, xs, strict, create_graph, "back")
    return _packed(_finished(outputs, create_graph), out_tuple), _packed(_finished(products, create_graph), in_tuple)


def jvp(func: Callable, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple:
    """(func(*inputs), J v): v is like the inputs, and may be left out for a single number; J v is like the outputs.

    By differentiating vᵀ J in v twice; `torch.func.jvp` does it in one pass forward.
    """
    with enable_grad():
        in_tuple, given = _as_tuple(inputs, "inputs", "jvp")
        xs = _variables(given, create_graph)
        vectors = _vector(v, given, in_tuple, "the input to the user-provided function is", create_graph, "jvp")
        out_tuple, outputs = _call(func, xs, "jvp", strict)
        weights = tuple(o.new_zeros(o.shape).requires_grad_() for o in outputs)
        pulled = _filled(_gradients(outputs, xs, weights, True), xs, strict, False, "back")
        if strict:
            for i, g in enumerate(pulled):
                if not g.requires_grad:
                    raise RuntimeError(_INDEPENDENT["back_trick"].format(i=i))
        found = _gradients(pulled, weights, vectors, create_graph)
        products = _filled(found, outputs, strict, create_graph, "back_trick")
    return _packed(_finished(outputs, create_graph), out_tuple), _packed(_finished(products, create_graph), out_tuple)


def vhp(func: Callable, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple:
    """(func(*inputs), vᵀ H) of a function that returns one number; v and vᵀ H are like the inputs."""
    with enable_grad():
        in_tuple, given = _as_tuple(inputs, "inputs", "vhp")
        xs = _variables(given, create_graph)
        vectors = _vector(v, given, in_tuple, "the input to the user-provided function is", create_graph, "vhp")
        out_tuple, outputs = _call(func, xs, "vhp", strict)
        value = _scalar(outputs, out_tuple, "vhp")
        jacobian = _gradients([value], xs, None, True)
        _check_differentiable(jacobian, strict)
        found = _gradients(jacobian, xs, vectors, create_graph)
        products = _filled(found, xs, strict, create_graph, "double_back")
    return _packed(_finished(outputs, create_graph), False), _packed(_finished(products, create_graph), in_tuple)


def hvp(func: Callable, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple:
    """(func(*inputs), H v) of a function that returns one number; the same as `vhp` where H is symmetric, and slower."""
    with enable_grad():
        in_tuple, given = _as_tuple(inputs, "inputs", "hvp")
        xs = _variables(given, create_graph)
        vectors = _vector(v, given, in_tuple, "the input to the user-provided function is", create_graph, "hvp")
        out_tuple, outputs = _call(func, xs, "hvp", strict)
        value = _scalar(outputs, out_tuple, "hvp")
        jacobian = _gradients([value], xs, None, True)
        _check_differentiable(jacobian, strict)
        weights = tuple(x.new_zeros(x.shape).requires_grad_() for x in xs)
        doubled = _filled(_gradients(jacobian, xs, weights, True), xs, strict, False, "double_back")
        found = _gradients(doubled, weights, vectors, create_graph)
        products = _filled(found, xs, strict, create_graph, "double_back_trick")
    return _packed(_finished(outputs, create_graph), False), _packed(_finished(products, create_graph), in_tuple)


# ------------------------------------------------------------------ Jacobian

def _check_strategy(strategy: str, vectorize: bool) -> None:
    if strategy == "forward-mode" and not vectorize:
        raise NotImplementedError("Computing Jacobian using forward-AD or forward-over-reverse Hessian isonly implemented for "
                                  "`vectorize=True`.")


def jacobian(func: Callable, inputs: Any, create_graph: bool = False, strict: bool = False, vectorize: bool = False,
             strategy: str = "reverse-mode") -> Any:
    """The Jacobian: for an output of shape O and an input of shape I a tensor O + I.

    A tuple of them for several inputs or outputs, and a tuple (by output) of tuples (by input) for both. vectorize: all rows
    at once, by `vmap`. strategy: 'reverse-mode', or, vectorized, 'forward-mode'.
    """
    assert strategy in ("forward-mode", "reverse-mode"), (
        'Expected strategy to be either "forward-mode" or "reverse-mode". Hint: If your function has more outputs than inputs, '
        '"forward-mode" tends to be more performant. Otherwise, prefer to use "reverse-mode".')
    if strategy == "forward-mode":
        if create_graph:
            raise NotImplementedError("torch.autograd.functional.jacobian: `create_graph=True` and `strategy=\"forward-mode\"` are not "
                                      "supported together (yet). Please either set `create_graph=False` or "
                                      "`strategy=\"reverse-mode\"`.")
        return _jacobian_forward(func, inputs, strict, vectorize)
    with enable_grad():
        in_tuple, given = _as_tuple(inputs, "inputs", "jacobian")
        xs = _variables(given, create_graph)
        out_tuple, outputs = _call(func, xs, "jacobian", strict)
        if vectorize:
            if strict:
                raise RuntimeError("torch.autograd.functional.jacobian: `strict=True` and `vectorized=True` are not supported together. "
                                   "Please either set `strict=False` or `vectorize=False`.")
            rows = _rows_at_once(outputs, xs, create_graph)
        else:
            rows = tuple(_rows(i, out, xs, strict, create_graph) for i, out in enumerate(outputs))
    return _packed(_finished(rows, create_graph), out_tuple, in_tuple)


def _rows(i: int, out: Tensor, xs: tuple, strict: bool, create_graph: bool) -> tuple:
    """The block row of output number i, element by element."""
    from ..ops.shape import stack
    columns: tuple = tuple([] for _ in xs)
    for element in out.reshape(-1):  # type: ignore[attr-defined]
        for j, (g, x, column) in enumerate(zip(_gradients([element], xs, None, create_graph), xs, columns)):
            if strict and g is None:
                raise RuntimeError(f"Output {i} of the user-provided function is independent of input {j}. This is not allowed in strict "
                                   "mode.")
            if strict and create_graph and not g.requires_grad:  # type: ignore[union-attr]
                raise RuntimeError(_FIXED.format(what="jacobian", i=j))
            column.append(x.new_zeros(x.shape) if g is None else g)
    return tuple(stack(column).view((*out.shape, *x.shape)) if column else x.new_zeros((*out.shape, *x.shape))  # type: ignore[attr-defined]
                 for column, x in zip(columns, xs))


def _rows_at_once(outputs: tuple, xs: tuple, create_graph: bool) -> tuple:
    from ..func.reverse import basis
    from ..func.vmap import vmap
    units = basis([tuple(o.shape) for o in outputs], outputs)

    def pull(*vectors):
        return _filled(_gradients(outputs, xs, vectors, create_graph), xs, False, False, "back")
    stacked = vmap(pull)(*units)
    sizes = [o.numel() for o in outputs]
    by_input = [[part.view((*o.shape, *x.shape)) for part, o in zip(s.split(sizes), outputs)] for s, x in zip(stacked, xs)]
    return tuple(zip(*by_input))


def _jacobian_forward(func: Callable, inputs: Any, strict: bool, vectorize: bool) -> Any:
    from ..func.forward import jacfwd
    if strict:
        raise RuntimeError("torch.autograd.functional.jacobian: `strict=True` and `strategy=\"forward-mode\"` are not supported together "
                           "(yet). Please either set `strict=False` or `strategy=\"reverse-mode\"`.")
    in_tuple, given = _as_tuple(inputs, "inputs", "jacobian")
    _check_strategy("forward-mode", vectorize)
    seen: list = []

    def as_tuples(*xs):
        is_tuple, outputs = _as_tuple(func(*xs), _OUTPUTS, "jacobian")
        seen.append(is_tuple)
        return outputs
    blocks = jacfwd(as_tuples, tuple(range(len(given))))(*given)
    return _packed(blocks, seen[0], in_tuple)


# ------------------------------------------------------------------ Hessian

def hessian(func: Callable, inputs: Any, create_graph: bool = False, strict: bool = False, vectorize: bool = False,
            outer_jacobian_strategy: str = "reverse-mode") -> Any:
    """The Hessian of a function that returns one number: for inputs of shapes I and K a block I + K; for a tuple of inputs a
    tuple of tuples of blocks. vectorize and outer_jacobian_strategy: as of `jacobian`, for the outer of the two."""
    in_tuple, given = _as_tuple(inputs, "inputs", "hessian")
    assert outer_jacobian_strategy in ("forward-mode", "reverse-mode"), (
        'Expected strategy to be either "forward-mode" or "reverse-mode".')

    def value(*xs):
        out_tuple, outputs = _as_tuple(func(*xs), _OUTPUTS, "hessian")
        if strict:
            for out in outputs:
                if not out.requires_grad:
                    raise RuntimeError("Output 0 of the user-provided function does not require gradients. The outputs must be computed in "
                                       "a differentiable manner from the input when running in strict mode.")
        return _scalar(outputs, out_tuple, "hessian")

    def gradient(*xs):
        if outer_jacobian_strategy == "forward-mode":  # the inputs come as dual numbers
            xs = tuple(x.requires_grad_(True) if x.is_leaf else x for x in xs)
        found = jacobian(value, xs, create_graph=True)
        _check_differentiable(found, strict)
        return found
    result = jacobian(gradient, given, create_graph=create_graph, strict=strict, vectorize=vectorize, strategy=outer_jacobian_strategy)
    return _packed([_packed(row, in_tuple) for row in result], in_tuple)
