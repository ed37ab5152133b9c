"""`@op`: how the surface is defined, and the recorder's fast path.

    @op("SoftplusBackward0")
    def softplus(input: Tensor, beta=1, threshold=20):
        ...plain Python over primitives, on Vars...

Annotations say what a parameter is: `Tensor` (or `Tensor | None`), `Tensors` (a sequence of tensors; with `| None` some may lack), `Scalar` (a tensor or
a Python number that is a runtime input, except when it is the default), anything else is static and part of the signature.
Called with tensors the function records one call; called with Vars, in another op's body, it is inlined.
"""
from __future__ import annotations

import functools
import inspect
from types import MappingProxyType
from typing import Any, Callable, NamedTuple

import numpy as np

from ..ir.graph import GraphBuilder, Var
from ..runtime.specialization import Specialization
from ..runtime.trace import SCALAR_TYPES, Value, record, trace
from .autocast import active as autocasts, cast_operands
from .grad_mode import mode
from .node import node_maker
from .not_strided import NotStrided, call_sparse
from .overriding import handles_refusals, refused
from .recorder import SCALAR, STATIC, TENSOR, TENSORS, recorder
from .saved import hooks
from .strides import follow, is_permuted, rule_of
from .tensor import Tensor, make_tensor

NUMPY_NAMES = {"axis": "dim", "keepdims": "keepdim", "x": "input", "a": "input", "x1": "input", "x2": "other"}
_KINDS = {"Tensor": TENSOR, "Tensor | None": TENSOR, "Tensors": TENSORS, "Tensors | None": TENSORS, "Scalar": SCALAR, "Scalar | None": SCALAR}


_EMPTY = inspect.Parameter.empty
_OUT = inspect.Parameter("out", inspect.Parameter.KEYWORD_ONLY, default=None)


class OutRules(NamedTuple):
    """What an op asks of `out`: see `op`."""

    strict_out: bool | str | Callable[..., bool] = False
    typed_by_out: bool = False
    check_out: Callable[..., None] | None = None


class Op:
    """name; body (on Vars); kinds and defaults of its parameters; its specializations.

    grad_name: of its autograd nodes: a string, a function of the arguments that returns it, or None: no gradient flows.
    returns: None, or what packs the tuple of results (a class of `return_types`). check: None, or what looks at the actual
    arguments at each call, for errors that depend on values (an index out of range).
    """

    __slots__ = ("name", "grad_name", "body", "kinds", "optional", "defaults", "names", "n_positional", "specializations", "returns", "check", "out_rules",
                 "written", "_inplace")

    def __init__(self, name: str, grad_name: str | Callable[..., str] | None, body: Callable, returns: Any = None, check: Any = None,
                 out_rules: OutRules = OutRules()):
        self.name, self.grad_name, self.returns, self.check, self.out_rules = name, grad_name, returns, check, out_rules
        # what `inspect.signature` would find, in a tenth of its time: there are hundreds of ops to import
        code, hints, by_name = body.__code__, body.__annotations__, body.__kwdefaults__ or {}
        self.n_positional = n = code.co_argcount
        self.names = code.co_varnames[:n + code.co_kwonlyargcount]
        given = body.__defaults__ or ()
        self.defaults = (_EMPTY,) * (n - len(given)) + given + tuple([by_name.get(name, _EMPTY) for name in self.names[n:]])
        self.kinds = tuple([_KINDS.get(hints.get(name), STATIC) for name in self.names])
        self.optional = tuple([default is None or "None" in str(hints.get(name)) for name, default in zip(self.names, self.defaults)])
        self.written = body
        self.body = body if n == len(self.names) else _positional(body, self.names, n)
        self.specializations: dict[tuple, Specialization] = {}
        self._inplace: Op | None = None

    def bind(self, args: tuple, kwargs: dict) -> tuple:
        """Positional arguments in the order of the parameters, defaults filled in; PyTorch's TypeErrors."""
        if len(args) > self.n_positional:
            raise TypeError(f"{self.name}() takes {self.n_positional} positional arguments but {len(args)} were given")
        if not kwargs:
            bound = list(args) + list(self.defaults[len(args):])
        else:
            bound = list(args)
            for name, default in zip(self.names[len(args):], self.defaults[len(args):]):
                bound.append(kwargs.pop(name, default))
            if kwargs and any(NUMPY_NAMES.get(name) in self.names for name in kwargs):
                return self.bind(args, {**dict(zip(self.names[len(args):], bound[len(args):])),
                                        **{NUMPY_NAMES.get(name, name): a for name, a in kwargs.items()}})
            if kwargs:
                name = next(iter(kwargs))
                if name in self.names:
                    raise TypeError(f"{self.name}() got multiple values for argument '{name}'")
                raise TypeError(f"{self.name}() got an unexpected keyword argument '{name}'")
        for name, a in zip(self.names, bound):
            if a is _EMPTY:
                raise TypeError(f'{self.name}() missing 1 required positional arguments: "{name}"')
        return tuple(bound)

    @property
    def inplace(self) -> Op:
        """The variant whose result is written over its first operand: same shape, converted to its dtype."""
        if self._inplace is None:
            self._inplace = _inplace_variant(self)
        return self._inplace


