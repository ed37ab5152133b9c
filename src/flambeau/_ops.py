"""`torch.ops.aten`: what programs call operations by when they speak about them, as policies of selective checkpointing do.

An overload is callable and equal to itself only. There is one for every recorded public function (`aten.mm.default`), under
PyTorch's name, and for its in-place form (`aten.relu_.default`). Which one a recorded call is, `identify` reads off the call's
autograd node: PyTorch names nodes after these operations, and numbers them in the order of the overloads.
"""
from __future__ import annotations

import re
from functools import lru_cache
from types import ModuleType
from typing import Any, Callable, Sequence

from .tensor.tensor import Tensor

# The overloads of names that have others than `default`, by the number of the autograd node where there is one.
_OVERLOADS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys("add sub mul div bucketize searchsorted frexp ldexp index".split(), ("Tensor",)),
    **dict.fromkeys("eq ne lt le gt ge bitwise_and bitwise_or bitwise_xor copysign rsub".split(), ("Tensor", "Scalar")),
    **dict.fromkeys("fmod remainder masked_fill fill lerp".split(), ("Scalar", "Tensor")),
    **dict.fromkeys("clamp_min clamp_max".split(), ("default", "Tensor")), "clamp": ("Tensor", "default"),
    **dict.fromkeys("max min".split(), ("dim", "default")), **dict.fromkeys("all any mean".split(), ("default", "dim")),
    **dict.fromkeys("var std var_mean std_mean".split(), ("correction",)), "sum": ("default", "dim_IntList"), "prod": ("default", "dim_int"),
    "pow": ("Tensor_Scalar", "Tensor_Tensor", "Scalar"), "where": ("self",), "scatter_reduce": ("two",), "scatter": ("src", "value"),
    "round": ("default", "decimals"), "sort": ("default", "stable"), "argsort": ("stable",), "index_fill": ("int_Scalar", "int_Tensor"),
    **dict.fromkeys("transpose softmax log_softmax".split(), ("int",)),
    **dict.fromkeys("conv_transpose2d conv_transpose3d".split(), ("input",)), "xlogy": ("Tensor", "Scalar_Self", "Scalar_Other"),
    **dict.fromkeys("bitwise_left_shift bitwise_right_shift".split(), ("Tensor", "Tensor_Scalar")),
    "float_power": ("Tensor_Scalar", "Tensor_Tensor", "Scalar"),
}
# Nodes whose names lack the operation's first letter, or more.
_RENAMED = {name[1:]: name for name in ("_softmax", "_log_softmax", "_to_copy", "_adaptive_avg_pool2d", "_adaptive_avg_pool3d", "_prelu_kernel",
                                        "_scaled_dot_product_flash_attention_for_cpu", "_linalg_svd")}
_RENAMED |= {"nll_loss": "nll_loss_forward", "native_dropout": "mul"}
_METHODS = ("clone", "detach", "expand", "permute", "repeat", "t", "transpose", "view")  # of tensors, most of them views
# Public functions that look at their arguments before they record one of several operations, or one with other parameters.
_PUBLIC = ("embedding", "flip", "float_power", "index_put", "linalg_inv_ex", "max", "max_pool2d_with_indices", "min",
           "native_batch_norm", "native_group_norm", "native_layer_norm", "pow", "scatter", "sort", "softplus")
# Losses, and their parameters after the input and the target; `reduction` is a number here.
_LOSSES = {"mse_loss": ("reduction",), "soft_margin_loss": ("reduction",), "smooth_l1_loss": ("reduction", "beta"),
           "huber_loss": ("reduction", "delta"), "binary_cross_entropy": ("weight", "reduction"),
           "binary_cross_entropy_with_logits": ("weight", "pos_weight", "reduction")}
_REDUCTIONS = ("none", "mean", "sum")
_ELSEWHERE = ("_efficient_attention_forward", "_flash_attention_forward", "_scaled_dot_product_cudnn_attention",
              "_scaled_dot_product_efficient_attention", "_scaled_dot_product_flash_attention")  # no CPU kernel, in PyTorch either


class OpOverload:
    """One overload of an operation. Its arguments are the public function's."""

    def __init__(self, packet: OpOverloadPacket, overload: str) -> None:
        self.overloadpacket, self._overloadname = packet, overload
        self.__name__ = f"{packet.__name__}.{overload}"
        self.namespace = "aten"

    def name(self) -> str:
        """'aten::add.Tensor'; without the overload where that is the default."""
        return f"aten::{self.overloadpacket.__name__}" + ("" if self._overloadname == "default" else "." + self._overloadname)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.overloadpacket(*args, **kwargs)

    def __str__(self) -> str:
        return "aten." + self.__name__

    def __repr__(self) -> str:
        return f"<OpOverload(op='aten.{self.overloadpacket.__name__}', overload='{self._overloadname}')>"


