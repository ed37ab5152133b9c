"""Classes that are no tensors but override functions, and modes, against PyTorch: the examples of its page on extending torch."""
import copy
import functools

import pytest

torch = pytest.importorskip("torch")

import flambeau  # noqa: E402

BOTH = (torch, flambeau)


def _scalar_tensors(t):
    """(class, its table) of tensors that are one number times the identity matrix, as PyTorch's page has them."""
    handled = {}

    def implements(function):
        def decorate(f):
            functools.update_wrapper(f, function)
            handled[function] = f
            return f
        return decorate

    class ScalarTensor:
        def __init__(self, n, value):
            self._n, self._value = n, value

        def tensor(self):
            return self._value * t.eye(self._n)

        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            if func not in handled or not all(issubclass(k, (t.Tensor, ScalarTensor)) for k in types):
                return NotImplemented
            return handled[func](*args, **(kwargs or {}))

    @implements(t.mean)
    def mean(input):
        return float(input._value) / input._n

    @implements(t.add)
    def add(input, other):
        if isinstance(input, ScalarTensor) and isinstance(other, ScalarTensor):
            return ScalarTensor(input._n, input._value + other._value)
        return t.add(*[x.tensor() if isinstance(x, ScalarTensor) else x for x in (input, other)])

    @implements(t.nn.functional.relu)
    def relu(input, inplace=False):
        return ScalarTensor(input._n, max(input._value, 0))

    @implements(t.reshape)
    def reshape(input, shape):
        return input.tensor().reshape(shape)
    return ScalarTensor


def _outcome(call):
    try:
        result = call()
    except Exception as error:
        return type(error).__name__
    return type(result).__name__, result.tolist() if hasattr(result, "tolist") else result if isinstance(result, float) else result._value


@pytest.mark.parametrize("call", [
    lambda t, s: t.mean(s(5, 2)), lambda t, s: t.add(s(2, 2), s(2, 1)), lambda t, s: t.add(s(2, 2), t.ones(2, 2)),
    lambda t, s: t.add(t.ones(2, 2), s(2, 2)), lambda t, s: t.nn.functional.relu(s(2, -1)), lambda t, s: t.reshape(s(2, 3), (4,)),
    lambda t, s: t.mul(s(2, 2), s(2, 2)), lambda t, s: t.nn.functional.dropout(s(2, 2)), lambda t, s: t.ones(2, 2).add(s(2, 2)),
    lambda t, s: t.ones(2, 2) + s(2, 2), lambda t, s: t.cat([s(2, 2), t.ones(2, 2)]), lambda t, s: t.squeeze(s(2, 2)),
    lambda t, s: t.linalg.det(s(2, 2)), lambda t, s: t.zeros_like(s(2, 2)), lambda t, s: t.nn.ReLU()(s(2, 3))])
def test_scalar_tensors(call):
    expected, ours = (_outcome(lambda: call(t, _scalar_tensors(t))) for t in BOTH)
    assert ours == expected


def test_metadata_tensors():
    seen = []
    for t in BOTH:
        class MetadataTensor:
            def __init__(self, data, metadata=None, **kwargs):
                self._t, self._metadata = t.as_tensor(data, **kwargs), metadata

            @classmethod
            def __torch_function__(cls, func, types, args=(), kwargs=None):
                metadatas = tuple(a._metadata for a in args if hasattr(a, "_metadata"))
                args = [getattr(a, "_t", a) for a in args]
                assert len(metadatas) > 0
                return MetadataTensor(func(*args, **(kwargs or {})), metadata=metadatas[0])
        m = MetadataTensor([[1.0], [2.0]], metadata={"owner": "me"})
        results = [t.add(t.tensor([[1.0], [2.0]]), m), t.mul(m, m), t.nn.functional.linear(m, t.ones(3, 1)), t.exp(m)]
        seen.append([([round(x, 5) for x in r._t.flatten().tolist()], r._metadata) for r in results])
    assert seen[0] == seen[1]


class _Counter:
    """Makes the modes of either library."""

    def __init__(self, t):
        class Names(t.overrides.TorchFunctionMode):
            def __init__(self):
                self.names = []

            def __torch_function__(self, func, types, args=(), kwargs=None):
                self.names.append(t.overrides.resolve_name(func))
                return func(*args, **(kwargs or {}))

        class OnMeta(t.overrides.TorchFunctionMode):
            def __torch_function__(self, func, types, args=(), kwargs=None):
                kwargs = dict(kwargs or {})
                if func in (t.empty, t.zeros, t.ones, t.rand, t.tensor) and kwargs.get("device") is None:
                    kwargs["device"] = "meta"
                return func(*args, **kwargs)

        class Refuses(t.overrides.TorchFunctionMode):
            def __torch_function__(self, func, types, args=(), kwargs=None):
                return NotImplemented
        self.Names, self.OnMeta, self.Refuses = Names, OnMeta, Refuses