class _Signature(inspect.Signature):
    """What `inspect` shows of an op's function, or of its in-place method, which takes no `out`; made when somebody asks."""

    __slots__ = ("_body", "_rest")

    def __init__(self, body: Callable, *rest: inspect.Parameter) -> None:
        self._body, self._rest, self._return_annotation = body, rest, inspect.Signature.empty

    @property
    def _parameters(self) -> MappingProxyType:  # what every method of `inspect.Signature` reads
        parameters = dict(inspect.signature(self._body).parameters)
        return MappingProxyType({**parameters, **{p.name: p for p in self._rest}})

    def replace(self, **changes: Any) -> inspect.Signature:
        return inspect.Signature([*self.parameters.values()]).replace(**changes)


def _positional(body: Callable, names: tuple[str, ...], n: int) -> Callable:
    """body with its keyword-only parameters, those from the n-th on, taken by position."""
    def positional(*args):
        return body(*args[:n], **dict(zip(names[n:], args[n:])))
    return positional


def _inplace_variant(op: Op) -> Op:
    from ..dtypes import can_cast
    from ..primitives import cast

    def body(*args):
        result = op.body(*args)
        target = args[0]
        if result.shape != target.shape:
            raise RuntimeError(f"output with shape {list(target.shape)} doesn't match the broadcast shape {list(result.shape)}")
        if not can_cast(result.dtype, target.dtype):
            raise RuntimeError(f"result type {result.dtype._legacy} can't be cast to the desired output type "
                               f"{target.dtype._legacy}")
        return cast(result, target.dtype)
    variant = Op.__new__(Op)
    variant.name, variant.grad_name, variant.body = op.name + "_", op.grad_name, body
    variant.names, variant.kinds, variant.optional, variant.defaults, variant.n_positional = op.names, op.kinds, op.optional, op.defaults, op.n_positional
    variant.written = op.written
    variant.specializations, variant.returns, variant.check, variant._inplace = {}, None, op.check, None
    return variant


def _freeze(a: Any) -> Any:
    """A hashable twin of a static argument."""
    if isinstance(a, (list, tuple)):
        return tuple(_freeze(x) for x in a)
    if isinstance(a, Tensor):
        return a.item()  # type: ignore[attr-defined]
    if isinstance(a, np.generic):
        return a.item()
    return a


def _specialize(op: Op, args: tuple) -> Specialization:
    """Runs the body on symbolic inputs of the arguments' types."""
    builder = GraphBuilder()

    def symbol(a):
        return builder.input(a._value().type if isinstance(a, Tensor) else SCALAR_TYPES[a.__class__])
    symbols: list[Any] = []
    for position, (a, kind, default) in enumerate(zip(args, op.kinds, op.defaults)):
        if kind == STATIC:
            symbols.append(_freeze(a))
        elif kind == TENSORS:
            symbols.append([None if x is None else symbol(x) for x in a])
        elif a is None and op.optional[position] or kind == SCALAR and a is default:
            symbols.append(a)
        else:
            symbols.append(symbol(a if isinstance(a, Tensor) else _number(op, position, a)))
    result = op.body(*symbols)
    single = isinstance(result, Var)
    graph = builder.finish([result] if single else list(result))
    grad_name = op.grad_name(*symbols) if callable(op.grad_name) else op.grad_name
    spec = Specialization(op.name, grad_name, graph, single, op.returns, None if op.check is None else _deferred(op, symbols),
                          arguments=dict(zip(op.names, symbols)))
    spec.strides = rule_of(op.name, graph)
    return spec


