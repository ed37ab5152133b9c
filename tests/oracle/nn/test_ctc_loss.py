"""ctc_loss against PyTorch: losses, gradients and errors."""

import numpy as np
import pytest

import flambeau

torch = pytest.importorskip("torch")

SCORES = np.random.default_rng(0).standard_normal((12, 3, 6))
TARGETS = np.array([[1, 2, 2, 5], [3, 3, 3, 3], [4, 0, 0, 0]])


def outcome(module, scores, targets, inputs, lengths, dtype="float32", direct=False, **options):
    x = module.tensor(scores, dtype=getattr(module, dtype)).requires_grad_(True)
    F = module.nn.functional
    try:
        loss = F.ctc_loss(
            x if direct else F.log_softmax(x, -1), module.tensor(targets), inputs(module), lengths(module), **options
        )
        loss.sum().backward()
    except Exception as error:
        return type(error).__name__
    return loss.detach().numpy(), x.grad.numpy()


def agree(*args, **options):
    ours, theirs = (outcome(m, *args, **options) for m in (flambeau, torch))
    if isinstance(theirs, str) or isinstance(ours, str):
        assert ours == theirs
        return
    for a, b in zip(ours, theirs):
        assert a.shape == b.shape and a.dtype == b.dtype
        np.testing.assert_allclose(a, b, 1e-4, 1e-5)


def numbers(*values):
    return lambda m: values


def tensor(*values):
    return lambda m: m.tensor(values)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("direct", [False, True])
def test_batches(reduction, direct):
    for dtype in ("float32", "float64"):
        agree(SCORES, TARGETS, numbers(12, 10, 5), numbers(4, 4, 1), dtype, direct, reduction=reduction)
        agree(SCORES, TARGETS, tensor(12, 10, 5), tensor(3, 2, 0), dtype, direct, reduction=reduction)
        agree(
            SCORES,
            np.array([1, 2, 3, 3, 0]),
            tensor(12, 10, 5),
            tensor(2, 2, 1),
            dtype,
            direct,
            reduction=reduction,
            blank=5,
        )


@pytest.mark.parametrize("zero_infinity", [False, True])
def test_targets_that_are_too_long(zero_infinity):
    for reduction in ("none", "mean"):
        agree(SCORES, TARGETS, tensor(12, 5, 5), tensor(4, 4, 1), reduction=reduction, zero_infinity=zero_infinity)


def test_one_sample():
    for reduction in ("none", "mean", "sum"):
        agree(SCORES[:, 0], TARGETS[0], lambda m: m.tensor(12), lambda m: m.tensor(4), reduction=reduction)
    agree(SCORES[:1, :1], TARGETS[:1, :1], tensor(1), tensor(1))
    agree(SCORES[:4, :1], TARGETS[:1, :1], tensor(4), tensor(0))


def test_errors():
    agree(SCORES, TARGETS, tensor(13, 5, 5), tensor(4, 4, 1))
    agree(SCORES, TARGETS, tensor(12, 5), tensor(4, 4, 1))
    agree(SCORES, TARGETS, tensor(12, 5, 5), tensor(5, 4, 1))
    agree(SCORES, TARGETS, tensor(12, 5, 5), tensor(4, 4, 1), blank=6)
