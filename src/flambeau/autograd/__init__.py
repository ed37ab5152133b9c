"""Gradients for users: `backward`, `grad`, the gradient modes."""
from __future__ import annotations

from typing import Any

from ..runtime.levels import running
from ..tensor.node import edge
from ..tensor.tensor import Tensor, alias
from .engine import root_gradient, run_again, run_backward
from .graph import GradientEdge


def _as_tuple(x: Any) -> tuple:
    return (x,) if x is None or isinstance(x, (Tensor, GradientEdge)) else tuple(x)


def _roots(outputs: tuple, gradients: tuple) -> tuple:
    """The outputs as tensors: a gradient edge is one with its gradient's values."""
    if not any(isinstance(o, GradientEdge) for o in outputs):
        return outputs
    made = []
    for o, g in zip(outputs, gradients):
        if isinstance(o, GradientEdge):
            if g is None:
                raise RuntimeError("grad can be implicitly created only for scalar outputs")
            at, o = o, alias(g)
            o._node, o._nr = at.node, at.output_nr
        made.append(o)
    return tuple(made)


def _input_edges(inputs: tuple, what: str) -> list:
    if not inputs:
        raise RuntimeError(f"{what}() received an empty iterable of inputs" if what == "grad" else
                           "`inputs` argument to `backward` cannot be empty.")
    edges = [(t.node, t.output_nr) if isinstance(t, GradientEdge) else edge(t) for t in inputs]
    if any(e is None for e in edges):
        raise RuntimeError("One of the differentiated Tensors does not require grad")
    return edges


def backward(tensors: Any, grad_tensors: Any = None, retain_graph: bool | None = None, create_graph: bool = False,
             grad_variables: Any = None, inputs: Any = None) -> None:
    """Accumulates the gradients of `tensors` (weighted by grad_tensors) into the leaves' `.grad`."""
    plain = tensors.__class__ is Tensor and grad_tensors is None and inputs is None and not create_graph and not running()
    if plain and run_again(tensors, bool(retain_graph)):
        return
    if any(level.functional for level in running()):
        raise RuntimeError("backward() called inside a functorch transform. This is not supported, please use functorch.grad or "
                           "functorch.vjp instead or call backward() outside of functorch transforms.")
    tensors = _as_tuple(tensors)
    grad_tensors = _as_tuple(grad_tensors) if grad_tensors is not None else (None,) * len(tensors)
    tensors = _roots(tensors, grad_tensors)
    grads = [root_gradient(t, g, i) for i, (t, g) in enumerate(zip(tensors, grad_tensors))]
    edges = None if inputs is None else _input_edges(_as_tuple(inputs), "backward")
    run_backward(tensors, grads, create_graph if retain_graph is None else retain_graph, create_graph, edges, True)


def _method(self: Tensor, gradient: Any = None, retain_graph: bool | None = None, create_graph: bool = False,
            inputs: Any = None) -> None:
    """Accumulates the gradient of this tensor in the leaves that it depends on."""
    backward(self, gradient, retain_graph, create_graph, inputs=inputs)


_method.__name__ = _method.__qualname__ = "backward"
METHODS = {"backward": _method}


def grad(outputs: Any, inputs: Any, grad_outputs: Any = None, retain_graph: bool | None = None, create_graph: bool = False,
         only_inputs: bool = True, allow_unused: bool | None = None, is_grads_batched: bool = False,
         materialize_grads: bool = False) -> tuple:
    """The gradients of `outputs` (weighted by grad_outputs) in `inputs`, as a tuple; nothing is accumulated."""
    outputs, inputs = _as_tuple(outputs), _as_tuple(inputs)
    grad_outputs = _as_tuple(grad_outputs) if grad_outputs is not None else (None,) * len(outputs)
    if materialize_grads and allow_unused is False:
        raise ValueError("Expected allow_unused to be True or not passed when materialize_grads=True, but got: allow_unused=False.")
    if is_grads_batched:
        return _batched_grad(outputs, inputs, grad_outputs, retain_graph, create_graph, allow_unused, materialize_grads)
    outputs = _roots(outputs, grad_outputs)
    grads = [root_gradient(t, g, i) for i, (t, g) in enumerate(zip(outputs, grad_outputs))]
    edges = _input_edges(inputs, "grad")
    results = run_backward(outputs, grads, create_graph if retain_graph is None else retain_graph, create_graph, edges, False)
    if materialize_grads:
        from ..ops.creation import filled
        results = [filled(tuple(t.shape), 0, t.dtype) if g is None else g for g, t in zip(results, inputs)]
    elif not allow_unused:
        for i, g in enumerate(results):
            if g is None:
                raise RuntimeError(f"The differentiated Tensor at index {i} appears to not have been used in the graph. Set "
                                   "allow_unused=True if this is the desired behavior.")
    return tuple(results)


def _batched_grad(outputs: tuple, inputs: tuple, grad_outputs: tuple, retain_graph: bool | None, create_graph: bool, allow_unused: bool | None,
                  materialize_grads: bool) -> tuple:
    """`grad` for many grad_outputs, along a first dimension, at once."""
    from ..func.vmap import vmap
    unused: list[bool] = []

    def one(*weights: Tensor) -> tuple:
        found = grad(outputs, inputs, weights, retain_graph, create_graph, True, allow_unused, False, materialize_grads)
        unused[:] = [g is None for g in found]
        return tuple(g for g in found if g is not None)
    gradients = iter(vmap(one)(*grad_outputs))
    return tuple(None if missing else next(gradients) for missing in unused)


from .anomaly_mode import detect_anomaly, is_anomaly_enabled, set_detect_anomaly  # noqa: E402
from .function import Function  # noqa: E402
from .gradcheck import gradcheck, gradgradcheck  # noqa: E402
from .grad_mode import (enable_grad, enforce_grad_layout_policy, inference_mode, is_grad_enabled, is_inference_mode_enabled,  # noqa: E402
                        no_grad, set_grad_enabled, set_multithreading_enabled)

from .variable import Variable  # noqa: E402

_LAZY = frozenset(("forward_ad", "functional", "profiler", "profiler_util"))  # modules that load when they are first used
_LAZY_NAMES = {"NestedIOFunction": ".nested", "DeviceType": ".profiler_util", "ProfilerActivity": ".profiler_util",
               "kineto_available": "..profiler"}


def __getattr__(name: str) -> Any:
    from importlib import import_module
    home = _LAZY_NAMES.get(name)
    if home is not None:
        return getattr(import_module(home, __name__), name)
    if name in _LAZY:
        return import_module("." + name, __name__)
    from ..hook.missing import missing_name
    raise missing_name(__name__, name)


__all__ = ["Function", "Variable", "backward", "detect_anomaly", "enable_grad", "enforce_grad_layout_policy", "grad", "gradcheck",
           "gradgradcheck", "inference_mode", "is_anomaly_enabled", "is_grad_enabled", "is_inference_mode_enabled", "no_grad",
           "set_detect_anomaly", "set_grad_enabled", "set_multithreading_enabled"]