def _deferred(op: Op, symbols: list) -> Callable[[list], None]:
    """op.check for operands that come as values, in the order of the symbolic inputs."""
    def check(operands: list) -> None:
        values = iter([make_tensor(v) if isinstance(v, Value) else v for v in operands])

        def given(x):
            return next(values) if isinstance(x, Var) else [given(y) for y in x] if isinstance(x, list) else x
        op.check(*[given(x) for x in symbols])
    return check


def _number(op: Op, position: int, a: Any) -> Any:
    """A Python number from a number-like argument."""
    if a.__class__ in SCALAR_TYPES:
        return a
    if isinstance(a, np.generic) or isinstance(a, np.ndarray) and a.ndim == 0:
        return a.item()
    for kind in (bool, int, float, complex):
        if isinstance(a, kind):
            return kind(a)
    raise _wrong_argument(op, position, a)


def _wrong_argument(op: Op, position: int, a: Any) -> TypeError:
    wanted = "tuple of Tensors" if op.kinds[position] == TENSORS else "Tensor"
    got = f"list of {type(a[0]).__name__}" if isinstance(a, list) and a else type(a).__name__
    return TypeError(f"{op.name}(): argument '{op.names[position]}' (position {position + 1}) must be {wanted}, not {got}")


def apply(op: Op, args: tuple) -> Any:
    """Records a call of `op`; returns its tensor, or tensors. Plain calls do not come here: see `recorder`."""
    if autocasts:
        args = cast_operands(op.name, args)  # type: ignore[assignment]
    found = _specialized(op, args)
    if found is None:
        return op.body(*args)
    spec, operands, tensors = found
    _check(op, spec, args)
    outs = _run(op, spec, args, operands, tensors, -1)
    if spec.strides is not None and any([t is not None and t._view is not None and is_permuted(t._view) for t in tensors]):
        follow(spec.strides, tensors, outs)
    if spec.single:
        return outs[0]
    return tuple(outs) if spec.structure is None else spec.structure(outs)


def _specialized(op: Op, args: tuple) -> tuple[Specialization, list, list] | None:
    """(specialization, operands, the tensors they came from) of a call; None when the arguments are symbolic."""
    collected = _collect(op, args)
    if collected is None:
        return None
    key, operands, tensors = collected
    try:
        spec = op.specializations.get(tuple(key))
    except TypeError:  # an unhashable static argument
        return _specialized(op, tuple([_freeze(a) if k == STATIC else a for a, k in zip(args, op.kinds)]))
    if spec is None:
        spec = op.specializations[tuple(key)] = _specialize(op, args)
    return spec, operands, tensors


def _check(op: Op, spec: Specialization, args: tuple) -> None:
    """Looks at the values of the arguments, if the op asks for it."""
    if op.check is not None:
        if trace.capture is None:  # else the program has to find out, each time
            op.check(*args)
        if spec.fallible:
            trace.mark()


def _collect(op: Op, args: tuple) -> tuple[list, list, list] | None:
    """(signature key, operands, the tensors they came from); None when the arguments are symbolic."""
    key: list[Any] = []
    operands: list[Any] = []
    tensors: list[Any] = []
    for a, kind in zip(args, op.kinds):
        if kind == STATIC:
            key.append(a)
        elif isinstance(a, Tensor) and kind != TENSORS:
            value = a._value()
            operands.append(value)
            key.append(value.type)
            tensors.append(a)
        elif a is None:
            key.append(None)
        elif not _collect_other(op, len(key), a, kind, key, operands, tensors):
            return None
    return key, operands, tensors


