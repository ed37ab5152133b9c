"""PyTorch's own operator database (`op_db`) put to flambeau: its samples and its bad inputs, run by both.

`disagreements(op, …)` lists where they differ. Functions are found by identity: what PyTorch has at `torch.linalg.inv`,
flambeau has at `flambeau.linalg.inv`. The database's own lambdas are rebuilt on flambeau's namespace.
"""
import sys
import types
import unittest
import warnings

import numpy as np
import torch

import flambeau

NAMESPACES = ("", "nn.functional", "linalg", "special", "fft", "signal.windows", "masked", "sparse", "Tensor")
# (rtol, atol) by dtype; atol grows with the largest value, too
TOLERANCES = {"float16": (4e-3, 2e-3), "bfloat16": (3e-2, 2e-2), "float32": (2e-4, 2e-5), "complex64": (2e-4, 2e-5)}
LARGEST = 20_000  # elements of a sample that is run


class NoCounterpart(Exception):
    """Something of PyTorch's that has no name in its public namespaces, or is not of this machine."""


class Disagreement(Exception):
    """Where a result differs."""


NOT_PUBLIC = ("_", "jiterator", "torch.", "native_dropout_backward", "slice")


def operator_database():
    """The database's public operators; None where this PyTorch cannot load it. Its one foreign dependency, which it needs not, is stood in for."""
    try:
        import expecttest  # noqa: F401
    except ImportError:
        stand_in = types.ModuleType("expecttest")
        stand_in.TestCase = unittest.TestCase
        sys.modules["expecttest"] = stand_in
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from torch.testing._internal.common_methods_invocations import op_db
    except ImportError:
        return None
    return [op for op in op_db if not op.name.startswith(NOT_PUBLIC) or op.name.startswith("__")]


# ------------------------------------------------------------------ functions

def _attribute(module, path):
    for part in path.split(".") if path else ():
        module = getattr(module, part)
    return module


def _paths():
    found = {}
    for space in NAMESPACES:
        room = _attribute(torch, space)
        for name in sorted(dir(room), key=lambda n: (n.startswith("_"), n == "dsmm", n)):
            value = getattr(room, name, None)
            if callable(value) and getattr(value, "__hash__", None):
                found.setdefault(value, f"{space}.{name}".lstrip("."))
    return found


_PATHS = _paths()
_rebuilt = {}


def counterpart(x):
    """flambeau's object for one of PyTorch's: a module, a function, a dtype. Others as they are."""
    if isinstance(x, types.ModuleType):
        ours = x.__name__ == "torch" or x.__name__.startswith("torch.") and "testing" not in x.__name__
        return _attribute(flambeau, x.__name__[6:]) if ours else x
    if isinstance(x, (torch.dtype, torch.memory_format, torch.layout)):
        return getattr(flambeau, str(x)[6:])
    if not callable(x) or isinstance(x, type):
        return x
    if x in _PATHS:
        return _attribute(flambeau, _PATHS[x])
    if getattr(x, "__name__", "") == "wrapper_set_seed":
        return _with_seed
    if isinstance(x, types.FunctionType) and "torch.testing" in (x.__module__ or ""):
        return _rebuild(x)
    if isinstance(x, types.BuiltinFunctionType) and x.__module__ in ("_operator", "builtins"):
        return x
    raise NoCounterpart(repr(x))


def _with_seed(function, *args, **kwargs):
    state = flambeau.get_rng_state()
    flambeau.manual_seed(42)
    try:
        return function(*args, **kwargs)
    finally:
        flambeau.set_rng_state(state)


def _rebuild(function):
    """A function of the database's with flambeau for torch in what it reads."""
    if function in _rebuilt:
        return _rebuilt[function]
    names, codes = set(), [function.__code__]
    for code in codes:
        names.update(code.co_names)
        codes += [c for c in code.co_consts if isinstance(c, types.CodeType)]
    space = {"__builtins__": __builtins__}
    cells = tuple(types.CellType(_or_itself(c.cell_contents)) for c in function.__closure__ or ()) or None
    made = types.FunctionType(function.__code__, space, function.__name__, function.__defaults__, cells)
    made.__kwdefaults__ = function.__kwdefaults__
    _rebuilt[function] = made
    space.update({n: _or_itself(function.__globals__[n]) for n in names if n in function.__globals__})
    return made


def _or_itself(x):
    try:
        return counterpart(x)
    except (NoCounterpart, AttributeError, TypeError):
        return x


# ------------------------------------------------------------------ arguments

def translated(x, known):
    """x for flambeau, its tensors as tensors with the same strides. known: those made so far, by identity."""
    if isinstance(x, torch.Tensor):
        if id(x) not in known:
            t = _tensor(x.detach())
            known[id(x)] = t.detach().requires_grad_(True) if x.requires_grad else t
        return known[id(x)]
    if isinstance(x, torch.Size):
        return flambeau.Size(x)
    if isinstance(x, torch.device):
        return flambeau.device(str(x))
    if isinstance(x, torch.Generator):
        return flambeau.Generator().manual_seed(x.initial_seed())
    if type(x) in (list, tuple):
        return type(x)(translated(y, known) for y in x)
    if isinstance(x, dict):
        return {k: translated(v, known) for k, v in x.items()}
    return counterpart(x)


