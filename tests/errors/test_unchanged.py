"""A call that fails changes nothing: tensors, versions, gradients, optimizers, modules, random streams."""
import copy

import pytest

import flambeau as torch
from flambeau import nn
from flambeau.nn import functional as F

INTEGERS = {"div_": lambda x: x.div_(2), "add_ a fraction": lambda x: x.add_(0.5), "mul_ a float": lambda x: x.mul_(torch.ones(3))}
IN_PLACE = {
    "add_ too many": lambda x: x.add_(torch.ones(2, 3)),
    "mul_ other shape": lambda x: x.mul_(torch.ones(2)),
    "copy_": lambda x: x.copy_(torch.ones(2)),
    "item": lambda x: x.__setitem__(5, 1.0),
    "slice": lambda x: x.__setitem__(slice(0, 2), torch.ones(3)),
    "mask": lambda x: x.__setitem__(torch.tensor([True, False]), 1.0),
    "index_add_": lambda x: x.index_add_(0, torch.tensor([7]), torch.ones(1)),
    "index_fill_": lambda x: x.index_fill_(0, torch.tensor([7]), 1.0),
    "scatter_": lambda x: x.scatter_(0, torch.tensor([7]), 1.0),
    "masked_fill_": lambda x: x.masked_fill_(torch.ones(3), 1.0),
    "uniform_": lambda x: x.uniform_(2, 1),
    "normal_": lambda x: x.normal_(0, -1),
    "bernoulli_": lambda x: x.bernoulli_(1.5),
    "random_": lambda x: x.random_(3, 3),
    "clamp_": lambda x: x.clamp_(),
    "out=": lambda x: torch.mm(torch.ones(2, 3), torch.ones(2, 3), out=x),
    "resize": lambda x: x.view(2, 2).add_(1),
    "dropout": lambda x: F.dropout(x, 1.5, inplace=True),
}


@pytest.mark.parametrize("name", [*IN_PLACE, *INTEGERS])
def test_in_place(name):
    x = torch.tensor([1, 2, 3]) if name in INTEGERS else torch.tensor([1.0, 2.0, 3.0])
    state, version = torch.get_rng_state().tolist(), x._version
    with pytest.raises((RuntimeError, IndexError, TypeError, ValueError)):
        ({**IN_PLACE, **INTEGERS}[name])(x)
    assert x.tolist() == [1, 2, 3]
    assert x._version == version
    assert torch.get_rng_state().tolist() == state


def test_a_leaf():
    x = torch.ones(3, requires_grad=True)
    for call in (lambda: x.add_(1), lambda: x[:2].mul_(3), lambda: x.__setitem__(0, 5.0)):
        with pytest.raises(RuntimeError, match="leaf Variable that requires grad"):
            call()
    assert x.tolist() == [1, 1, 1]
    assert x.is_leaf


def test_backward_twice_leaves_gradients():
    x = torch.ones(3, requires_grad=True)
    y = (x * x).sum()
    y.backward()
    with pytest.raises(RuntimeError, match="second time"):
        y.backward()
    assert x.grad.tolist() == [2, 2, 2]


def test_a_modified_saved_tensor_leaves_gradients():
    x, w = torch.ones(3, requires_grad=True), torch.ones(3)
    total = (x * w).sum() + (x * 2).sum()
    w.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        total.backward()
    assert x.grad is None


@pytest.mark.parametrize("make", [
    lambda p: torch.optim.Adam(p), lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9), lambda p: torch.optim.Adagrad(p),
    lambda p: torch.optim.RMSprop(p),
], ids=["Adam", "SGD", "Adagrad", "RMSprop"])
def test_loading_a_state_that_does_not_fit(make):
    net = nn.Linear(2, 2)
    optimizer = make(net.parameters())
    net(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    before = copy.deepcopy(optimizer.state_dict())
    other = make([*nn.Linear(2, 2).parameters(), *nn.Linear(1, 1).parameters()])
    with pytest.raises(ValueError, match="doesn't match the size of optimizer's group"):
        optimizer.load_state_dict(other.state_dict())
    assert repr(optimizer.state_dict()) == repr(before)


def test_loading_weights_that_do_not_fit_copies_none_of_that_shape():
    net = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 2))
    before = net[1].weight.tolist()
    state = nn.Sequential(nn.Linear(2, 3), nn.Linear(4, 2)).state_dict()
    with pytest.raises(RuntimeError, match=r"size mismatch for 1.weight: copying a param with shape torch.Size\(\[2, 4\]\)"):
        net.load_state_dict(state)
    assert net[1].weight.tolist() == before


def test_statistics_of_a_batch_that_does_not_fit():
    norm = nn.BatchNorm1d(3)
    with pytest.raises(RuntimeError, match="running_mean should contain 4 elements not 3"):
        norm(torch.ones(2, 4))
    assert norm.running_mean.tolist() == [0, 0, 0]
    assert norm.running_var.tolist() == [1, 1, 1]