def _collect_other(op: Op, position: int, a: Any, kind: int, key: list, operands: list, tensors: list) -> bool:
    """What is not a plain tensor argument: a number, or a sequence of tensors. False for symbolic values."""
    if a.__class__ is Var:
        return False
    if kind == SCALAR:
        if a is op.defaults[position]:
            key.append(a)
        else:
            a = _number(op, position, a)
            operands.append(a)
            key.append(SCALAR_TYPES[a.__class__])
            tensors.append(None)
        return True
    if kind != TENSORS or isinstance(a, Tensor):
        raise _wrong_argument(op, position, a)
    try:
        items = list(a)
    except TypeError:
        raise _wrong_argument(op, position, a) from None
    types: list[Any] = []
    for i, x in enumerate(items):
        if isinstance(x, Tensor):
            value = x._value()
            operands.append(value)
            types.append(value.type)
            tensors.append(x)
        elif x is None and op.optional[position]:
            types.append(None)
        elif x.__class__ is Var:
            return False
        else:
            raise TypeError(f"expected Tensor as element {i} in argument {position}, but got {type(x).__name__}")
    key.append(tuple(types))
    return True


def _run(op: Op, spec: Specialization, args: tuple, operands: list, tensors: list, self_position: int) -> list[Tensor]:
    """`_record`, by way of who takes part in this thread's calls."""
    if autocasts:
        from .interception import current
        interceptor = current()
        if interceptor is not None:
            return interceptor.call(op, spec, args, lambda record: _record(spec, operands, tensors, self_position, record))
    return _record(spec, operands, tensors, self_position)


def _record(spec: Specialization, operands: list, tensors: list, self_position: int, record: Callable = record) -> list[Tensor]:
    """Records a call, with a node of the autograd graph if an operand has one. self_position: the operand that the result
    is going to be written over, or -1. record: what gives the values of the results."""
    if mode.enabled and spec.can_differentiate:
        needs = tuple([t is not None and t._node is not None for t in tensors])
        if True in needs:
            return _record_differentiable(spec, needs, operands, tensors, self_position, record)
    return [make_tensor(v) for v in record(spec, operands)]


def _record_differentiable(spec: Specialization, needs: tuple, operands: list, tensors: list, self_position: int,
                           record: Callable) -> list[Tensor]:
    gradient = spec.gradients.get(needs) or spec.gradient(needs)
    values = record(gradient.forward, operands)
    if self_position >= 0 and hooks:  # what a hook sees of it must not change with it
        t = tensors[self_position]
        tensors[self_position] = make_tensor(operands[self_position], t._node, t._nr)
    node = node_maker(gradient, self_position)(gradient, tensors, operands, values)
    if spec.single:
        out = make_tensor(values[0], node)
        if gradient.saved_outputs and self_position < 0:
            node.watched.append((out._storage, 0))
        return [out]
    else:
        outs = [make_tensor(v, node, i) if wanted else make_tensor(v)
                for i, (v, wanted) in enumerate(zip(values, gradient.is_differentiable))]
    if gradient.saved_outputs and self_position < 0:
        node.watch_outputs(outs)
    return outs


def record_specialization(spec: Specialization, inputs: list) -> list[Tensor]:
    """Records an already specialised call on tensors and numbers."""
    operands = [t._value() if isinstance(t, Tensor) else t for t in inputs]
    tensors = [t if isinstance(t, Tensor) else None for t in inputs]
    return _record(spec, operands, tensors, -1)


def apply_inplace(op: Op, args: tuple) -> Tensor:
    """Records `op` and writes its result over args[0]."""
    from .write import assign, check_writable, refuse_partial_overlap
    target = args[0]
    check_writable(target)
    found = _specialized(op.inplace, args)
    assert found is not None
    spec, operands, tensors = found
    _check(op, spec, args)
    storage = target._storage
    for t in tensors:
        if t is not None and t._storage is storage and t is not target:
            refuse_partial_overlap(tensors, target)
    result = _run(op.inplace, spec, args, operands, tensors, 0)[0]
    assign(target, result)
    node = result._node
    if node is not None and node.gradient.saved_outputs:
        node.watch_outputs([target])
    return target


def op(grad_name: str | Callable[..., str] | None, *, name: str | None = None, returns: Any = None,
       check: Callable[..., None] | None = None, strict_out: bool | str | Callable[..., bool] = False, typed_by_out: bool = False,
       check_out: Callable[..., None] | None = None) -> Callable[[Callable], Any]:
    """Makes a body into a public function. The function accepts `out=` beside its own parameters.

    strict_out: `out` must have the result's dtype and share no memory with an operand; "dtype": only the former; a function of
    the arguments: the former where it says so. typed_by_out: where no `dtype` is given, it is that of `out`. check_out(out, *args):
    what raises the op's own errors for `out`.
    """
    def decorate(body: Callable) -> Any:
        return public_function(Op(name or body.__name__, grad_name, body, returns, check, OutRules(strict_out, typed_by_out, check_out)))
    return decorate


