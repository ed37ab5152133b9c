"""Comparing tensors of flambeau and PyTorch, which meet in one process."""
import collections
import io
import random
import types

import numpy as np
import pytest

import flambeau as fb
from flambeau.serialization import load, save
from flambeau.serialization._tensors import buffer_of, describe

torch = pytest.importorskip("torch")


def their_bits(t):
    """(storage bytes, offset, shape, strides) of a torch tensor."""
    storage = t.detach().untyped_storage()
    return (
        bytes(storage.tolist()) if storage.nbytes() < 10_000 else storage.nbytes(),
        t.storage_offset(),
        tuple(t.shape),
        t.stride(),
    )


def our_bits(t):
    record = describe(t)
    data = buffer_of(record.storage).view(np.uint8)
    return data.tobytes() if data.nbytes < 10_000 else data.nbytes, record.offset, record.shape, record.strides


class Comparison:
    """Walks two object trees, one of flambeau and one of PyTorch, which must be the same to the bit, sharing
    included."""

    def __init__(self):
        self.twins = {}  # id of a flambeau object or storage -> id of PyTorch's
        self.keep = []
        self.tensors = 0

    def pair(self, a, b, twin=None):
        """The same object here must always meet the same object there, and the other way round."""
        self.keep.append((a, b))
        twin = id(b) if twin is None else twin
        assert self.twins.setdefault(id(a), twin) == twin
        assert self.twins.setdefault(("back", twin), id(a)) == id(a)

    def check(self, a, b, path="root"):
        assert type(a).__name__ == type(b).__name__, path
        if isinstance(a, fb.Tensor):
            self.tensors += 1
            assert str(a.dtype) == str(b.dtype), path
            assert a.requires_grad == b.requires_grad, path
            assert our_bits(a) == their_bits(b), path
            self.pair(a, b)
            if buffer_of(a._storage).size:  # PyTorch does not keep track of who shares no memory at all
                self.pair(a._storage, b, b.untyped_storage()._cdata)
        elif isinstance(a, np.ndarray):
            assert (a.dtype, a.shape, a.tolist()) == (b.dtype, b.shape, b.tolist()), path
        elif isinstance(a, dict):
            assert list(map(str, a)) == list(map(str, b)), path
            self.pair(a, b)
            for (key, x), y in zip(a.items(), b.values()):
                self.check(x, y, f"{path}[{key!r}]")
        elif isinstance(a, (list, tuple)):
            assert len(a) == len(b), path
            for i, (x, y) in enumerate(zip(a, b)):
                self.check(x, y, f"{path}[{i}]")
        elif isinstance(a, (fb.dtype, fb.device)) or type(a).__module__.startswith("flambeau."):
            assert str(a) == str(b), path
        else:
            assert a == b or a != a, path


@pytest.fixture
def compare():
    def check(a, b):
        comparison = Comparison()
        comparison.check(a, b)
        return comparison.tensors
    return check


@pytest.fixture
def cross():
    """Functions that take an object from one side to the other through a file, all in memory."""
    def to_torch(obj, weights_only=True, **options):
        stream = io.BytesIO()
        save(obj, stream, **options)
        stream.seek(0)
        return torch.load(stream, weights_only=weights_only)

    def to_flambeau(obj, weights_only=True, **options):
        stream = io.BytesIO()
        torch.save(obj, stream, **options)
        stream.seek(0)
        return load(stream, weights_only=weights_only)
    return types.SimpleNamespace(to_torch=to_torch, to_flambeau=to_flambeau)


def random_tree(rng: random.Random, dtypes, depth: int = 0, pool: list | None = None):
    """A tree of PyTorch tensors and plain data, with shared tensors, views and containers."""
    pool = [] if pool is None else pool
    kind = rng.choice(
        ["tensor", "view", "shared", "plain"]
        if depth > 3
        else ["tensor", "tensor", "view", "shared", "plain", "dict", "dict", "list", "tuple", "ordered", "parameter"]
    )
    if kind == "tensor" or kind in ("view", "shared") and not pool:
        shape = [rng.randrange(0 if rng.random() < 0.1 else 1, 5) for _ in range(rng.randrange(4))]
        dtype = getattr(torch, rng.choice([d.name for d in dtypes]))
        n = int(np.prod(shape))
        raw = torch.frombuffer(bytearray(rng.randbytes(max(n, 1) * dtype.itemsize)), dtype=torch.uint8)
        raw = raw % 2 if dtype is torch.bool else raw
        t = raw.view(dtype)[:n].clone().reshape(shape)
        pool.append(t)
        return t
    if kind == "view":
        t = rng.choice(pool)
        if t.dim() and t.numel():
            return rng.choice(
                [
                    lambda: t.transpose(0, -1),
                    lambda: t[0],
                    lambda: t[..., ::2],
                    lambda: t.reshape(-1),
                    lambda: t.detach(),
                    lambda: t.unsqueeze(0).expand(3, *t.shape),
                ]
            )()
        return t.detach()
    if kind == "shared":
        return rng.choice(pool)
    if kind == "parameter":
        t = torch.nn.Parameter(torch.rand(rng.randrange(1, 4), 2), requires_grad=rng.random() < 0.7)
        pool.append(t.data)
        return t
    if kind == "plain":
        return rng.choice(
            [
                None,
                True,
                rng.randrange(-1 << 70, 1 << 70),
                rng.random(),
                "text é",
                b"bytes",
                1 + 2j,
                float("inf"),
                (),
                [],
                {},
                torch.float32,
                torch.Size([2, 3]),
                torch.device("cpu"),
                {1, 2},
                np.float32(1.5),
                np.arange(3),
            ]
        )
    children = [random_tree(rng, dtypes, depth + 1, pool) for _ in range(rng.randrange(5))]
    if kind == "list":
        return children
    if kind == "tuple":
        return tuple(children)
    cls = dict if kind == "dict" else collections.OrderedDict
    return cls(
        (rng.choice(["k", "key.", 3, ("t", 1)]) if i == 0 else f"k{i}", child) for i, child in enumerate(children)
    )


@pytest.fixture
def tree():
    return random_tree