def _tensor(x):
    if x.layout is not torch.strided or x.device.type != "cpu" or x.dtype.itemsize == 1 and x.is_floating_point():
        raise NoCounterpart(f"a tensor of {x.layout}, {x.dtype}")
    if x.ndim > 64:
        raise NoCounterpart("more dimensions than NumPy has")
    if x.is_conj():
        return _tensor(x.conj()).conj()
    x = x.resolve_neg()
    dense = x.is_contiguous()
    flat = x if dense else torch.empty(0, dtype=x.dtype).set_(x.untyped_storage())
    if x.dtype is torch.bfloat16:
        t = flambeau.from_numpy(flat.float().numpy()).bfloat16()
    elif x.dtype is torch.complex32:
        t = flambeau.from_numpy(flat.cfloat().numpy()).to(flambeau.complex32)
    else:
        t = flambeau.from_numpy(flat.clone().numpy())
    return t if dense else t.as_strided(tuple(x.shape), x.stride(), x.storage_offset())


def copied(x, known):
    """x with tensors of its own, in the same order of memory."""
    if isinstance(x, torch.Tensor):
        if id(x) not in known:
            known[id(x)] = x.detach().clone().requires_grad_(x.requires_grad)
        return known[id(x)]
    if type(x) in (list, tuple):
        return type(x)(copied(y, known) for y in x)
    if isinstance(x, dict):
        return {k: copied(v, known) for k, v in x.items()}
    return x


def tensors_of(x, kind):
    """All tensors in x, in order."""
    if isinstance(x, kind):
        return [x]
    parts = x.values() if isinstance(x, dict) else x if isinstance(x, (tuple, list)) else ()
    return [t for part in parts for t in tensors_of(part, kind)]


# ------------------------------------------------------------------ results

def numbers(t):
    """The values of a tensor of either library, as an array of its own."""
    t = t.detach()
    t = t.to_dense() if "sparse" in str(t.layout) else t
    wide = {"torch.bfloat16": "float", "torch.complex32": "cfloat"}.get(str(t.dtype))
    t = getattr(t, wide)() if wide else t
    return np.array(t.resolve_conj().resolve_neg().numpy(force=True))


def _close(want, got, dtype):
    if want.dtype.kind not in "fc":
        return np.array_equal(want, got)
    rtol, atol = TOLERANCES.get(dtype, (1e-7, 1e-7))
    finite = np.isfinite(want)
    largest = np.abs(want[finite]).max() if finite.any() else 0.0
    if want.dtype.kind == "c":  # which part of a number is infinite or NaN is not compared
        return np.array_equal(finite, np.isfinite(got)) and np.allclose(want[finite], got[finite], rtol, atol + rtol * largest / 10)
    with np.errstate(all="ignore"):
        return np.allclose(want, got, rtol, atol + rtol * largest / 10, equal_nan=True)


def compare(want, got, values=True):
    """Disagreement where structure, shape, dtype or value differ."""
    if isinstance(want, torch.Tensor):
        if not isinstance(got, flambeau.Tensor):
            raise Disagreement(f"not a tensor: {type(got).__name__}")
        if tuple(want.shape) != tuple(got.shape) or str(want.dtype) != str(got.dtype):
            raise Disagreement(f"wanted {want.dtype} {tuple(want.shape)}, got {got.dtype} {tuple(got.shape)}")
        if values and not _close(numbers(want), numbers(got), str(want.dtype)[6:]):
            raise Disagreement("values differ")
    elif isinstance(want, (tuple, list)):
        if not isinstance(got, (tuple, list)) or len(want) != len(got):
            raise Disagreement(f"not {len(want)} results")
        for a, b in zip(want, got):
            compare(a, b, values)
    elif isinstance(want, float):
        if values and not np.isclose(want, got, 1e-5, equal_nan=True):
            raise Disagreement(f"wanted {want}, got {got}")
    elif not isinstance(want, torch.dtype) and (want != got or type(want) is not type(got)):
        raise Disagreement(f"wanted {want!r}, got {got!r}")


def _weighted_sum(module, results):
    """A number that depends on all elements of the differentiable results, each in its own way; None where there are none."""
    total = None
    for leaf in tensors_of(results, module.Tensor):
        if leaf.requires_grad:
            leaf = leaf.real + leaf.imag if leaf.is_complex() else leaf
            leaf = leaf.float() if leaf.dtype in (module.float16, module.bfloat16) else leaf
            weights = module.from_numpy((0.5 + 0.01 * (np.arange(leaf.numel()) % 7)).reshape(tuple(leaf.shape)))
            term = (leaf * weights.to(leaf.dtype)).sum().double()
            total = term if total is None else total + term
    return total


