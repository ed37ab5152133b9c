"""Activations."""
# ruff: noqa: F821
from __future__ import annotations

import math
from typing import Any

from ... import primitives as p
from ...dtypes import bool_, dtype as dtype_class
from ...ir.graph import Var
from ...ops.promotion import not_implemented, to_float
from ...tensor.op import apply_inplace, inplace as inplace_method, op
from ...tensor.views import wrap_dim


def _positive(x: Var) -> Var:
    return p.gt(x, 0)


def _need(kinds: str, kernel: str, x: Var) -> None:
    """PyTorch's error for an x whose kind (of "b", "i", "u", "f", "c") its kernel lacks."""
    if x.dtype.kind not in kinds:
        raise not_implemented(kernel, x.dtype)


def log1pexp(x: Var) -> Var:
    """log(1 + exp(x)) without overflow. Written with choices, not |x|, so that its derivative is σ(x) at 0, too."""
    positive = _positive(x)
    return p.select(positive, x, 0) + p.log1p(p.exp(p.select(positive, p.neg(x), x)))


def _with_inplace(function: Any) -> Any:
    """Adds the argument `inplace=False` to an activation."""
    entry = function.op

    def activation(*args, inplace=False, **kwargs):
        bound = entry.bind(args, kwargs)
        return apply_inplace(entry, bound) if inplace else function(*bound)
    activation.__name__ = activation.__qualname__ = entry.name
    activation.__doc__ = function.__doc__
    activation.__signature__ = _signature_with_inplace(function)  # type: ignore[attr-defined]
    activation.op = entry  # type: ignore[attr-defined]
    return _positional_inplace(activation, entry, function)


def _signature_with_inplace(function):
    import inspect
    old = inspect.signature(function)
    extra = inspect.Parameter("inplace", inspect.Parameter.POSITIONAL_OR_KEYWORD, default=False)
    return old.replace(parameters=[*[p for p in old.parameters.values() if p.name != "out"], extra])


def _positional_inplace(activation, entry, function):
    """Lets `inplace` come by position too, after the activation's own parameters."""
    import functools
    n = len(entry.names)

    @functools.wraps(activation)
    def call(*args, **kwargs):
        if len(args) == n + 1:
            kwargs["inplace"] = args[n]
            args = args[:n]
        elif not kwargs and len(args) == n:
            return function(*args)
        return activation(*args, **kwargs)
    return call


@op("ReluBackward0", name="relu")
def _relu(input: Tensor):
    """max(input, 0); NaN stays NaN."""
    if input.dtype is bool_:
        raise RuntimeError("Boolean inputs not supported for relu")
    if input.dtype.kind == "c":
        raise NotImplementedError("clamp is not supported for complex types")
    return p.relu(input)


relu_ = inplace_method(_relu)


def relu(input, inplace=False):
    """max(input, 0); NaN stays NaN."""
    return relu_(input) if inplace else _relu(input)


@op("HardtanhBackward0", name="hardtanh")
def _hardtanh(input: Tensor, min_val=-1.0, max_val=1.0):
    """input limited to [min_val, max_val]."""
    if min_val > max_val:
        raise ValueError("min_val cannot be greater than max_val")
    if input.dtype is bool_:
        raise RuntimeError("Bool inputs not supported for hardtanh")
    if input.dtype.kind == "c":
        raise NotImplementedError("clamp is not supported for complex types")
    if input.dtype.kind == "u" and (min_val < 0 or max_val < 0):
        raise RuntimeError("cannot do hardtanh on an unsigned type with negative limits")
    return p.select(p.le(input, min_val), min_val, p.select(p.ge(input, max_val), max_val, input))


@op("HardtanhBackward0", name="relu6")
def _relu6(input: Tensor):
    """min(max(input, 0), 6)."""
    return _hardtanh.op.body(input, 0.0, 6.0)


@op("EluBackward0", name="elu")
def _elu(input: Tensor, alpha=1.0):
    """input where positive, else alpha·(exp(input) − 1)."""
    return _exponential_below(input, alpha, 1.0, 1.0)


