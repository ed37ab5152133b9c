"""`Function`: operations with a gradient of the user's own."""
from __future__ import annotations

import warnings
from typing import Any

from ..runtime.levels import running
from ..runtime.trace import Value
from ..tensor import saved
from ..tensor.grad_mode import mode
from ..tensor.node import FREED, Node, edge, refuse_changed, shown_class
from ..tensor.tensor import Tensor, alias
from .grad_mode import no_grad


class FunctionNode(Node):
    """The node of a custom function; its methods are those of the context that `forward` and `backward` see."""

    __slots__ = ("function", "saved_values", "needs_input_grad", "_n", "_dirty", "_non_differentiable", "_materialize", "__dict__",
                 "output_shapes", "to_save", "_saved_versions", "_released")

    def __init__(self, function: Any, inputs: tuple):
        super().__init__(tuple(edge(x) if isinstance(x, Tensor) else None for x in inputs))
        self.__class__ = shown_class(FunctionNode, function.__name__ + "Backward")
        self.function = function
        self.needs_input_grad = tuple(isinstance(x, Tensor) and x._node is not None for x in inputs)
        self.to_save: tuple = ()
        self._n = 1
        self._dirty: tuple = ()
        self._non_differentiable: tuple = ()
        self._materialize = True
        self._released = False
        self.output_shapes: list = []
        self.input_shapes = [tuple(x.shape) if isinstance(x, Tensor) else None for x in inputs]

    @property
    def n_outputs(self) -> int:  # type: ignore[override]
        return self._n

    # ------------------------------------------------------------------ the context's methods

    def save_for_backward(self, *tensors: Any) -> None:
        """Keeps tensors for backward, where `saved_tensors` gives them back."""
        for t in tensors:
            if t is not None and not isinstance(t, Tensor):
                raise TypeError(f"save_for_backward can only save variables, but argument 0 is of type {type(t).__name__}")
        self.to_save = tensors

    def save_for_forward(self, *tensors: Any) -> None:
        """Keeps tensors for jvp."""
        self.saved_for_forward = tensors

    @property
    def saved_tensors(self) -> tuple:
        """What `save_for_backward` kept."""
        if self._released:
            raise RuntimeError(FREED)
        for t, version, mine in self._saved_versions:
            if t._storage.version != version:
                maker = self if mine is not None else t.grad_fn
                refuse_changed(t._storage, version, tuple(t.shape), maker, mine or t._nr)
        return tuple(t.unpack() if t.__class__ is saved.Packed else t for t in self.saved_values)

    def mark_dirty(self, *args: Any) -> None:
        """Says which inputs forward changed in place."""
        self._dirty = args

    def mark_non_differentiable(self, *args: Any) -> None:
        """Says which outputs have no gradient."""
        self._non_differentiable = args

    def set_materialize_grads(self, value: bool) -> None:
        """Whether backward gets zeros (True) or None for outputs without a gradient."""
        self._materialize = value

    # ------------------------------------------------------------------ engine

    def finish(self, outputs: tuple) -> None:
        """Called after forward: keeps what was saved, own outputs as detached twins so that the node is no cycle."""
        kept: list[tuple[Any, int | None]] = []
        versions = []
        for t in self.to_save:
            mine = next((i for i, o in enumerate(outputs) if o is t), None) if t is not None else None
            if mine is not None:
                twin = alias(t)
                twin._node, twin._nr = (self, mine) if t.dtype.kind in "fc" and t._node is self else (None, 0)
                kept.append((twin, mine))
            else:
                kept.append((t, None))
            if t is not None:
                versions.append((t if mine is None else twin, t._storage.version, mine))
        self.saved_values = tuple(t for t, _ in kept)
        self._saved_versions = versions
        hook = saved.current() if saved.hooks else None
        if hook is not None:
            self.saved_values = tuple(t if t is None else saved.pack(t, hook) for t in self.saved_values)
            self._saved_versions = []
        self.to_save = ()
        self.output_shapes = [(tuple(o.shape), o.dtype) if isinstance(o, Tensor) else None for o in outputs]

    def backward(self, grads: list, create_graph: bool) -> list:
        if self._released:
            raise RuntimeError(FREED)
        if self._materialize:
            from ..ops.creation import filled
            grads = [filled(s[0], 0, s[1]) if g is None and s is not None else g for g, s in zip(grads, self.output_shapes)]
        was, mode.enabled = mode.enabled, create_graph
        try:
            if all(g is None or g._storage.value.__class__ is Value for g in grads):
                results = self.function.backward(self, *grads)
            else:
                from ..tensor.transforms import returning
                with returning(grads):
                    results = self.function.backward(self, *grads)
        finally:
            mode.enabled = was
        results = list(results) if isinstance(results, tuple) else [results]
        n = len(self.edges)
        if len(results) > n and all(r is None for r in results[n:]):
            results = results[:n]
        if len(results) != n:
            raise RuntimeError(f"function {self.name()} returned an incorrect number of gradients (expected {n}, got {len(results)})")
        return [self._fitted(i, g) for i, g in enumerate(results)]

    def _fitted(self, i: int, g: Any) -> Any:
        """Gradient number i in the shape of its input: it may be broadcast."""
        if g is None or self.input_shapes[i] is None:
            return g
        if not isinstance(g, Tensor):
            raise TypeError(f"function {self.name()} returned a gradient of type {type(g).__name__} at index {i}: expected a Tensor or None")
        shape, wanted = tuple(g.shape), self.input_shapes[i]
        assert wanted is not None
        if shape == wanted:
            return g
        lead = len(shape) - len(wanted)
        if lead < 0 or any(b != a and b != 1 for a, b in zip(shape[lead:], wanted)):
            raise RuntimeError(f"Function {self.name()} returned an invalid gradient at index {i} - got {list(shape)} but expected shape "
                               f"compatible with {list(wanted)}")
        return g.sum_to_size(wanted)  # type: ignore[attr-defined]

    def release(self) -> None:
        self.saved_values = ()
        self._saved_versions = []
        self._released = True