def public_function(entry: Op) -> Any:
    """A function that calls the op. Every call makes another one: `torch.add` and `Tensor.add` are not the same object."""
    n = len(entry.kinds)
    keyword_only = entry.n_positional != n
    required = sum(d is _EMPTY for d in entry.defaults)
    tails = {k: entry.defaults[k:] for k in range(required, entry.n_positional + 1)}

    @handles_refusals
    def general(*args, **kwargs):
        try:
            bound = args
            if kwargs:
                named = kwargs.copy()
                out = named.pop("out", None)
                bound = entry.bind(args, named)
                if out is not None:
                    return _apply_into(entry, bound, out)
            elif len(args) != n or keyword_only:
                tail = tails.get(len(args))
                bound = entry.bind(args, kwargs) if tail is None else args + tail
            return apply(entry, bound)
        except NotStrided:
            if kwargs.get("out") is not None:
                raise
            return call_sparse(entry.name, bound)
        except (TypeError, AttributeError):
            if not refused(args, kwargs):
                raise
        return function(*args, **kwargs)
    function = functools.wraps(entry.written)(recorder(entry, general, tails))
    function.op = entry  # type: ignore[attr-defined]
    function.__signature__ = _Signature(entry.written, _OUT)  # type: ignore[attr-defined]
    return function


def _apply_into(entry: Op, args: tuple, out: Any) -> Any:
    """Writes the result of a call to `out`."""
    from .write import refuse_partial_overlap, refuse_shared_memory, write_out
    strict, typed_by_out, check = entry.out_rules
    if check is not None:
        check(out, *args)
    if typed_by_out and isinstance(out, Tensor):
        at = entry.names.index("dtype")
        if args[at] is None:
            args = (*args[:at], out.dtype, *args[at + 1:])
    (refuse_shared_memory if strict is True else refuse_partial_overlap)(args, out)
    return write_out(apply(entry, args), out, strict(*args) if callable(strict) else bool(strict), entry.name)


def inplace(function: Callable) -> Callable:
    """The method `x.name_(…)` of an op: its result is written over x."""
    entry = function.op  # type: ignore[attr-defined]
    n = len(entry.kinds)

    @handles_refusals
    @functools.wraps(function)
    def method(*args, **kwargs):
        bound = entry.bind(args, kwargs.copy()) if kwargs or len(args) != n else args
        try:
            return apply_inplace(entry, bound)
        except NotStrided:
            return call_sparse(entry.name + "_", bound)
        except TypeError:
            if not refused(args, kwargs):
                raise
        return method(*args, **kwargs)
    method.__name__ = method.__qualname__ = entry.name + "_"
    method.__signature__ = _Signature(entry.written)  # type: ignore[attr-defined]
    return method


def _operator(function: Callable, call: Callable[[Any, Any], Any]) -> Callable:
    """A Python operator that does what call(self, other) does. Operands of foreign types are left to the other one's operator."""
    @handles_refusals
    def operator_method(self, other):
        try:
            return call(self, other)
        except TypeError:
            if not refused((other,), {}):
                return NotImplemented
        return operator_method(self, other)
    operator_method.__doc__ = function.__doc__
    return operator_method


def operator(function: Callable) -> Callable:
    """The Python operator of a binary op: `x + y`."""
    return _operator(function, function)


def reflected(function: Callable) -> Callable:
    """The operator of a binary op whose left operand is not a tensor: `2 ** x`."""
    return _operator(function, lambda self, other: function(other, self))


def inplace_operator(function: Callable) -> Callable:
    """The augmented assignment of a binary op: `x += y` writes over x."""
    entry = function.op  # type: ignore[attr-defined]
    tail = entry.defaults[2:]

    def call(self, other):
        try:
            return apply_inplace(entry, (self, other, *tail))
        except NotStrided:
            return call_sparse(entry.name + "_", (self, other, *tail))
    return _operator(function, call)