def _exponential_below(x: Var, alpha: float, scale: float, input_scale: float) -> Var:
    """scale·(x where positive or NaN, else alpha·(exp(input_scale·x) − 1)): ELU and its relatives."""
    _need("f", "elu_cpu", x)
    below = p.le(x, 0)
    inner = p.select(below, x, 0)
    inner = p.expm1(inner if input_scale == 1.0 else inner * input_scale)
    return p.select(below, inner * (alpha * scale), x if scale == 1.0 else x * scale)


@op("EluBackward0", name="selu")
def _selu(input: Tensor):
    """λ·(input where positive, else α·(exp(input) − 1)), with the λ and α of Klambauer et al. 2017."""
    scale, alpha = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717
    return _exponential_below(input, alpha, scale, 1.0)


@op("CeluBackward0", name="celu")
def _celu(input: Tensor, alpha=1.0):
    """max(0, x) + min(0, alpha·(exp(x/alpha) − 1))."""
    if alpha == 0:
        raise RuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")
    return _exponential_below(input, alpha, 1.0, 1.0 / alpha)


@op("LeakyReluBackward0", name="leaky_relu")
def _leaky_relu(input: Tensor, negative_slope=0.01):
    """input where positive, else negative_slope·input."""
    _need("f", "leaky_relu_cpu", input)
    return p.select(_positive(input), input, input * negative_slope)


@op("ThresholdBackward0", name="threshold")
def _threshold(input: Tensor, threshold, value):
    """input where it exceeds threshold, else value."""
    _need("iuf", "threshold_cpu", input)
    return p.select(p.le(input, threshold), value, input)


@op("SiluBackward0", name="silu")
def _silu(input: Tensor):
    """x·σ(x) (Elfwing et al. 2017; swish)."""
    _need("fc", "silu_cpu", input)
    return input * p.sigmoid(input)


@op("MishBackward0", name="mish")
def _mish(input: Tensor):
    """x·tanh(softplus(x)) (Misra 2019)."""
    _need("f", "mish_cpu", input)
    return input * p.tanh(softplus.op.body(input, 1.0, 20.0))


@op("HardswishBackward0", name="hardswish")
def _hardswish(input: Tensor):
    """0 below −3, x above 3, x·(x + 3)/6 between (Howard et al. 2019)."""
    _need("f", "hardswish_cpu", input)
    middle = input * (input + 3) / 6
    return p.select(p.le(input, -3), 0, p.select(p.ge(input, 3), input, middle))


@op("HardsigmoidBackward0", name="hardsigmoid")
def _hardsigmoid(input: Tensor):
    """0 below −3, 1 above 3, x/6 + ½ between."""
    _need("f", "hardsigmoid_cpu", input)
    return p.select(p.le(input, -3), 0, p.select(p.ge(input, 3), 1, input / 6 + 0.5))


hardtanh, relu6, elu, selu, celu = (_with_inplace(f) for f in (_hardtanh, _relu6, _elu, _selu, _celu))
leaky_relu, threshold, silu, mish = (_with_inplace(f) for f in (_leaky_relu, _threshold, _silu, _mish))
hardswish, hardsigmoid = _with_inplace(_hardswish), _with_inplace(_hardsigmoid)
hardtanh_, elu_, selu_, celu_ = (inplace_method(f) for f in (_hardtanh, _elu, _selu, _celu))
leaky_relu_, threshold_ = inplace_method(_leaky_relu), inplace_method(_threshold)


@op("SoftplusBackward0", strict_out="dtype")
def softplus(input: Tensor, beta=1.0, threshold=20.0):
    """log(1 + exp(beta·x))/beta, and x itself where beta·x exceeds threshold."""
    _need("f", "softplus_cpu", input)
    scaled = input * beta
    big = p.gt(scaled, threshold)
    return p.select(big, input, p.log1p(p.exp(p.select(big, 0, scaled))) / beta)