class FunctionMeta(type):
    """Gives each function class a `_backward_cls` name, which programs print."""


class Function(metaclass=FunctionMeta):
    """Base of custom operations: static methods `forward(ctx, *args)` and `backward(ctx, *grad_outputs)`; call `Cls.apply(*args)`.

    A class may instead define `forward(*args)` and `setup_context(ctx, inputs, output)`.
    """

    generate_vmap_rule = False

    def __init__(self, *args: Any, **kwargs: Any):
        warnings.warn(f"{type(self)} should not be instantiated. Methods on autograd functions are all static, so you should invoke them "
                      "on the class itself. Instantiating an autograd function will raise an error in a future version of PyTorch.",
                      DeprecationWarning, stacklevel=2)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """RuntimeError: `apply` is what is called."""
        raise RuntimeError("Legacy autograd function with non-static forward method is deprecated. Please use new-style autograd function "
                           "with static forward method. (Example: https://pytorch.org/docs/stable/autograd.html#torch.autograd.Function)")

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Computes the result. Defined by subclasses."""
        raise NotImplementedError("You must implement the forward function for custom autograd.Function.")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Any) -> Any:
        """Fills ctx from the inputs and output of a `forward` without ctx. Defined by subclasses."""
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """One gradient for each argument of forward. Defined by subclasses."""
        raise NotImplementedError("You must implement either the backward or vjp method for your custom autograd.Function to use it with "
                                  "backward mode AD.")

    vjp = backward

    @staticmethod
    def jvp(ctx: Any, *grad_inputs: Any) -> Any:
        """One tangent for each output, from one (or None) for each argument of forward. Defined by subclasses."""
        raise NotImplementedError("You must implement the jvp function for custom autograd.Function to use it with forward mode AD.")

    @staticmethod
    def vmap(info: Any, in_dims: tuple, *args: Any) -> Any:
        """(outputs, out_dims) for a batch: args have it in the dimensions in_dims. Defined by subclasses that do not set
        `generate_vmap_rule`."""
        raise NotImplementedError("To use autograd.Function with vmap, you must either override the vmap staticmethod or set "
                                  "generate_vmap_rule=True.")

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Runs forward without recording and puts the function's node in its place."""
        if running():
            from .function_transforms import apply_transformed, check_transformable
            check_transformable(cls)
            return apply_transformed(cls, args, kwargs, lambda *args, **kwargs: call(cls, args, kwargs)[0])
        return call(cls, args, kwargs)[0]