class OpOverloadPacket:
    """The overloads of an operation, as attributes. Called, it takes the one that the arguments are for."""

    def __init__(self, name: str, function: Callable) -> None:
        self.__name__, self._function = name, function
        self._overloads = {o: OpOverload(self, o) for o in _OVERLOADS.get(_plain(name), ("default",))}

    def overloads(self) -> list[str]:
        """Their names."""
        return list(self._overloads)

    def __getattr__(self, overload: str) -> OpOverload:
        try:
            return self.__dict__["_overloads"][overload]
        except KeyError:
            raise AttributeError(f"The underlying op of 'aten.{self.__dict__.get('__name__')}' has no overload name '{overload}'") from None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._function(*args, **kwargs)

    def __str__(self) -> str:
        return "aten." + self.__name__

    def __repr__(self) -> str:
        return f"<OpOverloadPacket(op='{self}')>"


class _OpNamespace(ModuleType):
    """The operations of one library, as attributes; made when somebody asks."""

    def __getattr__(self, name: str) -> OpOverloadPacket:
        function = None if name.startswith("__") else _function_of(name)
        if function is None:
            raise AttributeError(f"'_OpNamespace' 'aten' object has no attribute '{name}'")
        packet = OpOverloadPacket(name, function)
        setattr(self, name, packet)
        return packet


aten = _OpNamespace("torch.ops.aten")


def _plain(name: str) -> str:
    """Without the underscore of the in-place form."""
    return name.removesuffix("_")


# ------------------------------------------------------------------ what they do

def _function_of(name: str) -> Callable | None:
    """What an operation does; None where there is no such operation."""
    import flambeau
    if name in _ELSEWHERE:
        return lambda *args, **kwargs: _refuse(name)
    own = _OWN.get(name)
    if own is not None:
        return own
    if name in _METHODS:
        return getattr(Tensor, name)
    if name in _LOSSES:
        return _loss(name)
    public = getattr(Tensor if name.endswith("_") else flambeau, name, None) or _in_packages(name)
    if _plain(name) in _PUBLIC:
        return public
    recorded = getattr(public, "op", None) or getattr(getattr(flambeau, _plain(name), None), "op", None)
    return public if getattr(recorded, "name", None) in (_plain(name), _plain(name).removeprefix("linalg_")) else None


def _in_packages(name: str) -> Callable | None:
    """A function of `nn.functional`, or linalg_x: one of `linalg`."""
    from . import linalg
    from .nn import functional
    prefix, _, rest = name.partition("_")
    return getattr(linalg, rest, None) if prefix == "linalg" else getattr(functional, name, None)


def _loss(name: str) -> Callable:
    from .nn import functional
    function = getattr(functional, name)

    def loss(self: Any, target: Any, *args: Any, **kwargs: Any) -> Any:
        kwargs |= dict(zip(_LOSSES[name], args))
        return function(self, target, **{**kwargs, "reduction": _REDUCTIONS[kwargs.get("reduction", 1)]})
    return loss


def _refuse(name: str) -> None:
    raise NotImplementedError(f"Could not run 'aten::{name}' with arguments from the 'CPU' backend. This could be because the operator doesn't "
                              "exist for this backend: it is a kernel of accelerators.")


def _softmax(self: Any, dim: int, half_to_float: bool) -> Any:
    from . import softmax
    return softmax(self, dim)


def _log_softmax(self: Any, dim: int, half_to_float: bool) -> Any:
    from . import log_softmax
    return log_softmax(self, dim)


def _convolution(input: Any, weight: Any, bias: Any, stride: Sequence[int], padding: Sequence[int], dilation: Sequence[int], transposed: bool,
                 output_padding: Sequence[int], groups: int) -> Any:
    from .nn import functional
    n = input.ndim - 2
    if transposed:
        return getattr(functional, f"conv_transpose{n}d")(input, weight, bias, stride, padding, output_padding, groups, dilation)
    return getattr(functional, f"conv{n}d")(input, weight, bias, stride, padding, dilation, groups)


def _to_copy(self: Any, *, dtype: Any = None, **kwargs: Any) -> Any:
    return self.to(dtype=dtype, copy=True, **kwargs)


def _linalg_svd(A: Any, full_matrices: bool = False, compute_uv: bool = True, *, driver: str | None = None) -> tuple:
    from . import linalg
    if compute_uv:
        return tuple(linalg.svd(A, full_matrices, driver=driver))
    s = linalg.svdvals(A, driver=driver)
    return s.new_empty(0), s, s.new_empty(0)


def _index(self: Any, indices: Sequence[Any]) -> Any:
    return self[tuple(slice(None) if i is None else i for i in indices)]


def _prelu_kernel(self: Any, weight: Any) -> Any:
    return self.where(self > 0, weight * self)


