"""A few layers with the numbers written out."""
import math

import pytest

import flambeau as torch
from flambeau import nn


def test_linear():
    layer = nn.Linear(2, 2)
    layer.load_state_dict({"weight": torch.tensor([[1.0, 2.0], [3.0, 4.0]]), "bias": torch.tensor([10.0, 20.0])})
    x = torch.tensor([[1.0, 1.0]], requires_grad=True)
    y = layer(x)
    assert y.tolist() == [[13.0, 27.0]]
    y.sum().backward()
    assert x.grad.tolist() == [[4.0, 6.0]]
    assert layer.weight.grad.tolist() == [[1.0, 1.0], [1.0, 1.0]]


def test_initial_values_stay_in_their_bounds():
    torch.manual_seed(0)
    for layer, fan_in in ((nn.Linear(50, 40), 50), (nn.Conv2d(6, 8, 3, groups=2), 27), (nn.LSTM(5, 16), 16)):
        bound = 1 / math.sqrt(fan_in)
        for param in layer.parameters():
            assert 0.5 * bound < param.abs().max() <= bound


def test_batch_norm_tracks_its_statistics():
    layer = nn.BatchNorm1d(1, momentum=0.5)
    layer(torch.tensor([[1.0], [3.0]]))
    assert layer.running_mean.tolist() == [1.0]
    assert layer.running_var.tolist() == [1.5]
    assert layer.num_batches_tracked.item() == 1
    layer.eval()
    assert layer(torch.tensor([[1.0]])).item() == 0.0


def test_packed_sequences_come_back():
    sequences = [torch.arange(3.0), torch.arange(1.0), torch.arange(5.0)]
    packed = nn.utils.rnn.pack_sequence(sequences, enforce_sorted=False)
    assert packed.batch_sizes.tolist() == [3, 2, 2, 1, 1]
    assert packed.data.tolist() == [0.0, 0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 3.0, 4.0]
    assert [s.tolist() for s in nn.utils.rnn.unpack_sequence(packed)] == [s.tolist() for s in sequences]


def test_clip_grad_norm():
    param = nn.Parameter(torch.zeros(2))
    param.grad = torch.tensor([3.0, 4.0])
    assert nn.utils.clip_grad_norm_([param], 1.0).item() == 5.0
    assert param.grad.tolist() == pytest.approx([0.6, 0.8])


def test_orthogonal_matrix():
    weight = nn.init.orthogonal_(torch.empty(3, 5))
    assert torch.allclose(weight @ weight.T, torch.eye(3), atol=1e-6)


@pytest.mark.parametrize("name", nn.modules.__all__)
def test_every_layer_is_described(name):
    assert getattr(nn, name).__doc__ and getattr(nn, name) is getattr(nn.modules, name)