def call(cls: Any, args: tuple, kwargs: dict) -> tuple[Any, FunctionNode]:
    """(what a custom function returns, its node)."""
    if cls.setup_context is not Function.setup_context:
        with no_grad():
            result = cls.forward(*args, **kwargs)
        return attached(cls, args, result)
    node = FunctionNode(cls, args)
    with no_grad():
        result = cls.forward(node, *args, **kwargs)
    return _finished(node, args, result), node


def attached(cls: Any, args: tuple, result: Any) -> tuple[Any, FunctionNode]:
    """(the result of a `forward` without ctx, with a node; the node, whose context `setup_context` has filled)."""
    node = FunctionNode(cls, args)
    with no_grad():
        cls.setup_context(node, args, result)
    return _finished(node, args, result), node


def _finished(node: FunctionNode, args: tuple, result: Any) -> Any:
    """The results, as what comes from the node."""
    recording = mode.enabled and any(node.needs_input_grad)
    outputs = result if isinstance(result, tuple) else (result,)
    outputs = tuple(_attach(o, i, node, args, recording) for i, o in enumerate(outputs))
    node._n = max(len(outputs), 1)
    node.finish(outputs)
    return outputs if isinstance(result, tuple) else outputs[0]


def _attach(out: Any, i: int, node: FunctionNode, args: tuple, recording: bool) -> Any:
    if not isinstance(out, Tensor) or not recording:
        return out
    if any(out is t for t in node._non_differentiable) or out.dtype.kind not in "fc":
        return out
    if any(out is a for a in args) and not any(out is t for t in node._dirty):
        out = out.view(tuple(out.shape))  # type: ignore[attr-defined]
    elif out._node is not None and not any(out is t for t in node._dirty):
        out = alias(out)
    if any(out is t for t in node._dirty):
        from ..tensor.node import AccumulateGrad
        if type(out._node) is AccumulateGrad:
            raise RuntimeError("a leaf Variable that requires grad is being used in an in-place operation.")
    out._node, out._nr = node, i
    return out


class InplaceFunction(Function):
    """A function that may work in place. Kept for old programs."""


def once_differentiable(fn: Any) -> Any:
    """Decorates a backward that is not itself differentiable."""
    import functools

    @functools.wraps(fn)
    def wrapped(ctx, *args):
        was, mode.enabled = mode.enabled, False
        try:
            outputs = fn(ctx, *args)
        finally:
            mode.enabled = was
        if not was:
            return outputs
        if not any(isinstance(a, Tensor) and a._node is not None for a in args):
            return outputs
        several = outputs if isinstance(outputs, tuple) else (outputs,)
        error = _NotTwice.apply(*[o if o is None else alias(o).requires_grad_(True) for o in several])  # type: ignore[attr-defined]
        return error
    return wrapped


class _NotTwice(Function):
    """Passes tensors on; differentiating through it is an error."""

    @staticmethod
    def forward(ctx, *xs):
        return tuple(None if x is None else alias(x) for x in xs)

    @staticmethod
    def backward(ctx, *grads):
        raise RuntimeError("trying to differentiate twice a function that was marked with @once_differentiable")
