"""x[key] and x[key] = value, against NumPy where the two agree."""
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import flambeau as torch

SHAPE = (3, 4, 2)


@st.composite
def keys(draw):
    """Slices, None, Ellipsis and ints; or the same with one index array in place of the ints."""
    parts = []
    for n in SHAPE[:draw(st.integers(0, 3))]:
        kind = draw(st.sampled_from(["slice", "int", "full"]))
        if kind == "slice":
            a, b = draw(st.integers(-n - 1, n + 1)), draw(st.integers(-n - 1, n + 1))
            parts.append(slice(a, b, draw(st.integers(1, 3))))
        else:
            parts.append(draw(st.integers(-n, n - 1)) if kind == "int" else slice(None))
    if draw(st.booleans()):
        parts = [slice(None) if isinstance(k, int) else k for k in parts]
        if parts:
            at = draw(st.integers(0, len(parts) - 1))
            indices = st.integers(-SHAPE[at], SHAPE[at] - 1)
            parts[at] = np.array(draw(st.lists(st.lists(indices, min_size=2, max_size=2), min_size=1, max_size=3)))
    if draw(st.booleans()):
        parts.insert(draw(st.integers(0, len(parts))), None)
    if draw(st.booleans()):
        parts.append(Ellipsis)
    return tuple(parts)


def converted(key):
    return tuple(torch.from_numpy(k) if isinstance(k, np.ndarray) else k for k in key)


@given(keys())
def test_reading_agrees_with_numpy(key):
    a = np.arange(24.0).reshape(SHAPE)
    np.testing.assert_array_equal(torch.tensor(a)[converted(key)].numpy(), a[key])


@given(keys())
def test_writing_agrees_with_numpy(key):
    a = np.arange(24.0).reshape(SHAPE)
    t = torch.tensor(a)
    a[key] = -1.5
    t[converted(key)] = -1.5
    np.testing.assert_array_equal(t.numpy(), a)


@given(keys())
def test_gradients_go_back_to_where_the_values_came_from(key):
    a = np.arange(24.0).reshape(SHAPE)
    t = torch.tensor(a).requires_grad_()
    t[converted(key)].sum().backward()
    want = np.zeros(SHAPE)
    np.add.at(want, key, 1)
    np.testing.assert_array_equal(t.grad.numpy(), want)


def test_masks_take_the_place_of_their_dimensions():
    a = np.arange(24.0).reshape(SHAPE)
    mask = a[:, :, 0] % 3 == 0
    t = torch.tensor(a)
    np.testing.assert_array_equal(t[torch.tensor(mask)].numpy(), a[mask])
    t[torch.tensor(mask)] = torch.zeros(int(mask.sum()), 2, dtype=torch.float64)
    a[mask] = 0
    np.testing.assert_array_equal(t.numpy(), a)


def test_basic_keys_give_views():
    x = torch.zeros(3, 4)
    views = [x[0], x[1:, 1], x[..., None], x.T[2:], x.split(2)[1], x.unbind(1)[3], x.chunk(2, 1)[0], x.tensor_split(2)[0]]
    assert all(v._storage is x._storage for v in views)
    x[:] = 1
    assert all(bool((v == 1).all()) for v in views)


def test_writes_through_views_reach_the_base_and_its_history():
    x = torch.ones(2, 3, requires_grad=True)
    y = x * 2
    row = y[0]
    row.mul_(5)
    y[1, 1:] = 7
    assert y.tolist() == [[10, 10, 10], [2, 7, 7]]
    y.sum().backward()
    assert x.grad.tolist() == [[10, 10, 10], [2, 0, 0]]


def test_writes_to_a_detached_view_that_requires_grad():
    x = torch.arange(6.0).reshape(2, 3).t().detach()
    w = torch.tensor([2.0], requires_grad=True)
    y = x * 1
    z = y.t()
    z[0].mul_(w)
    z.sum().backward()
    assert w.grad.tolist() == [0 + 1 + 2]


@pytest.mark.parametrize("key, error, words", [
    (5, IndexError, "index 5 is out of bounds for dimension 0 with size 3"),
    ((0, 0, 0), IndexError, "too many indices for tensor of dimension 2"),
    (1.5, IndexError, "only integers, slices"),
    (slice(None, None, -1), ValueError, "step must be greater than zero"),
    ([0, 9], IndexError, "index 9 is out of bounds for dimension 0 with size 3"),
    ([True, False], IndexError, r"The shape of the mask \[2\] at index 0"),
    (([0, 1], [0, 1, 2]), IndexError, "could not be broadcast together"),
])
def test_bad_keys(key, error, words):
    x = torch.zeros(3, 4)
    with pytest.raises(error, match=words):
        x[key]
    with pytest.raises(error, match=words):
        x[key] = 1


@pytest.mark.parametrize("value, error, words", [
    ("a", TypeError, "can't assign a str to a torch.FloatTensor"),
    ([1, 2], TypeError, "can't assign a list"),
    (1j, RuntimeError, "value cannot be converted to type float without overflow"),
    (torch.ones(3), RuntimeError, "must match the existing size"),
])
def test_bad_values(value, error, words):
    with pytest.raises(error, match=words):
        torch.zeros(2, 4)[0] = value


def test_leaves_that_require_grad_are_not_written_to():
    x = torch.zeros(3, requires_grad=True)
    with pytest.raises(RuntimeError, match="a view of a leaf Variable that requires grad"):
        x[0] = 1
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
        x[[0]] = 1
    with torch.no_grad():
        x[0] = 1
    assert x.tolist() == [1, 0, 0]


def test_positions_that_are_not_known_yet_raise_when_they_are_used():
    x = torch.zeros(3)
    late = torch.tensor([1, 2]) + 5
    with pytest.raises(IndexError, match="index 6 is out of bounds for dimension 0 with size 3"):
        x[late].tolist()
    with pytest.raises(RuntimeError, match="index 6 is out of bounds for dimension 0 with size 3"):
        x.gather(0, torch.tensor([1, 2]) + 5).tolist()
    assert x.tolist() == [0, 0, 0]


def test_in_place_changes_of_geometry():
    x = torch.arange(6.0).reshape(1, 2, 3) * 1
    v = x[0, 1]
    assert x.squeeze_().t_() is x and x.shape == (3, 2)
    x[2, 1] = 50
    assert v.tolist() == [3, 4, 50]