@op("GeluBackward0", strict_out="dtype")
def gelu(input: Tensor, *, approximate="none"):
    """x·Φ(x), Φ the normal distribution function; approximate="tanh" by its usual tanh formula (Hendrycks & Gimpel 2016)."""
    _need("f", "GeluKernelImpl", input)
    if approximate == "tanh":
        inner = (input + input * input * input * 0.044715) * math.sqrt(2 / math.pi)
        return input * 0.5 * (p.tanh(inner) + 1)
    if approximate != "none":
        raise RuntimeError("approximate argument must be either none or tanh.")
    return input * 0.5 * (p.erf(input * math.sqrt(0.5)) + 1)


@op("LogSigmoidBackward0")
def logsigmoid(input: Tensor):
    """log σ(x), without overflow: min(x, 0) − log(1 + exp(−|x|))."""
    _need("f", "log_sigmoid_cpu", input)
    return p.neg(log1pexp(p.neg(input)))


@op("HardshrinkBackward0", strict_out="dtype")
def hardshrink(input: Tensor, lambd=0.5):
    """input where |input| > lambd, else 0."""
    _need("f", "hardshrink_cpu", input)
    small = p.bitwise_and(p.ge(input, -lambd), p.le(input, lambd))
    return p.select(small, 0, input)


@op("SoftshrinkBackward0", strict_out="dtype")
def softshrink(input: Tensor, lambd=0.5):
    """input moved toward 0 by lambd, and 0 within."""
    if lambd < 0:
        raise RuntimeError(f"lambda must be greater or equal to 0, but found to be {lambd}.")
    _need("f", "softshrink_check", input)
    return p.select(p.gt(input, lambd), input - lambd, p.select(p.lt(input, -lambd), input + lambd, p.select(p.isnan(input), input, 0)))


@op("SubBackward0")
def tanhshrink(input: Tensor):
    """x − tanh(x)."""
    if input.dtype is bool_:
        raise RuntimeError("Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to invert a mask, use "
                           "the `~` or `logical_not()` operator instead.")
    x = to_float(input)
    return x - p.tanh(x)


@op("DivBackward0")
def softsign(input: Tensor):
    """x/(1 + |x|)."""
    if input.dtype is bool_:
        raise not_implemented("abs_cpu", input.dtype)
    x = to_float(input)
    return x / p.cast(p.absolute(x) + 1, x.dtype)


@op("PreluKernelBackward0")
def prelu(input: Tensor, weight: Tensor):
    """input where positive, else weight·input, with one weight for all or one for each channel (dimension 1)."""
    if weight.dtype is not input.dtype:
        raise RuntimeError(f"prelu: Type promoting not supported. Got {input.dtype._legacy} and {weight.dtype._legacy}")
    if weight.ndim > 1:
        raise RuntimeError(f"prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = {weight.ndim}")
    if weight.size != 1:
        if input.ndim == 0:
            raise RuntimeError("Not allow zero-dim input tensor.")
        channels = input.shape[1] if input.ndim > 1 else 1
        if channels != weight.size:
            raise RuntimeError(f"Mismatch of parameter numbers and input channel size. Found parameter numbers = {weight.size} and channel "
                               f"size = {channels}.")
    shape = tuple(weight.size if i == 1 else 1 for i in range(input.ndim)) if weight.size != 1 else (1,) * input.ndim
    return p.select(_positive(input), input, input * p.reshape(weight, shape))