@pytest.mark.parametrize("call", [
    lambda t: t.ones(2), lambda t: t.tensor([1.0]), lambda t: t.rand(2) + 1, lambda t: t.zeros(2).sum(), lambda t: t.nn.functional.relu(t.ones(2)),
    lambda t: t.arange(3)[1:], lambda t: t.ones(2).shape, lambda t: t.manual_seed(0), lambda t: t.is_tensor(1), lambda t: t.get_default_dtype(),
    lambda t: t.nn.Linear(2, 2, bias=False)(t.ones(2)) if False else t.nn.functional.linear(t.ones(2), t.ones(2, 2)),
    lambda t: t.cat([t.ones(2), t.full((2,), 3.0)]), lambda t: t.randperm(3), lambda t: t.as_tensor([1]), lambda t: t.linalg.det(t.eye(2))])
def test_what_a_mode_sees(call):
    seen = []
    for t in BOTH:
        with _Counter(t).Names() as mode:
            call(t)
        seen.append(mode.names)
    assert seen[0] == seen[1]


def test_nested_modes_and_contexts():
    seen = []
    for t in BOTH:
        kinds = _Counter(t)
        outer, inner = kinds.Names(), kinds.Names()
        with outer, inner:
            t.ones(2)
            with t._C.DisableTorchFunction():
                t.zeros(2)
            with t._C.DisableTorchFunctionSubclass():
                t.rand(2)
        t.eye(2)
        with outer, outer:
            t.full((2,), 1)
        seen.append((outer.names, inner.names))
    assert seen[0] == seen[1]


def test_a_mode_that_moves_factories():
    seen = []
    for t in BOTH:
        with _Counter(t).OnMeta():
            made = [t.zeros(2), t.tensor([1.0]), t.nn.Linear(2, 3).weight, t.rand(2), t.rand(2, device="cpu")]
        seen.append([str(x.device) for x in (*made, t.zeros(2))])
    assert seen[0] == seen[1]


def test_a_mode_that_declines():
    seen = []
    for t in BOTH:
        x = t.ones(2)
        with _Counter(t).Refuses(), pytest.raises(TypeError) as error:
            t.add(x, 1)
        seen.append(str(error.value).split("\n")[0])
    assert seen[0] == seen[1]


def test_helpers():
    seen = []
    for t in BOTH:
        o = t.overrides

        class Duck:
            @classmethod
            def __torch_function__(cls, func, types, args=(), kwargs=None):
                return func.__name__, len(args), kwargs

        class Sub(t.Tensor):
            pass

        @o.wrap_torch_function(lambda a, b=2: (a,))
        def twice(a, b=2):
            return a * b

        def written(a, b):
            if o.has_torch_function((a, b)):
                return o.handle_torch_function(written, (a, b), a, b=b)
            return a
        s = t.ones(1).as_subclass(Sub)
        seen.append([o.has_torch_function((1, t.ones(1))), o.has_torch_function((Duck(),)), o.has_torch_function((s,)),
                     o.has_torch_function([t.nn.Parameter(t.ones(1))]), o.is_tensor_like(Duck()), o.is_tensor_like(s), o.is_tensor_like(1),
                     twice(3), twice(Duck()), written(Duck(), 1), written(2, 1), o.resolve_name(t.add), o.resolve_name(t.Tensor.add),
                     o.resolve_name(t.Tensor.shape.__get__), o.resolve_name(t.nn.functional.linear), o.is_tensor_method_or_property(t.Tensor.add),
                     o.is_tensor_method_or_property(t.Tensor.shape.__get__), o.is_tensor_method_or_property(t.add),
                     t.add in o.get_overridable_functions()[t], t.Tensor.add in o.get_overridable_functions()[t.Tensor],
                     t.is_tensor in o.get_ignored_functions(), t.add in o.get_ignored_functions(), o.get_testing_overrides()[t.add](1, 2)])
    assert seen[0] == seen[1]


def test_names_bound_before_dispatch():
    from flambeau import add, reshape

    class Duck:
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            return func
    assert add(Duck(), 1) is add and reshape(Duck(), (1,)) is reshape and flambeau.Tensor.add is not add


def test_dispatch_below_functions_is_refused():
    class Below(flambeau.Tensor):
        @classmethod
        def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
            return func(*args)
    with pytest.raises(TypeError, match="__torch_dispatch__"):
        flambeau.ones(2).as_subclass(Below)


def test_a_disabled_handler():
    seen = []
    for t in BOTH:
        class Off(t.Tensor):
            __torch_function__ = t._C._disabled_torch_function_impl
        x = t.ones(2).as_subclass(Off)
        seen.append((type(x + 1).__name__, type(x.clone()).__name__, repr(copy.copy(x))))
    assert seen[0] == seen[1]
