"""Subclasses of Tensor against PyTorch: the class of results, which function a handler is given, copies."""
import copy
import io
import operator
import pickle

import pytest

torch = pytest.importorskip("torch")

import flambeau  # noqa: E402

BOTH = (torch, flambeau)


def _logging(t):
    """A subclass that notes the calls it sees."""
    class Logging(t.Tensor):
        log = []

        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            cls.log.append((t.overrides.resolve_name(func).replace("torch.functional.", "torch."), tuple(k.__name__ for k in types if k is not t.Tensor)))
            return super().__torch_function__(func, types, args, kwargs)
    return Logging


def _kind(result):
    return [_kind(x) for x in result] if isinstance(result, (tuple, list)) else type(result).__name__


def _seen(t, call, dtype="float32"):
    """(the calls that are seen, the kind of the result) of call(t, x) for an instance x of a logging subclass."""
    cls = _logging(t)
    x = t.tensor([[4.0, 2.0], [1.0, 3.0]]).to(getattr(t, dtype)).as_subclass(cls)
    result = call(t, x)
    log = list(cls.log)
    with t._C.DisableTorchFunction():
        return log, _kind(result)


CALLS = {
    **{name: (lambda name: lambda t, x: getattr(t, name)(x))(name) for name in
       "abs acos argmax argmin atan ceil clone cos count_nonzero detach det diag diagonal erf exp expm1 flatten floor inverse isfinite isinf isnan isreal "
       "log log1p max mean median min nansum neg nonzero numel ones_like prod rand_like ravel reciprocal relu round rsqrt sigmoid sign sin sort sqrt "
       "square squeeze std sum t tanh tril triu unbind var zeros_like".split()},
    **{"method " + name: (lambda name: lambda t, x: getattr(x, name)())(name) for name in
       "abs abs_ ceil clone contiguous cos detach dim double exp exp_ flatten int is_contiguous max mean min neg nonzero numel relu relu_ "
       "requires_grad_ sigmoid size sort sqrt squeeze storage_offset stride sum t tanh tolist numpy trace tril unbind zero_ is_floating_point element_size"
       .split()},
    **{"operator " + name: (lambda name: lambda t, x: getattr(operator, name)(x, 2))(name) for name in
       "add sub mul truediv floordiv mod pow lt le eq ne gt ge iadd isub imul itruediv ifloordiv imod".split()},
    **{"reflected " + name: (lambda name: lambda t, x: getattr(operator, name)(2, x))(name) for name in
       "add sub mul truediv floordiv mod pow".split()},
    **{"of a plain tensor " + name: (lambda name: lambda t, x: getattr(operator, name)(t.ones(2, 2), x))(name) for name in
       "add sub mul truediv matmul lt".split()},
    **{"property " + name: (lambda name: lambda t, x: getattr(x, name))(name) for name in
       "shape dtype device ndim T mT data grad requires_grad is_leaf grad_fn layout is_cuda is_sparse itemsize nbytes real is_meta".split()},
    "linear": lambda t, x: t.nn.functional.linear(x, x),
    "relu": lambda t, x: t.nn.functional.relu(x),
    "softmax": lambda t, x: t.nn.functional.softmax(x, -1),
    "dropout": lambda t, x: t.nn.functional.dropout(x, 0.5),
    "layer_norm": lambda t, x: t.nn.functional.layer_norm(x, (2,)),
    "mse_loss": lambda t, x: t.nn.functional.mse_loss(x, t.ones(2, 2)),
    "cross_entropy": lambda t, x: t.nn.CrossEntropyLoss()(x, t.tensor([0, 1])),
    "Linear": lambda t, x: t.nn.Linear(2, 2)(x),
    "cat": lambda t, x: t.cat([x, t.ones(2, 2)]),
    "stack": lambda t, x: t.stack((x, x)),
    "einsum": lambda t, x: t.einsum("ij->i", x),
    "where": lambda t, x: t.where(t.ones(2, 2) > 0, x, x),
    "out": lambda t, x: t.add(t.ones(2, 2), 1, out=x),
    "index": lambda t, x: x[0],
    "index by": lambda t, x: t.ones(5)[x.long()],
    "assignment": lambda t, x: x.__setitem__(0, 1.0),
    "into a plain tensor": lambda t, x: t.zeros(2, 2).__setitem__(0, x[0]),
    "len": lambda t, x: len(x),
    "iteration": lambda t, x: [type(row).__name__ for row in x],
    "contains": lambda t, x: 1 in x,
    "bool": lambda t, x: bool(x[0, 0]),
    "float": lambda t, x: float(x[0, 0]),
    "format": lambda t, x: f"{x[0, 0]}",
    "repr": lambda t, x: repr(x),
    "hash": lambda t, x: hash(x) and None,
    "keyword": lambda t, x: t.sum(x, dim=0),
    "max of a dimension": lambda t, x: t.max(x, 0),
    "split": lambda t, x: x.split(1),
    "to": lambda t, x: x.to(t.float64),
    "new_zeros": lambda t, x: x.new_zeros(2),
    "reshape": lambda t, x: t.reshape(x, (4,)),
    "view": lambda t, x: x.view(4),
    "is_tensor": lambda t, x: t.is_tensor(x),
    "tensor": lambda t, x: t.as_tensor(x),
    "linalg": lambda t, x: t.linalg.det(x),
    "fft": lambda t, x: t.fft.fft(x),
    "special": lambda t, x: t.special.i0e(x),
    "topk": lambda t, x: t.topk(x, 1),
    "plain alias": lambda t, x: x.as_subclass(t.Tensor),
    "set requires_grad": lambda t, x: setattr(x, "requires_grad", True),
    "set data": lambda t, x: setattr(x, "data", t.zeros(2, 2)),
    "backward": lambda t, x: x.detach().requires_grad_().sum().backward(),
    "Parameter": lambda t, x: t.nn.Parameter(x),
}
# PyTorch's own helpers are seen there, ours here: only the kind of the result is the same
OTHER_CALLS = {"iteration"}


