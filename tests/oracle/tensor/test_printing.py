"""The text of tensors against PyTorch's, over random shapes, types and magnitudes."""
import random

import numpy as np
import pytest

from flambeau.tensor.printing import format_tensor, printoptions

torch = pytest.importorskip("torch")

DTYPES = ["float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool",
          "complex64", "complex128"]


def ours(tensor, **facts):
    value = tensor.detach()
    array = (value.float() if value.dtype is torch.bfloat16 else value).numpy()
    return format_tensor(array, dtype=tensor.dtype, default_dtype=torch.get_default_dtype(), **facts)


def random_tensor(rng, shape, dtype):
    """Values whose magnitudes, wholeness and specials are drawn too, because the notation depends on them."""
    count = int(np.prod(shape))
    generator = np.random.default_rng(rng.randrange(2**32))
    values = generator.standard_normal(count) * 10.0 ** rng.choice([-6, -4, -1, 0, 2, 4, 8])
    if rng.random() < 0.3:
        values *= 10.0 ** generator.integers(-3, 3, count)
    if rng.random() < 0.4:
        values = np.round(values)
    if rng.random() < 0.3:
        values[generator.random(count) < 0.3] = rng.choice([np.nan, np.inf, -np.inf, 0.0, -0.0])
    tensor = torch.from_numpy(values.reshape(shape))
    dtype = getattr(torch, dtype)
    if dtype.is_complex:
        tensor = torch.complex(tensor, tensor.flip(0) if shape else -tensor)
    elif not dtype.is_floating_point:
        tensor = tensor.nan_to_num(0, 0, 0).remainder(rng.choice([2, 100, 127, 2**40])).mul(rng.choice([1, -1]))
        tensor = tensor.to(torch.int64)
    return tensor.to(dtype)


def random_shape(rng):
    rank = rng.choice([0, 1, 1, 2, 2, 3, 4])
    largest = {0: 1, 1: 1500, 2: 60, 3: 14, 4: 9}[rank]
    return tuple(rng.choice([0, 1, 2, 7, largest, rng.randint(1, largest)]) for _ in range(rank))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(4))
def test_random(dtype, seed):
    rng = random.Random(f"{dtype} {seed}")
    for _ in range(10):
        tensor = random_tensor(rng, random_shape(rng), dtype)
        assert ours(tensor) == repr(tensor)


@pytest.mark.parametrize("seed", range(40))
def test_random_options(seed):
    rng = random.Random(seed)
    settings = {"precision": rng.choice([0, 2, 8]), "threshold": rng.choice([0, 5, 100, 1000]),
                "edgeitems": rng.choice([0, 1, 2, 5]), "linewidth": rng.choice([10, 40, 80, 120]),
                "sci_mode": rng.choice([None, True, False]), "profile": rng.choice([None, "short", "full", "default"])}
    before = torch._tensor_str.get_printoptions()
    torch.set_printoptions(**settings)
    try:
        with printoptions(**settings):
            tensor = random_tensor(rng, random_shape(rng), rng.choice(DTYPES))
            assert ours(tensor) == repr(tensor)
    finally:
        torch.set_printoptions(**before)


@pytest.mark.parametrize("length", range(1, 24))
def test_gradient_suffixes(length):
    leaf = torch.linspace(0.5, 1.7, length, requires_grad=True)
    assert ours(leaf, requires_grad=True) == repr(leaf)
    derived = leaf.exp()
    assert ours(derived, requires_grad=True, grad_fn_name="ExpBackward0") == repr(derived)
    narrow = derived.half()
    assert ours(narrow, requires_grad=True, grad_fn_name="ToCopyBackward0") == repr(narrow)


@pytest.mark.parametrize("dtype", DTYPES)
def test_default_dtype(dtype):
    torch.set_default_dtype(torch.float64)
    try:
        for shape in [(), (2,), (0,), (0, 2)]:
            tensor = torch.ones(shape, dtype=getattr(torch, dtype))
            assert ours(tensor) == repr(tensor)
    finally:
        torch.set_default_dtype(torch.float32)


def test_extremes():
    for dtype in (torch.float32, torch.float64):
        info = torch.finfo(dtype)
        for values in ([info.tiny, info.max], [info.tiny / 2, 1.0], [info.max], [-0.0], [0.0, -0.0],
                       [info.eps, float("nan")]):
            tensor = torch.tensor(values, dtype=dtype)
            assert ours(tensor) == repr(tensor)
    for value in (-2**63, 2**63 - 1):
        assert ours(torch.tensor([value, 0])) == repr(torch.tensor([value, 0]))