@op("GluBackward0")
def glu(input: Tensor, dim=-1):
    """a·σ(b) of the two halves a, b along dim (Dauphin et al. 2016)."""
    if input.ndim == 0:
        raise RuntimeError("glu does not support 0-dimensional tensors")
    d = wrap_dim(dim, input.ndim)
    n = input.shape[d]
    _need("f", "glu_cpu", input)
    if n % 2:
        raise RuntimeError(f"Halving dimension must be even, but dimension {d} is size {n}")
    return p.slice_dim(input, d, 0, n // 2) * p.sigmoid(p.slice_dim(input, d, n // 2, n))


def rrelu(input, lower=1.0 / 8, upper=1.0 / 3, training=False, inplace=False):
    """Leaky ReLU with a random slope in [lower, upper] for each negative element in training, their mean otherwise."""
    import flambeau as torch
    if lower > upper:
        raise RuntimeError(f"Lower bound should be less than or equal to the upper bound, but got {lower} and {upper}")
    if not training:
        return leaky_relu(input, (lower + upper) / 2, inplace)
    # one float64 draw for each element that is not positive, and none for the others
    negative = input.detach() <= 0
    drawn = input.new_empty(int(negative.sum()), dtype=torch.float64).uniform_(lower, upper)
    out = input * torch.ones_like(input.detach()).masked_scatter(negative, drawn.to(input.dtype))
    if inplace:
        from ...tensor.write import assign, check_writable
        check_writable(input)
        assign(input, out)
        return input
    return out


def rrelu_(input, lower=1.0 / 8, upper=1.0 / 3, training=False):
    """`rrelu` in place."""
    return rrelu(input, lower, upper, training, True)


# ------------------------------------------------------------------ softmax family

def _softmax_input(x: Var, dtype: dtype_class | None) -> Var:
    if dtype is not None:
        return p.cast(x, dtype)
    if x.size:
        _need("f", "softmax_lastdim_kernel_impl", x)
    return x


def softmax_of(x: Var, dim: int) -> Var:
    """exp(x − max)/Σ exp(x − max) along dim; 1 for a 0-dim x."""
    return p.softmax(x, dim) if x.ndim else p.exp(x - x)


def log_softmax_of(x: Var, dim: int) -> Var:
    """x − max − log Σ exp(x − max) along dim; 0 for a 0-dim x."""
    return p.log_softmax(x, dim) if x.ndim else x - x


def _implicit_dim(name: str, ndim: int, stacklevel: int) -> int:
    import warnings
    warnings.warn(f"Implicit dimension choice for {name} has been deprecated. Change the call to include dim=X as an argument.", UserWarning,
                  stacklevel=stacklevel + 1)
    return 0 if ndim in (0, 1, 3) else 1


@op("SoftmaxBackward0", name="softmax", strict_out="dtype")
def _softmax(input: Tensor, dim, dtype=None):
    d = wrap_dim(dim, input.ndim)
    x = _softmax_input(input, dtype)
    return softmax_of(x, d) if x.size else x


@op("LogSoftmaxBackward0", name="log_softmax", strict_out="dtype")
def _log_softmax(input: Tensor, dim, dtype=None):
    d = wrap_dim(dim, input.ndim)
    x = _softmax_input(input, dtype)
    return log_softmax_of(x, d) if x.size else x


def softmax(input, dim=None, _stacklevel=3, dtype=None):
    """exp(x)/Σ exp(x) along dim."""
    return _softmax(input, _implicit_dim("softmax", input.ndim, _stacklevel) if dim is None else dim, dtype)


def softmin(input, dim=None, _stacklevel=3, dtype=None):
    """softmax(−x)."""
    return _softmax(-input, _implicit_dim("softmin", input.ndim, _stacklevel) if dim is None else dim, dtype)


def log_softmax(input, dim=None, _stacklevel=3, dtype=None):
    """log softmax(x), computed without overflow."""
    return _log_softmax(input, _implicit_dim("log_softmax", input.ndim, _stacklevel) if dim is None else dim, dtype)


def gumbel_softmax(logits, tau=1, hard=False, eps=1e-10, dim=-1):
    """softmax((logits + Gumbel noise)/tau); hard=True gives one-hot values with the soft gradient (Jang et al. 2016)."""
    import flambeau as torch
    noise = -torch.empty_like(logits.detach(), memory_format=torch.contiguous_format).exponential_().log()
    soft = softmax((logits + noise) / tau, dim)
    if not hard:
        return soft
    index = soft.max(dim, keepdim=True)[1]
    one_hot = torch.zeros_like(logits.detach()).scatter_(dim, index, 1.0)
    return one_hot - soft.detach() + soft


def sigmoid(input):
    """1/(1 + exp(−x))."""
    return input.sigmoid()


def tanh(input):
    """The hyperbolic tangent."""
    return input.tanh()


METHODS = {"relu": relu, "relu_": relu_, "softmax": _softmax, "log_softmax": _log_softmax, "prelu": prelu, "hardshrink": hardshrink}