def _nll_loss_forward(self: Any, target: Any, weight: Any, reduction: int, ignore_index: int) -> tuple[Any, Any]:
    from .nn import functional
    counted = target != ignore_index
    weights = counted.to(self.dtype) if weight is None else weight[target.where(counted, 0)] * counted
    total = weights.sum() if reduction else self.new_zeros(())
    return functional.nll_loss(self, target, weight, ignore_index=ignore_index, reduction=_REDUCTIONS[reduction]), total


def _adaptive_avg_pool2d(self: Any, output_size: Sequence[int]) -> Any:
    from .nn import functional
    return functional.adaptive_avg_pool2d(self, output_size)


def _attention(query: Any, key: Any, value: Any, dropout_p: float = 0.0, is_causal: bool = False, *, attn_mask: Any = None,
               scale: float | None = None) -> tuple[Any, Any]:
    from .nn import functional
    scores = query @ key.mT * (query.shape[-1] ** -0.5 if scale is None else scale)
    if attn_mask is not None:
        scores = scores + attn_mask
    if is_causal:
        scores = scores.masked_fill(scores.new_ones(scores.shape[-2:]).tril() == 0, -float("inf"))
    result = functional.scaled_dot_product_attention(query, key, value, attn_mask, dropout_p, is_causal, scale=scale)
    return result, scores.logsumexp(-1)


# Operations with parameters of their own.
_OWN: dict[str, Callable] = {"_softmax": _softmax, "_log_softmax": _log_softmax, "convolution": _convolution, "_to_copy": _to_copy,
                             "_linalg_svd": _linalg_svd, "_prelu_kernel": _prelu_kernel, "index": _index, "nll_loss_forward": _nll_loss_forward,
                             "_adaptive_avg_pool2d": _adaptive_avg_pool2d, "_scaled_dot_product_flash_attention_for_cpu": _attention}


# ------------------------------------------------------------------ which one a recorded call is

def identify(op: Any, spec: Any, args: tuple) -> tuple[OpOverload, tuple] | None:
    """The overload that a call of `op` is in PyTorch, of several there the one that computes its result, and its arguments.
    None for what has none."""
    if op.name == "running_statistics":  # a part of `native_batch_norm`
        return None
    if op.name in ("linear", "matmul", "_rmatmul"):
        name, args = _product(*(reversed(args) if op.name == "_rmatmul" else args), transposed=op.name == "linear")
        return getattr(aten, name).default, args
    kind, number = _kind(spec.grad_name or "")
    name = op.name if kind in ("", "squeeze") else _RENAMED.get(kind, kind)
    if name == "convolution":
        args = _convolution_arguments(op.name, *args)
    packet = getattr(aten, name + "_" if op.name.endswith("_") and not name.endswith("_") else name, None)
    if packet is None:
        return None
    choices = packet.overloads()
    if number is None:
        number = int(len(choices) > 1 and _second(choices, args))
    return getattr(packet, choices[min(number, len(choices) - 1)]), args


@lru_cache(maxsize=None)
def _kind(grad_name: str) -> tuple[str, int | None]:
    """'MaxPool2DWithIndicesBackward0' → ('max_pool2d_with_indices', 0)."""
    found = re.fullmatch(r"(\w+?)Backward(\d+)", grad_name)
    if found is None:
        return "", None
    spaced = re.sub(r"(\d)D(?![a-z])", r"\1d", found[1])
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", spaced).lower(), int(found[2])


def _second(choices: list[str], args: tuple) -> bool:
    """Whether a call without a gradient is of the second overload: with dimensions, or with a number."""
    if "Scalar" in choices or "Tensor" in choices:
        return isinstance(args[-1], Tensor) == (choices[1] == "Tensor")
    return len(args) > 1 and args[1] is not None


def _product(input: Any, other: Any, bias: Any = None, transposed: bool = False) -> tuple[str, tuple]:
    """What a product of any two tensors comes down to: one of vectors, of matrices, or of stacks of them."""
    other = other.mT if transposed and other.ndim > 1 else other
    if bias is not None:
        return "addmm", (bias, input.reshape(-1, input.shape[-1]), other)
    if other.ndim == 1:
        return ("dot", (input, other)) if input.ndim == 1 else ("mv", (input.reshape(-1, input.shape[-1]), other))
    if other.ndim == 2:
        return "mm", (input.reshape(-1, input.shape[-1]), other)
    return "bmm", (input, other)


def _convolution_arguments(name: str, input: Any, weight: Any, bias: Any, stride: Any, padding: Any, *rest: Any) -> tuple:
    """In ATen's order. name: conv2d, or conv_transpose2d, whose parameters have an order of their own."""
    n = input.ndim - 2

    def each(x: Any) -> Any:
        return [x] * n if isinstance(x, int) else x
    if "transpose" in name:
        output_padding, groups, dilation = rest
        return input, weight, bias, each(stride), each(padding), each(dilation), True, each(output_padding), groups
    dilation, groups = rest
    return input, weight, bias, each(stride), each(padding), each(dilation), False, [0] * n, groups