@pytest.mark.parametrize("name", CALLS)
def test_what_a_handler_sees(name):
    expected, ours = _seen(torch, CALLS[name]), _seen(flambeau, CALLS[name])
    assert ours[1] == expected[1]
    if name not in OTHER_CALLS:
        assert ours[0] == expected[0]


@pytest.mark.parametrize("name", "and_ or_ xor lshift rshift iand ior ixor".split())
def test_bitwise_operators(name):
    def call(t, x):
        return getattr(operator, name)(x, 2)
    assert _seen(flambeau, call, "int64") == _seen(torch, call, "int64")


def _plain(t):
    class Plain(t.Tensor):
        pass
    return Plain


@pytest.mark.parametrize("make", [lambda t, c: c([1.0, 2.0]), lambda t, c: c(2, 3), lambda t, c: c(t.ones(2)), lambda t, c: c(),
                                  lambda t, c: t.Tensor._make_subclass(c, t.ones(2)), lambda t, c: t.Tensor._make_subclass(c, t.ones(2), True),
                                  lambda t, c: t.ones(2).as_subclass(c), lambda t, c: t.ones(2, requires_grad=True).as_subclass(c)])
def test_instances(make):
    seen = []
    for t in BOTH:
        x = make(t, _plain(t))
        seen.append((type(x).__name__, tuple(x.shape), x.requires_grad, x.is_leaf, type(x + 1).__name__, type(x.detach()).__name__))
    assert seen[0] == seen[1]


def test_repr_and_gradients():
    seen = []
    for t in BOTH:
        x = t.ones(2).as_subclass(_plain(t)).requires_grad_()
        y = x * 3 + 1
        y.sum().backward()
        seen.append((repr(x), repr(y), repr(y.detach()), type(x.grad).__name__, x.grad.tolist(), y.grad_fn.name()))
    assert seen[0] == seen[1]


def test_mixed_classes():
    seen = []
    for t in BOTH:
        class A(t.Tensor):
            pass

        class B(A):
            pass

        class C(t.Tensor):
            pass
        a, b, c = (t.ones(2).as_subclass(k) for k in (A, B, C))
        results = [type(a + b).__name__, type(b + a).__name__, type(t.cat([a, b])).__name__]
        for call in (lambda: t.add(a, c), lambda: t.cat([c, b])):
            with pytest.raises(TypeError) as error:
                call()
            results.append(str(error.value).split("\n")[0])
        results.append(type(t.nn.Parameter(a)).__name__ + str(isinstance(t.nn.Parameter(a), t.nn.Parameter)))
        results.append(type(t.nn.Parameter(t.ones(2)) + 1).__name__)

        class P(t.nn.Parameter):
            pass
        results.append(type(P(t.ones(2)) + 1).__name__)
        results.append(type(t.nn.Parameter(t.ones(2)) + a).__name__)
        seen.append(results)
    assert seen[0] == seen[1]


class TorchKept(torch.Tensor):
    pass


class OurKept(flambeau.Tensor):
    pass


@pytest.mark.parametrize("t, cls", [(torch, TorchKept), (flambeau, OurKept)])
def test_copies_keep_class_and_attributes(t, cls):
    x = t.ones(3).as_subclass(cls)
    x.note = "kept"
    for y in (copy.copy(x), pickle.loads(pickle.dumps(x))):
        assert (type(y), y.note, y.tolist()) == (cls, "kept", [1.0, 1.0, 1.0])
    assert not hasattr(x + 1, "note") and not hasattr(x.clone(), "note")
    file = io.BytesIO()
    t.save({"x": x}, file)
    file.seek(0)
    y = t.load(file, weights_only=False)["x"]
    assert (type(y), y.note) == (cls, "kept")


def test_modules_and_collation():
    seen = []
    for t in BOTH:
        kind = _plain(t)
        module = t.nn.Module()
        module.weight = t.nn.Parameter(t.ones(2).as_subclass(kind))
        module.register_buffer("state", t.ones(2).as_subclass(kind))
        module.plain = t.ones(2).as_subclass(kind)
        state = module.state_dict()
        from importlib import import_module
        collate = import_module(t.__name__ + ".utils.data").default_collate
        batch = collate([t.ones(2).as_subclass(kind)] * 2)
        seen.append((list(state), [type(v).__name__ for v in state.values()], [type(p).__name__ for p in module.parameters()],
                     isinstance(module.weight, t.nn.Parameter), type(module.weight * 2).__name__, repr(module.weight), type(batch).__name__,
                     type(module.double().state).__name__))
    assert seen[0] == seen[1]
