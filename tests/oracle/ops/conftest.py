"""`agree("t.sum(x, 1)")`: one expression, run with `t` as PyTorch and as flambeau on the same inputs, must give the
same.

Compared are types, dtypes, shapes, strides of views, values, names of autograd nodes, gradients, and the class of what
is raised.
"""
import re
import warnings

import numpy as np
import pytest

import flambeau

TOLERANCES = {"float16": (2e-3, 1e-3), "bfloat16": (2e-2, 1e-2), "float32": (1e-4, 1e-5), "complex64": (1e-4, 1e-5)}


def arrays(seed=0):
    """The inputs that expressions may name. Floats are distinct unless they say otherwise."""
    r = np.random.default_rng(seed)
    return {
        "x": r.permutation(12).reshape(3, 4) / 4 - 1.3,       # a matrix
        "y": r.permutation(12).reshape(3, 4) / 5 - 0.9,       # another
        "z": r.permutation(24).reshape(2, 3, 4) / 6 - 1.7,    # three dimensions
        "v": r.permutation(5) / 3 - 0.5,                      # a vector
        "s": np.asarray(0.7),                                 # a scalar
        "e": np.zeros((0, 3)),                                # nothing
        "ties": r.integers(0, 3, (3, 4)) - 1.0,               # repeated values and zeros
        "u": r.random((3, 4)) * 0.9 + 0.05,                   # between 0 and 1
        "p": r.random((3, 4)) * 5 + 0.1,                      # positive
        "ext": np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1, -1, 0.5, -0.5, 1.5, 2.5, -2.5, 1e-3]),
        "nans": np.where(r.random((3, 4)) < 0.3, np.nan, r.random((3, 4))),
    }


FIXED = {
    "i": np.array([2, 0, 1, 2]), "j": np.array([[0, 1], [2, 0]]), "k": np.array([1, -1]), "counts": np.array([2, 0, 3]),
    # positions that are out of range somewhere
    "i9": np.array([2, 9, 1, 2]),
    "low": np.array([[0, -9, 1, 0], [1, 1, 0, 2]]), "far": np.array([[0, 9, 1, 0], [1, 1, 0, 2]]),
    "k99": np.array([1, 99]),
    "rows": np.array([[0, 2, 1, 0], [1, 1, 0, 2]]),
    "mask": np.array([[True, False, True, False]] * 2 + [[False, True, True, True]]),
    "bits": np.array([True, False, True]), "q": np.array([0.1, 0.5, 1.0]), "edges": np.array([-1.0, 0.0, 0.5, 2.0]),
}


def make(module, array, dtype=None):
    """A tensor of `module` with a copy of array, as dtype if given."""
    t = module.from_numpy(np.array(array))
    return t if dtype is None else t.to(getattr(module, dtype))


def environment(module, dtype, grad, expression):
    """What an expression names: the module `t`, inputs of `dtype`, and fixed integers, masks and numbers."""
    words = set(re.findall(r"\w+", expression))
    made = {name: make(module, a, "float64" if a.dtype.kind == "f" else None) for name, a in FIXED.items() if name in words}
    if "edges" in made:
        made["edges"] = made["edges"].to(module.float32)
    if "q32" in words:
        made["q32"] = make(module, FIXED["q"], "float32")
    for name, a in arrays().items():
        if name not in words:
            continue
        if dtype in ("int64", "uint8", "int32"):
            a = np.nan_to_num(a * 6, posinf=90, neginf=-90).astype(np.int64)
        x = make(module, a, dtype)
        if dtype.startswith("complex"):
            x = x * make(module, np.asarray(1 + 0.5j), dtype)
        made[name] = x.requires_grad_(True) if grad else x
    return {"t": module, **made}


def leaves(result):
    if isinstance(result, (tuple, list)):
        return [leaf for r in result for leaf in leaves(r)]
    return [result]


def numbers(t):
    t = t.detach()
    wide = {"torch.bfloat16": "float", "torch.complex32": "cfloat"}.get(str(t.dtype))
    return np.asarray((getattr(t, wide)() if wide else t.resolve_conj()).numpy(force=True))


def node_name(t):
    return None if t.grad_fn is None else t.grad_fn.name().rpartition(":")[2]


def run(expression, module, dtype, grad):
    """(result or exception, the inputs)."""
    names = environment(module, dtype, grad, expression)
    before = dict(names)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            if expression.startswith("do "):
                exec(expression[3:], names)
                result = names["out"]
            else:
                result = eval(expression, names)
        except Exception as error:
            result = error
    return result, before


def close(want, got, dtype):
    rtol, atol = TOLERANCES.get(dtype, (1e-10, 1e-12))
    np.testing.assert_allclose(got, want, rtol=rtol, atol=atol)


def compare_leaves(expression, want, got, names, views):
    want_leaves, got_leaves = leaves(want), leaves(got)
    assert len(want_leaves) == len(got_leaves), expression
    for a, b in zip(want_leaves, got_leaves):
        if not hasattr(a, "detach"):
            assert a == b
            continue
        assert str(a.dtype) == str(b.dtype), (expression, a.dtype, b.dtype)
        assert tuple(a.shape) == tuple(b.shape), (expression, a.shape, b.shape)
        close(numbers(a), numbers(b), str(a.dtype)[6:])
        if names:
            assert node_name(a) == node_name(b), expression
        if views:
            assert (a.stride(), a.storage_offset()) == (b.stride(), b.storage_offset()), expression


def gradients(result, inputs, module):
    """The gradients of a weighted sum of the differentiable results in every input that has one."""
    total = None
    for leaf in leaves(result):
        if hasattr(leaf, "requires_grad") and leaf.requires_grad:
            weights = make(module, 0.5 + 0.01 * (np.arange(int(np.prod(leaf.shape))) % 7).reshape(tuple(leaf.shape)))
            term = leaf.real + leaf.imag if str(leaf.dtype).startswith("torch.complex") else leaf
            term = (term * weights.to(term.dtype)).sum()
            total = term if total is None else total + term
    if total is None:
        return None
    names = [n for n, x in inputs.items() if n != "t" and x.requires_grad]
    found = module.autograd.grad(total, [inputs[n] for n in names], allow_unused=True)
    return dict(zip(names, found))


@pytest.fixture
def agree():
    """agree(expression, dtype="float64", names=False, views=False): see the module's docstring. "do …" runs statements
    that set `out`."""
    torch = pytest.importorskip("torch")

    def check(expression, dtype="float64", names=False, views=False):
        grad = dtype.startswith(("float", "complex", "bfloat")) and not expression.startswith("do ")
        want, inputs = run(expression, torch, dtype, grad)
        got, our_inputs = run(expression, flambeau, dtype, grad)
        if isinstance(want, NotImplementedError) or "does not support automatic differentiation" in str(want):
            return  # a type that PyTorch lacks
        if isinstance(want, Exception) or isinstance(got, Exception):
            assert isinstance(got, type(want)), f"{expression} [{dtype}]: PyTorch {want!r}, flambeau {got!r}"
            return
        compare_leaves(expression, want, got, names, views)
        if grad:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    wanted = gradients(want, inputs, torch)
            except RuntimeError:
                return  # a gradient that PyTorch lacks
            ours = gradients(got, our_inputs, flambeau)
            assert (wanted is None) == (ours is None), expression
            for name, g in (wanted or {}).items():
                h = ours[name]
                zero = np.zeros(tuple(inputs[name].shape))
                close(zero if g is None else numbers(g), zero if h is None else numbers(h), dtype)
    return check
