"""Random tensors: PyTorch's CPU algorithms as recorded calls on the generator's state.

Sources of the formulas: ATen's DistributionsHelper (facts checked against PyTorch 2.13): float32 uniforms use 24 bits of
one word, float64 ones 53 bits of two words (the first word high); normals of 16 and more elements are Box-Muller on blocks
of 16, shorter ones on pairs of doubles of which the sine is kept for the next draw.
"""
# ruff: noqa: F821
from __future__ import annotations

import math
from typing import Any

from .. import primitives as p
from ..dtypes import bfloat16, bool_, dtype as dtype_class, float16, float32, float64, get_default_dtype, int64, widen
from ..ir.graph import Var
from ..ir.graph import trace as trace_graph
from ..primitives.random import STATE
from ..random import Generator, GeneratorOn, default_generator, generator_on
from ..runtime.levels import running
from ..runtime.specialization import Specialization
from ..runtime.trace import SCALAR_TYPES, Value, record, trace
from ..tensor.op import op
from ..tensor.device import CPU, check_device, device as device_class
from ..tensor.placement import device_of, follow
from ..tensor.tensor import Tensor, make_tensor
from ..tensor.views import as_shape
from ..tensor.write import assign, check_writable, resized
from .creation import written_over
from .promotion import not_implemented

_specs: dict[tuple, Specialization] = {}


def _generator(generator: Any, where: device_class = CPU):
    """The generator to draw from on a device: the given one, or the default one there."""
    if where is not CPU or generator.__class__ is GeneratorOn:
        return generator_on(generator, where)
    if generator is None:
        generator = default_generator
    elif not isinstance(generator, Generator):
        raise TypeError(f"expected a 'torch.Generator' but got {type(generator).__name__}")
    elif generator.device is not CPU:
        return generator_on(generator, where)
    if generator.state.__class__ is not Value:  # "xla:cpu" drew from it last
        return generator_on(generator, CPU)
    return generator


def draw(name: str, body: Any, static: tuple, scalars: tuple = (), generator: Any = None, operands: tuple = (),
         check: Any = None) -> list[Value]:
    """Records `body(state, *operands, *scalars, *static) -> (…, next state)` and moves the generator on.

    check([state, *operands]) raises the errors of values that are computed already.
    """
    g = _generator(generator)
    key = (name, static, tuple(v.type for v in operands), tuple(s.__class__ for s in scalars))
    spec = _specs.get(key)
    if spec is None:
        types = [STATE, *[v.type for v in operands], *[SCALAR_TYPES[s.__class__] for s in scalars]]
        graph, _ = trace_graph(lambda *xs: body(*xs, *static), types)
        spec = _specs[key] = Specialization(name, name, graph, False, None, check)
    if check is not None:
        check([g.state, *operands])
        trace.mark()
    if running():
        from ..tensor.transforms import record_draw
        *results, state = record_draw(spec, [g.state, *operands, *scalars])
    else:
        *results, state = record(spec, [g.state, *operands, *scalars])
    g.advance(state)
    return results


# ------------------------------------------------------------------ bits to numbers, on Vars

def uniform01(state: Var, n: int, dt: dtype_class) -> tuple[Var, Var]:
    """n uniforms in [0, 1) of a floating dtype, and the next state."""
    if dt is float64:
        bits, state = p.random_bits(state, 2 * n)
        pairs = p.cast(p.reshape(bits, (n, 2)), float64)
        # 53 low bits of the 64-bit word high·2^32 + low: the high word keeps its low 21 bits
        high = p.reshape(p.slice_dim(p.reshape(bits, (n, 2)), 1, 0, 1), (n,))
        low = p.reshape(p.slice_dim(pairs, 1, 1, 2), (n,))
        top = p.cast(p.bitwise_and(high, (1 << 21) - 1), float64)
        return (top * 4294967296.0 + low) * 2.0 ** -53, state
    bits, state = p.random_bits(state, n)
    value = p.cast(p.bitwise_and(bits, (1 << 24) - 1), float32) * 2.0 ** -24
    return p.cast(value, dt), state


