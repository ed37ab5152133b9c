"""The loss of a linear layer's scores is `cross_entropy` of them."""
import pytest

import flambeau as torch
from flambeau import nn


@pytest.mark.parametrize("out_features", [(), (2, 3)])
def test_is_cross_entropy_of_linear(out_features):
    torch.manual_seed(0)
    loss = nn.LinearCrossEntropyLoss(4, 5, out_features=out_features, bias=True, label_smoothing=0.1)
    x, y = torch.randn(6, 4), torch.randint(0, 5, (6, *out_features))
    scores = loss.linear(x).reshape(6, 5, *out_features)
    assert torch.allclose(loss(x, y), nn.functional.cross_entropy(scores, y, label_smoothing=0.1))
    assert list(loss.state_dict()) == ["linear.weight", "linear.bias"]


def test_refusals():
    with pytest.raises(RuntimeError, match="weight shape"):
        nn.LinearCrossEntropyLoss(4, 5, weight=torch.ones(4))
    with pytest.raises(RuntimeError, match="label_smoothing"):
        nn.LinearCrossEntropyLoss(4, 5, label_smoothing=2.0)
    with pytest.raises(ValueError, match="chunking_method"):
        nn.LinearCrossEntropyOptions(chunking_method="some")
    with pytest.raises(ValueError, match="batch_chunk_size"):
        nn.LinearCrossEntropyOptions(batch_chunk_size=0)
