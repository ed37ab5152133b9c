"""Strided views taken apart: random chains of NumPy's views, put together again from the steps."""
import random

import numpy as np

from flambeau.onnx._views import take_apart

LATER = 400


def random_view(rng, x):
    """x seen through up to four of: permuted, cut, selected, expanded, stepped, repeated."""
    for _ in range(rng.randint(0, 4)):
        kind = rng.randint(0, 5)
        if kind == 0:
            x = x.transpose(rng.sample(range(x.ndim), x.ndim))
        elif kind == 1:
            x = np.expand_dims(x, rng.randint(0, x.ndim))
        elif kind == 2:
            x = np.broadcast_to(x, (3, *x.shape))
        elif x.ndim:
            dim = rng.randrange(x.ndim)
            first = rng.randrange(x.shape[dim])
            cut = {3: slice(first, rng.randint(first + 1, x.shape[dim])), 4: first, 5: slice(None, None, 2)}[kind]
            x = x[(slice(None),) * dim + (cut, ...)]
    return x


def test_views_are_put_together_again():
    rng = random.Random(0)
    apart = 0
    for _ in range(2000):
        base = np.arange(LATER)[:int(np.prod(shape := [rng.choice([1, 2, 3, 4, 6]) for _ in range(rng.randint(1, 3))]))].reshape(shape)
        view = random_view(rng, base)
        strides = [s // base.itemsize if n > 1 else 1 for n, s in zip(view.shape, view.strides)]
        offset = (view.__array_interface__["data"][0] - base.__array_interface__["data"][0]) // base.itemsize
        steps = take_apart(base.shape, view.shape, strides, offset)
        if steps is not None:
            apart += 1
            cut = base.reshape(steps.levels)[tuple(slice(a, b) for a, b in zip(steps.starts, steps.stops))]
            made = np.broadcast_to(cut.transpose(steps.perm).reshape(steps.kept), view.shape)
            np.testing.assert_array_equal(made, view)
    assert apart > 1800  # the others have steps that do not divide a size


def test_what_does_not_nest_is_left():
    assert take_apart((6,), (4, 3), (1, 1), 0) is None  # overlapping windows
    assert take_apart((7,), (4,), (2,), 0) is None  # a step that does not divide the size
    assert take_apart((0, 3), (0,), (1,), 0) is None
