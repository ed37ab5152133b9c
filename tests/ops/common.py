"""Gradients against finite differences, and values against NumPy."""
import numpy as np

import flambeau as torch


def tensors(*arrays, requires_grad=False):
    return [torch.tensor(np.asarray(a), requires_grad=requires_grad) for a in arrays]


def check_values(function, reference, *arrays, rtol=1e-12, atol=1e-14):
    """function on tensors gives what reference gives on the arrays, in the same dtype."""
    got = function(*tensors(*arrays)).numpy()
    want = np.asarray(reference(*[np.asarray(a) for a in arrays]))
    assert got.dtype == want.dtype, (got.dtype, want.dtype)
    np.testing.assert_allclose(got, want, rtol=rtol, atol=atol)


def check_gradient(function, *arrays, step=1e-6, tolerance=1e-6):
    """The gradient of a weighted sum of function(*tensors) in float64 against central differences, in every argument."""
    arrays = [np.asarray(a, dtype=np.float64) for a in arrays]
    leaves = tensors(*arrays, requires_grad=True)
    out = function(*leaves)
    weights = np.cos(np.arange(out.numel())).reshape(tuple(out.shape)) + 1.5
    (out * torch.tensor(weights)).sum().backward()

    def total(*values):
        return float((function(*tensors(*values)).numpy() * weights).sum())
    for k, (leaf, array) in enumerate(zip(leaves, arrays)):
        want = np.zeros_like(array)
        for i in np.ndindex(array.shape):
            ends = []
            for sign in (1, -1):
                moved = [a.copy() for a in arrays]
                moved[k][i] += sign * step
                ends.append(total(*moved))
            want[i] = (ends[0] - ends[1]) / (2 * step)
        np.testing.assert_allclose(leaf.grad.numpy(), want, rtol=tolerance, atol=tolerance, err_msg=f"argument {k}")
