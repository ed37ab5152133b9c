"""Sampling an image at its own pixels: the last bit of a place decides on which side of a pixel it lies, and so the gradient."""
import numpy as np
import pytest

import flambeau

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("size", [(28, 28), (13, 31), (7, 9)])
def test_the_identity(size, align_corners):
    image = np.random.default_rng(0).random((2, 3, *size), np.float32)
    theta = np.tile(np.eye(2, 3, dtype=np.float32), (2, 1, 1))
    found = []
    for t in (torch, flambeau):
        grid = t.nn.functional.affine_grid(t.tensor(theta), (2, 3, *size), align_corners=align_corners).requires_grad_()
        out = t.nn.functional.grid_sample(t.tensor(image), grid, align_corners=align_corners)
        (out * t.tensor(image)).sum().backward()
        found.append((grid.detach().numpy(), out.detach().numpy(), grid.grad.numpy()))
    np.testing.assert_array_equal(found[0][0], found[1][0])
    np.testing.assert_allclose(found[1][1], found[0][1], atol=1e-5)
    np.testing.assert_allclose(found[1][2], found[0][2], rtol=1e-4, atol=1e-4)