def _normal_block(u: Var) -> Var:
    """Box-Muller on rows of 16 uniforms: 8 radii and 8 angles give 8 cosines and 8 sines."""
    rows = u.shape[0]
    radius_u, angle_u = p.slice_dim(u, 1, 0, 8), p.slice_dim(u, 1, 8, 16)
    radius = p.sqrt(p.log(1 - radius_u) * -2.0)
    theta = angle_u * (2.0 * math.pi)
    return p.reshape(p.concat([radius * p.cos(theta), radius * p.sin(theta)], 1), (rows * 16,))


def normal01(state: Var, n: int, dt: dtype_class) -> tuple[Var, Var]:
    """n >= 16 standard normals, and the next state. A partial last block redraws the last 16 elements; in half precision
    it is not drawn before that. These come in single precision."""
    wide = _draw_dtype(dt)
    whole = n - n % 16
    u, state = uniform01(state, whole if dt in (float16, bfloat16) else n, wide)
    out = _normal_block(p.reshape(p.slice_dim(u, 0, 0, whole), (whole // 16, 16)))
    if n % 16:
        tail, state = uniform01(state, 16, wide)
        out = p.concat([p.slice_dim(out, 0, 0, n - 16), _normal_block(p.reshape(tail, (1, 16)))], 0)
    return out, state


def _draw_dtype(dt: dtype_class) -> dtype_class:
    """What normals of `dt` are computed in before they are rounded."""
    return float64 if dt is float64 else float32


def _few_normals(state: Var, kept: Any, n: int) -> tuple[Var, Any, Var]:
    """n standard normals (float64) one by one: a kept draw first, then pairs. Returns (normals, new kept or None, state)."""
    parts = [] if kept is None else [p.reshape(kept, (1,))]
    pairs = (n - len(parts) + 1) // 2
    rest = None
    if pairs:
        u, state = uniform01(state, 2 * pairs, float64)
        u = p.reshape(u, (pairs, 2))
        u1 = p.reshape(p.slice_dim(u, 1, 0, 1), (pairs,))
        u2 = p.reshape(p.slice_dim(u, 1, 1, 2), (pairs,))
        radius = p.sqrt(p.log1p(p.neg(u2)) * -2.0)
        theta = u1 * (2.0 * math.pi)
        both = p.reshape(p.concat([p.reshape(radius * p.cos(theta), (pairs, 1)), p.reshape(radius * p.sin(theta), (pairs, 1))], 1),
                         (2 * pairs,))
        take = n - len(parts)
        parts.append(p.slice_dim(both, 0, 0, take))
        if take < 2 * pairs:
            rest = p.reshape(p.slice_dim(both, 0, 2 * pairs - 1, 2 * pairs), ())
    values = p.concat(parts, 0) if parts else p.full((0,), 0, float64, state.builder)
    return values, rest, state


def normal_values(n: int, shape: tuple[int, ...], dt: dtype_class, generator: Any, mean: float = 0, std: float = 1,
                  blocks: bool = True) -> Value:
    """Normals in `shape`, from `generator`; complex ones have `mean` in both parts, and variance std² in all.

    blocks: whether 16 and more are drawn in blocks, as PyTorch does for contiguous memory.
    """
    if running():
        from ..tensor.transforms import drawn
        return drawn(lambda shape: normal_values(math.prod(shape), shape, dt, generator, mean, std, blocks), shape)
    g = _generator(generator)
    if not n:
        return _empty(shape, dt)
    if dt.kind == "c":
        parts = normal_values(2 * n, (*shape, 2), dt.to_real(), g, mean, std * math.sqrt(0.5), blocks)
        return _complex_of_pairs(parts)
    if n < 16 or not blocks:
        return _affine(_one_by_one(n, shape, float64, g), mean, std, dt)

    def many(state, shape, dt):
        x, state = normal01(state, n, dt)
        return p.reshape(x, shape), state
    return _affine(draw("randn", many, (shape, dt), (), g)[0], mean, std, dt)


def _complex_of_pairs(parts: Value) -> Value:
    """(…, 2) real numbers as (…) complex ones."""
    key = ("complex", parts.type)
    if key not in _specs:
        def body(x):
            return p.make_complex(*[p.reshape(p.slice_dim(x, x.ndim - 1, i, i + 1), x.shape[:-1]) for i in (0, 1)])
        _specs[key] = Specialization("randn", "randn", trace_graph(body, [parts.type])[0], True)
    return record(_specs[key], [parts])[0]


def _one_by_one(n: int, shape: tuple[int, ...], dt: dtype_class, generator: Any) -> Value:
    """n standard normals by pairs of doubles, of which a spare one is kept for the next call."""
    g = _generator(generator)
    had, keeps = g.normal is not None, (n - (g.normal is not None)) % 2 == 1

    def few(state, *rest):
        *kept, shape, dt, _ = rest
        x, left, state = _few_normals(state, kept[0] if kept else None, n)
        x = p.reshape(p.cast(x, dt), shape)
        return (x, left, state) if left is not None else (x, state)
    results = draw("randn", few, (shape, dt, had), (), g, (g.normal,) if had else ())
    g.normal = results[1] if keeps else None
    return results[0]


def _empty(shape, dt) -> Value:
    from .creation import filled
    return filled(shape, 0, dt)._storage.value


# ------------------------------------------------------------------ public functions

def _finish(value: Value, requires_grad: bool) -> Tensor:
    t = make_tensor(value)
    return t.requires_grad_(True) if requires_grad else t  # type: ignore[attr-defined]


def _float_dtype(dtype: Any, name: str) -> dtype_class:
    dt = get_default_dtype() if dtype is None else dtype
    if dt.kind not in "fc":
        raise NotImplementedError(f"\"{name}\" not implemented for '{dt._legacy}'")
    return dt


def _numel(shape) -> int:
    if any(s < 0 for s in shape):
        raise RuntimeError(f"Trying to create tensor with negative dimension {next(s for s in shape if s < 0)}: {list(shape)}")
    return math.prod(shape)


def _fused(x: Any, y: Any, z: Any) -> Any:
    """x·y + z of float64 numbers rounded once: the product's and the sum's errors by Dekker (1971) and Knuth (TAOCP 4.2.2)."""
    def halves(t):
        c = t * 134217729.0  # 2²⁷ + 1
        high = c - (c - t)
        return high, t - high
    product = x * y
    (a, b), (c, d) = halves(x), halves(y)
    lost = ((a * c - product) + a * d + b * c) + b * d
    total = product + z
    rest = total - product
    return total + (((product - (total - rest)) + (z - rest)) + lost)


def _uniform_values(shape: tuple[int, ...], dt: dtype_class, low: float, high: float, generator: Any) -> Value:
    """Uniforms in [low, high), in both parts of complex numbers."""
    if dt.kind == "c":
        return _complex_of_pairs(_uniform_values((*shape, 2), dt.to_real(), low, high, generator))
    n = math.prod(shape)

    def standard(state, shape, dt):
        x, state = uniform01(state, n, dt)
        return p.reshape(x, shape), state
    if low == 0 and high == 1 and dt in (float32, float64):
        return draw("rand", standard, (shape, dt), (), generator)[0]

    def body(state, a, b, shape, dt):
        drawn = _draw_dtype(dt)
        x, state = uniform01(state, n, drawn)
        a, b = p.cast(a, drawn), p.cast(b, drawn)
        # PyTorch's compilers make x·(b − a) + a one operation, rounded once
        if drawn is float64:
            y = _fused(x, b - a, a)
        else:
            y = p.cast(p.cast(x, float64) * p.cast(b - a, float64) + p.cast(a, float64), dt)
        if dt is not drawn:  # rounding must not reach the bound that is left out
            y = p.select(p.ge(y, p.cast(b, dt)), p.cast(a, dt), y)
        return p.reshape(y, shape), state
    return draw("uniform_", body, (shape, dt), (float(low), float(high)), generator)[0]


def rand(*size, generator=None, out=None, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False, names=None):
    """Uniform random numbers in [0, 1)."""
    shape = as_shape(size)
    dt = _float_dtype(dtype, "check_uniform_bounds")
    _numel(shape)
    return _into(_finish(_uniform_values(shape, dt, 0, 1, _generator(generator, check_device(device))), requires_grad), out)


def randn(*size, generator=None, out=None, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False, names=None):
    """Normal random numbers of mean 0 and variance 1 (complex: variance 1 in all)."""
    shape = as_shape(size)
    dt = _float_dtype(dtype, "normal_kernel_cpu")
    return _into(_finish(normal_values(_numel(shape), shape, dt, _generator(generator, check_device(device))), requires_grad), out)


def _into(result: Tensor, out: Any) -> Tensor:
    if out is None:
        return result
    return written_over(result, out)


@op(lambda drawn, parameters, grad_name: grad_name, name="draw")
def _as_function_of(drawn: Tensor, parameters: Tensors, grad_name):
    """drawn, with a place in the autograd graph: the gradient in what it was drawn by is zero."""
    never = p.full(drawn.shape, False, bool_, drawn.builder)
    for x in parameters:
        drawn = p.select(never, p.broadcast_to(p.cast(x, drawn.dtype), drawn.shape), drawn)
    return drawn


def _integers(state: Var, shape, low, span, dt) -> tuple[Var, Var]:
    """low + word mod span; spans of 2^28 and more use 64-bit words, for which the remainder is hardly skewed."""
    from ..dtypes import uint64
    n = math.prod(shape)
    if span >= 1 << 28:
        bits, state = p.random_bits(state, 2 * n)
        wide = p.reshape(p.cast(bits, uint64), (n, 2))
        high = p.reshape(p.slice_dim(wide, 1, 0, 1), (n,))
        low_word = p.reshape(p.slice_dim(wide, 1, 1, 2), (n,))
        word = p.bitwise_or(p.shift_left(high, 32), low_word)
        value = word if span >= 1 << 64 else p.remainder(word, span)
        return p.reshape(p.add(p.cast(value, int64), low), shape), state
    bits, state = p.random_bits(state, n)
    value = p.cast(p.remainder(bits, span), int64)
    return p.reshape(p.cast(p.add(value, low), dt) if low else p.cast(value, dt), shape), state


def randint(*args, generator=None, out=None, dtype=None, layout=None, device=None, requires_grad=False, low=None, high=None, size=None,
            pin_memory=False):
    """Random integers in [low, high): randint(high, size) or randint(low, high, size)."""
    given = list(args)
    size = given.pop() if size is None and given else size
    high = given.pop() if high is None and given else high
    low = given.pop() if low is None and given else low
    if given or not isinstance(size, (tuple, list)) or any(isinstance(x, (float, complex, str)) for x in (low, high)) or high is None:
        kinds = ", ".join(type(x).__name__ for x in args)
        raise TypeError(f"randint() received an invalid combination of arguments - got ({kinds}), but expected one of:\n"
                        " * (int high, tuple of ints size, *, …)\n * (int low, int high, tuple of ints size, *, …)")
    low, high = int(low or 0), int(high)
    if low >= high:
        raise RuntimeError(f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}")
    dt = int64 if dtype is None else dtype
    shape = as_shape((tuple(size),))

    def body(state, shape, low, span, dt):
        x, state = _integers(state, shape, low, span, int64 if dt.kind in "fb" else dt)
        return p.cast(x, dt), state
    g = _generator(generator, check_device(device))
    return _into(_finish(draw("randint", body, (shape, low, high - low, dt), (), g)[0], requires_grad), out)


def randperm(n, *, generator=None, out=None, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False):
    """A random permutation of 0 … n−1."""
    n = int(n)
    if n < 0:
        raise RuntimeError(f"Trying to create tensor with negative dimension {n}: [{n}]")
    dt = int64 if dtype is None else dtype

    def body(state, n, dt):
        order, state = p.random_permutation(state, n)
        return p.cast(order, dt), state
    return _into(_finish(draw("randperm", body, (n, dt), (), _generator(generator, check_device(device)))[0], requires_grad), out)


def _filled_like(fill: Any, input: Tensor, args: tuple, generator: Any, requires_grad: bool, options: dict) -> Tensor:
    """A tensor like `input`, in its order of memory too, filled by one of the methods below."""
    from .creation import empty_like
    made = fill(empty_like(input, **options), *args, generator=generator)
    return made.requires_grad_(True) if requires_grad else made


def rand_like(input, *, dtype=None, layout=None, device=None, requires_grad=False, memory_format=None, generator=None, pin_memory=False):
    """Uniform random numbers in [0, 1), in input's shape, dtype and order of memory."""
    return _filled_like(uniform_, input, (), generator, requires_grad,
                        {"dtype": dtype, "layout": layout, "device": device, "memory_format": memory_format})


def randn_like(input, *, dtype=None, layout=None, device=None, requires_grad=False, memory_format=None, generator=None, pin_memory=False):
    """Normal random numbers of mean 0 and variance 1, in input's shape, dtype and order of memory."""
    return _filled_like(normal_, input, (), generator, requires_grad,
                        {"dtype": dtype, "layout": layout, "device": device, "memory_format": memory_format})


def randint_like(input, *bounds, low=None, high=None, dtype=None, layout=None, device=None, requires_grad=False, memory_format=None,
                 generator=None, pin_memory=False):
    """Random integers in [0, high), or [low, high), in input's shape, dtype and order of memory: randint_like(input, high) or
    randint_like(input, low, high)."""
    given = [*bounds, *[b for b in (low, high) if b is not None]]
    if len(given) not in (1, 2) or low is not None and high is None:
        raise TypeError(f"randint_like() received an invalid combination of arguments - got {1 + len(given)}, but expected one of:\n"
                        " * (Tensor input, int high, *, …)\n * (Tensor input, int low, int high, *, …)")
    low, top = given if len(given) == 2 else (0, given[0])
    return _filled_like(random_, input, (low, top), generator, requires_grad,
                        {"dtype": dtype, "layout": layout, "device": device, "memory_format": memory_format})


# ------------------------------------------------------------------ in-place fills

def _fill(self: Tensor, values: Any) -> Tensor:
    """Writes values(shape, dtype) over self. Numbers are drawn in the order in which elements lie in memory."""
    check_writable(self)
    target = self if self._view is None else _in_memory_order(self)
    assign(target, follow(make_tensor(values(tuple(target.shape), self.dtype)), self))  # without elements, nothing is drawn and zeros are the host's
    if target is not self:
        self._refresh_node()
    return self


def _in_memory_order(t: Tensor) -> Tensor:
    """A view of t whose strides fall; t itself if they do."""
    order = _memory_order(t)
    return t if order == list(range(len(order))) else t.permute(order)  # type: ignore[attr-defined]


def _memory_order(t: Tensor) -> list[int]:
    """The dimensions from the largest stride to the smallest."""
    strides = t._geometry()[1]
    return sorted(range(len(strides)), key=lambda i: -strides[i])


def uniform_(self, from_=0, to=1, *, generator=None, **kwargs):
    """Fills self with uniform numbers in [from, to)."""
    from_ = kwargs.pop("from", from_)
    if from_ > to:
        raise RuntimeError(f"uniform_ expects to return a [from, to) range, but found from={from_} > to={to}")
    _float_dtype(self.dtype, "check_uniform_bounds")
    return _fill(self, lambda shape, dt: _uniform_values(shape, dt, from_, to, _generator(generator, device_of(self))))


def _affine(value: Value, mean: float, std: float, dt: dtype_class) -> Value:
    """value · std + mean, rounded to `dt`."""
    if mean == 0 and std == 1 and value.type.dtype is dt:
        return value
    key = ("affine", value.type, dt)
    spec = _specs.get(key)
    if spec is None:
        def body(x, mean, std):
            return p.cast(x * p.cast(std, x.dtype) + p.cast(mean, x.dtype), dt)
        graph, _ = trace_graph(body, [value.type, SCALAR_TYPES[float], SCALAR_TYPES[float]])
        spec = _specs[key] = Specialization("normal", "normal", graph, True)
    return record(spec, [value, float(mean), float(std)])[0]


def normal_(self, mean=0, std=1, *, generator=None):
    """Fills self with normal numbers."""
    if std < 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std:g}")
    _float_dtype(self.dtype, "normal_kernel_cpu")
    blocks = self.is_contiguous()
    return _fill(self, lambda shape, dt: normal_values(math.prod(shape), shape, dt, _generator(generator, device_of(self)), mean, std, blocks))


def normal(mean=0.0, std=1.0, size=None, *, generator=None, out=None, dtype=None, layout=None, device=None, requires_grad=False,
           pin_memory=False):
    """Normal numbers: of given size, or one for each element of the tensors mean and/or std."""
    if isinstance(mean, Tensor) or isinstance(std, Tensor):
        if isinstance(std, Tensor) and bool((std < 0).any()):  # type: ignore[operator]
            raise RuntimeError("normal expects all elements of std >= 0.0")
        from .rearrange import broadcast_tensors
        like = mean if isinstance(mean, Tensor) else std
        shape = tuple(like.shape)
        if isinstance(mean, Tensor) and isinstance(std, Tensor):
            shape = tuple(broadcast_tensors(mean, std)[0].shape)
        noise = make_tensor(normal_values(math.prod(shape), shape, like.dtype, _generator(generator, device_of(like))))
        given = [t for t in (mean, std) if isinstance(t, Tensor)]
        number = 3 if len(given) == 2 else 1 if given[0] is mean else 2
        return _into(_as_function_of((noise * std + mean).detach(), given, f"NormalBackward{number}"), out)
    if std < 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std:g}")
    shape = as_shape((tuple(size),))
    dt = _float_dtype(dtype, "normal_kernel_cpu")
    g = _generator(generator, check_device(device))
    return _into(_finish(normal_values(math.prod(shape), shape, dt, g, mean, std), requires_grad), out)


def random_(self, *args, generator=None, **kwargs):
    """Fills self with integers in [from, to); by default all that the dtype holds exactly."""
    low = kwargs.pop("from", args[0] if len(args) > 1 else None)
    high = kwargs.pop("to", args[-1] if args else None)
    dt = self.dtype
    if dt.kind == "c":
        raise not_implemented("random_kernel_cpu", dt)
    if high is None and low is None:
        low = 0
        limits = {float64: 1 << 53, float32: 1 << 24, float16: (1 << 11) + 1, bfloat16: (1 << 8) + 1, bool_: 2, int64: 1 << 63}
        high = limits.get(dt) or (1 << (dt.itemsize * 8 - (dt.kind == "i")))
    elif low is None:
        low = 0
    low, high = int(low), int(high)
    if low >= high:
        raise RuntimeError(f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}")

    def body(state, shape, low, span, dt):
        x, state = _integers(state, shape, low, span, int64 if dt.kind in "fb" else dt)
        return p.cast(x, dt), state
    g = _generator(generator, device_of(self))
    return _fill(self, lambda shape, dt: draw("random_", body, (shape, low, high - low, dt), (), g)[0])


def _bernoulli_body(state, probability, shape, dt):
    """A tensor of probabilities is compared with a draw of its own precision."""
    wide = float64 if probability.dtype is float64 else float32
    probability = p.require(probability, p.bitwise_and(p.ge(probability, 0), p.le(probability, 1)))
    u, state = uniform01(state, math.prod(shape), wide)
    hit = p.lt(p.reshape(u, shape), p.broadcast_to(p.cast(probability, wide), shape))
    return p.cast(hit, dt), state


def _bernoulli_number_body(state, probability, shape, dt):
    """One probability for all: a float64 draw each, two words."""
    u, state = uniform01(state, math.prod(shape), float64)
    return p.cast(p.lt(p.reshape(u, shape), p.broadcast_to(probability, shape)), dt), state


def bernoulli(input, p=None, *, generator=None, out=None):
    """Zeros and ones: 1 with the probability that each element of input gives, or with probability p."""
    shape = tuple(input.shape)
    if p is not None:
        from .creation import empty_like
        return bernoulli_(empty_like(input), p, generator=generator)
    if input.dtype.kind != "f":
        raise NotImplementedError(f"\"bernoulli_tensor_cpu_p_\" not implemented for '{input.dtype._legacy}'")
    if out is not None:
        return bernoulli_(resized(out, shape), input, generator=generator)
    value = input.detach()._value()
    drawn = draw("bernoulli", _bernoulli_body, (shape, input.dtype), (), _generator(generator, device_of(input)), (value,), _check_probabilities)
    return _as_function_of(make_tensor(drawn[0]), [input], "BernoulliBackward0")


def _check_probabilities(operands: list) -> None:
    value = operands[1]
    if value.__class__ is Value and value.buffer is not None:
        a = widen(value.buffer, value.type.dtype)
        if not ((a >= 0) & (a <= 1)).all():
            raise RuntimeError("Expected p_in >= 0 && p_in <= 1 to be true, but got false.")


def _check_probability(p) -> None:
    if not 0 <= p <= 1:
        raise RuntimeError(f"bernoulli_ expects p to be in [0, 1], but got p={p:g}")


def bernoulli_(self, p=0.5, *, generator=None):
    """Fills self with zeros and ones, 1 with probability p (a number, or a tensor of probabilities)."""
    g = _generator(generator, device_of(self))
    if self.dtype.kind == "c":
        raise not_implemented(f"bernoulli_{'tensor_cpu_self' if isinstance(p, Tensor) else 'scalar_cpu'}_", self.dtype)
    if isinstance(p, Tensor):
        order = _memory_order(self)
        value = p.detach().expand(self.shape).permute(order)._value()  # type: ignore[attr-defined]
        return _fill(self, lambda shape, dt: draw("bernoulli_", _bernoulli_body, (shape, dt), (), g, (value,),
                                                  _check_probabilities)[0])
    _check_probability(p)
    return _fill(self, lambda shape, dt: draw("bernoulli_", _bernoulli_number_body, (shape, dt), (float(p),), g)[0])


def _from_uniform(name: str, transform: Any) -> Any:
    """An in-place fill by a transform of float64 (or float32) uniforms and two numbers."""
    def body(state, a, b, shape, dt):
        u, state = uniform01(state, math.prod(shape), float64)
        return p.reshape(p.cast(transform(u, a, b), dt), shape), state

    def fill(self, a, b, generator):
        g = _generator(generator, device_of(self))
        return _fill(self, lambda shape, dt: draw(name, body, (shape, dt), (float(a), float(b)), g)[0])
    return fill


def _check_continuous(distribution: str, dt: dtype_class, spelled: str) -> None:
    if dt.kind != "f":
        raise RuntimeError(f"{distribution} distribution is a continuous probability distribution. dtype must be a floating point but "
                           f"you specified {spelled}")


_exponential = _from_uniform("exponential_", lambda u, rate, _: p.div(p.neg(p.log(p.select(p.ge(u, 1 - 2.0 ** -54), 1 - 2.0 ** -54, 1 - u))), rate))
_cauchy = _from_uniform("cauchy_", lambda u, median, sigma: p.tan((u - 0.5) * math.pi) * sigma + median)
_geometric = _from_uniform("geometric_", lambda u, q, _: p.ceil(p.div(p.log(u), p.log1p(p.neg(q)))))


def exponential_(self, lambd=1, *, generator=None):
    """Fills self with exponential numbers of rate lambd: −log(1 − u)/lambd."""
    if lambd <= 0:
        raise RuntimeError(f"exponential_ expects lambda > 0.0, but found lambda={lambd:g}")
    _check_continuous("Exponential", self.dtype, self.dtype._legacy)
    return _exponential(self, lambd, 0, generator)


def cauchy_(self, median=0, sigma=1, *, generator=None):
    """Fills self with Cauchy numbers: median + sigma·tan(π(u − ½))."""
    if sigma <= 0:
        raise RuntimeError(f"cauchy_ expects sigma > 0.0, but found sigma={sigma:g}")
    _check_continuous("Cauchy", self.dtype, self.dtype.c_name)
    return _cauchy(self, median, sigma, generator)


def geometric_(self, p, *, generator=None):
    """Fills self with the number of trials up to the first success of probability p: ⌈log u / log(1 − p)⌉."""
    if not 0 < p < 1:
        raise RuntimeError(f"geometric_ expects p to be in (0, 1), but got p={p:g}")
    if self.dtype.kind not in "fiu":
        raise not_implemented("geometric_cpu", self.dtype)
    return _geometric(self, p, 0, generator)


def log_normal_(self, mean=1, std=2, *, generator=None):
    """Fills self with exp of normal numbers."""
    if std <= 0:
        raise RuntimeError(f"log_normal_ expects std > 0.0, but found std={std:g}")
    if self.dtype.kind != "f":
        raise not_implemented("log_normal_cpu", self.dtype)
    n = self.numel()  # type: ignore[attr-defined]
    if not n:
        return self
    g = _generator(generator, device_of(self))
    return _fill(self, lambda shape, dt: _exponent(_affine(_one_by_one(n, (n,), float64, g), mean, std, float64), shape, dt))


def _exponent(value: Value, shape: tuple[int, ...], dt: dtype_class) -> Value:
    graph, _ = trace_graph(lambda x: p.reshape(p.cast(p.exp(x), dt), shape), [value.type])
    return record(Specialization("log_normal_", "log_normal_", graph, True), [value])[0]


# ------------------------------------------------------------------ draws from given distributions

def _check_multinomial(input: Tensor, num_samples: int, replacement: bool) -> None:
    """Raises PyTorch's errors; reads the probabilities."""
    if input.ndim not in (1, 2):
        raise RuntimeError("prob_dist must be 1 or 2 dim")
    if input.dtype.kind != "f":
        raise RuntimeError(f"multinomial only supports floating-point dtypes for input, got: {input.dtype._legacy}")
    if num_samples <= 0:
        raise RuntimeError("cannot sample n_sample <= 0 samples")
    if not replacement and num_samples > input.shape[-1]:
        raise RuntimeError("cannot sample n_sample > prob_dist.size(-1) samples without replacement")
    if input.shape[-1] > 1 << 24:
        raise RuntimeError("number of categories cannot exceed 2^24")
    from ..tensor.attributes import every_value
    values = every_value(input.detach().double())  # type: ignore[attr-defined]
    if not ((values >= 0) & (values < math.inf)).all():
        raise RuntimeError("probability tensor contains either `inf`, `nan` or element < 0")
    if not values.any(axis=-1).all():
        raise RuntimeError("invalid multinomial distribution (sum of probabilities <= 0)")


def _multinomial_body(state, weights, n):
    """Each uniform's place in the running sum of the probabilities."""
    rows, categories = weights.shape
    wide = weights.dtype if weights.dtype is float64 else float32
    running = p.cumsum(p.cast(weights, wide), 1)
    total = p.slice_dim(running, 1, categories - 1, categories)
    edges = p.cast(p.div(running, p.broadcast_to(total, running.shape)), float64)
    edges = p.concat([p.slice_dim(edges, 1, 0, categories - 1), p.full((rows, 1), 1.0, float64, state.builder)], 1)
    u, state = uniform01(state, rows * n, float64)
    return p.searchsorted(edges, p.reshape(u, (rows, n)), False), state


def multinomial(input, num_samples, replacement=False, *, generator=None, out=None):
    """`num_samples` indices for each row of input, (C) or (N, C), drawn with probabilities proportional to its values: int64.

    Without replacement the indices are those of the largest values of input / e, e exponential (Efraimidis and Spirakis 2006).
    RuntimeError for negative or infinite values, rows of zeros, and more samples than values without replacement.
    """
    _check_multinomial(input, num_samples, replacement)
    if out is not None and out.dtype is not int64:
        raise RuntimeError(f"multinomial expects Long tensor out, got: {out.dtype._legacy}")
    weights = input.detach()
    if not replacement or num_samples == 1:
        from .creation import empty_like
        scores = weights / exponential_(empty_like(weights), generator=generator)
        result = scores.argmax(-1, True) if num_samples == 1 else scores.topk(num_samples, -1)[1]
    else:
        rows = weights if weights.ndim == 2 else weights.reshape(1, -1)
        result = make_tensor(draw("multinomial", _multinomial_body, (num_samples,), (), _generator(generator, device_of(rows)), (rows._value(),))[0])
        result = result if weights.ndim == 2 else result.reshape(-1)
    return _into(result, out)


def _poisson_body(state, rates):
    values, state = p.random_poisson(state, p.cast(rates, float64))
    return p.cast(values, rates.dtype), state


def poisson(input, generator=None):
    """Poisson numbers, of the rate that each element of input gives; RuntimeError for negative rates."""
    _float_dtype(input.dtype, "poisson_cpu")
    from ..tensor.attributes import every_value
    if not (every_value(input.detach().double()) >= 0).all():
        raise RuntimeError("invalid Poisson rate, expected rate to be non-negative")
    drawn = draw("poisson", _poisson_body, (), (), _generator(generator, device_of(input)), (input.detach()._value(),))[0]
    return _as_function_of(make_tensor(drawn), [input], "PoissonBackward0")


METHODS = {"uniform_": uniform_, "normal_": normal_, "random_": random_, "bernoulli": bernoulli, "bernoulli_": bernoulli_,
           "multinomial": multinomial, "exponential_": exponential_, "cauchy_": cauchy_, "geometric_": geometric_, "log_normal_": log_normal_}
