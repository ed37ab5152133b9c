"""`check_gradient(fn, *arrays)`: the gradient of a weighted sum of fn's results against central differences in
float64."""
import numpy as np
import pytest

import flambeau


def _weighted(results):
    """Σ w·result over the floating results, with fixed weights that tell the elements apart."""
    results = results if isinstance(results, (tuple, list)) else [results]
    total = None
    for r in results:
        if r.dtype.is_floating_point:
            weights = flambeau.tensor(np.asarray(1 + 0.1 * np.arange(r.numel()).reshape(tuple(r.shape))))
            term = (r * weights).sum()
            total = term if total is None else total + term
    return total


def _check(fn, *arrays, step=1e-6, tolerance=1e-6):
    arrays = [np.array(a, dtype=np.float64) for a in arrays]
    tensors = [flambeau.tensor(a).requires_grad_() for a in arrays]
    _weighted(fn(*tensors)).backward()
    for which, a in enumerate(arrays):
        numeric = np.zeros_like(a)
        for at in np.ndindex(*a.shape):
            ends = []
            for h in (step, -step):
                moved = [b.copy() for b in arrays]
                moved[which][at] += h
                ends.append(_weighted(fn(*[flambeau.tensor(b) for b in moved])).item())
            numeric[at] = (ends[0] - ends[1]) / (2 * step)
        np.testing.assert_allclose(tensors[which].grad.numpy(), numeric, rtol=tolerance, atol=tolerance)


@pytest.fixture
def check_gradient():
    return _check