def gradients(module, function, finish, args, kwargs, order=1):
    """The gradients of a weighted sum of the differentiable results in the arguments; None where there is none. order 2: those
    of a weighted sum of the gradients."""
    inputs = [t for t in tensors_of([args, kwargs], module.Tensor) if t.requires_grad]
    found = finish(function(*args, **kwargs))
    for remaining in reversed(range(order)):
        total = _weighted_sum(module, found)
        if total is None or not inputs:
            return None
        found = module.autograd.grad(total, inputs, allow_unused=True, create_graph=remaining > 0)
    return [module.zeros_like(t) if g is None else g for t, g in zip(inputs, found)]


# ------------------------------------------------------------------ one operator

def _outcome(module, run):
    """(result, None) or (None, what was raised), from the same seed."""
    module.manual_seed(7)
    try:
        return run(), None
    except Exception as error:
        return None, error


def _arguments(sample):
    """(args, kwargs, flambeau's args and kwargs) of a sample, with tensors of their own."""
    args, kwargs = copied([[sample.input, *sample.args], sample.kwargs], {})
    return args, kwargs, *translated([args, kwargs], {})


def _gradient(op, function, sample, order):
    """What differs in a sample's gradients."""
    args, kwargs, ours, our_kwargs = _arguments(sample)
    finish = sample.output_process_fn_grad
    want, refused = _outcome(torch, lambda: gradients(torch, op.op, finish, args, kwargs, order))
    if refused is None and want is not None:
        got, raised = _outcome(flambeau, lambda: gradients(flambeau, function, counterpart(finish), ours, our_kwargs, order))
        if raised is not None:
            return f"gradient raised {raised!r}"
        if got is None:
            got = [flambeau.zeros_like(t) for t in tensors_of([ours, our_kwargs], flambeau.Tensor) if t.requires_grad]
        compare(want, got)
    return None


def _sample(op, function, sample, values):
    """What differs on one good sample, as a sentence; None if nothing does, or PyTorch refuses it."""
    args, kwargs, ours, our_kwargs = _arguments(sample)
    want, refused = _outcome(torch, lambda: op.op(*args, **kwargs))
    if refused is not None:
        return None
    got, raised = _outcome(flambeau, lambda: function(*ours, **our_kwargs))
    if raised is not None:
        return f"raised {raised!r}"
    try:
        compare(want, got, values)
        if any(t.requires_grad for t in tensors_of([args, kwargs], torch.Tensor)):
            return _gradient(op, function, sample, 1)
    except Disagreement as difference:
        return str(difference)
    return None


def disagreements(op, dtypes, count, values=True):
    """(samples and bad inputs run, sentences on those that differ): `count` samples, evenly spaced, of each dtype."""
    function = counterpart(op.op)
    ran, found = 0, []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for dtype in [d for d in dtypes if d in op.supported_dtypes("cpu")]:
            torch.manual_seed(0)
            differentiable = op.supports_autograd and dtype in op.supported_backward_dtypes("cpu") and (dtype.is_floating_point or dtype.is_complex)
            samples = list(op.sample_inputs("cpu", dtype, requires_grad=differentiable))
            for i in range(0, len(samples), -(-len(samples) // count)):
                if sum(t.numel() for t in tensors_of([samples[i].input, samples[i].args, samples[i].kwargs], torch.Tensor)) <= LARGEST:
                    ran += 1
                    try:
                        difference = _sample(op, function, samples[i], values)
                    except NoCounterpart:
                        continue
                    if difference:
                        found.append(f"{op.name} {dtype} sample {i}: {difference}")
        for case in op.error_inputs("cpu") if op.error_inputs_func is not None else ():
            sample = case.sample_input
            args, kwargs = [sample.input, *sample.args], sample.kwargs
            try:
                ours, our_kwargs = translated([args, kwargs], {})
            except NoCounterpart:
                continue
            _, want = _outcome(torch, lambda: op.op(*args, **kwargs))
            _, got = _outcome(flambeau, lambda: function(*ours, **our_kwargs))
            ran += 1
            if want is not None and not isinstance(got, type(want)):
                found.append(f"{op.name} bad input: PyTorch {want!r}, flambeau {got!r}")
    return ran, found


def second_disagreements(op, dtype, count):
    """(samples run, sentences on those whose second gradients differ): `count` samples, evenly spaced."""
    function = counterpart(op.op)
    if not op.supports_gradgrad or dtype not in op.supported_backward_dtypes("cpu"):
        return 0, []
    ran, found = 0, []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        samples = list(op.sample_inputs("cpu", dtype, requires_grad=True))
        for i in range(0, len(samples), -(-len(samples) // count)):
            if sum(t.numel() for t in tensors_of([samples[i].input, samples[i].args, samples[i].kwargs], torch.Tensor)) > LARGEST:
                continue
            ran += 1
            try:
                difference = _gradient(op, function, samples[i], 2)
            except NoCounterpart:
                continue
            except Disagreement as differing:
                difference = str(differing)
            if difference:
                found.append(f"{op.name} {dtype} sample {i}: {difference}")
    return ran, found
