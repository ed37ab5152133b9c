"""Calls on sequences of tensors that the written-out recorder takes are what the general function makes of them."""
import numpy as np
import pytest

import flambeau as torch


def twice(call):
    """The first call of a signature goes the general way, the second the recorder's."""
    return call(), call()


def test_a_sequence_with_and_without_gradients():
    a = torch.tensor([[1.0, 2.0]], requires_grad=True)
    b = torch.tensor([[3.0, 4.0]])
    for joined in twice(lambda: torch.cat([a, b, a])):
        a.grad = None
        (joined * torch.tensor([[1.0], [10.0], [100.0]])).sum().backward()
        np.testing.assert_array_equal(a.grad.numpy(), [[101.0, 101.0]])
        assert joined.grad_fn.name() == "CatBackward0"
    with torch.no_grad():
        assert not any(joined.requires_grad for joined in twice(lambda: torch.cat((a, b))))


@pytest.mark.parametrize("kind", [list, tuple])
def test_kinds_of_sequences(kind):
    x = torch.nn.Parameter(torch.ones(2, 3))
    for joined in twice(lambda: torch.cat(kind([x, x]), 1)):
        assert joined.shape == (2, 6) and joined.requires_grad


def test_sequences_of_other_lengths_and_types():
    a, b = torch.ones(2), torch.zeros(2, dtype=torch.int64)
    for _ in range(2):
        assert torch.stack([a, b]).dtype is torch.float32
        assert torch.stack([b, b]).dtype is torch.int64
        assert torch.stack([a, b, a]).shape == (3, 2)
        with pytest.raises(RuntimeError, match="non-empty"):
            torch.stack([])


def test_results_follow_the_strides_of_all():
    x = torch.ones(2, 3, 4, 4).contiguous(memory_format=torch.channels_last)
    for joined in twice(lambda: torch.cat([x, x], 1)):
        assert joined.is_contiguous(memory_format=torch.channels_last)
    for joined in twice(lambda: torch.cat([x, torch.ones(2, 3, 4, 4)], 1)):
        assert joined.is_contiguous()


def test_an_overwritten_operand_has_the_old_values():
    x, y = torch.zeros(2), torch.ones(2)
    for value in (0.0, 1.0, 2.0):
        joined = torch.cat([x, y])
        x.fill_(value + 1)
        np.testing.assert_array_equal(joined.numpy(), [value, value, 1.0, 1.0])


def test_examples_of_a_batch():
    x = torch.arange(6.0).reshape(3, 2)
    for _ in range(2):
        np.testing.assert_array_equal(torch.vmap(lambda row: torch.cat([row, row]))(x).numpy(), np.tile(x.numpy(), 2))
