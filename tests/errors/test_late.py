"""Errors that depend on values which are computed only when something is observed: they name the user's line of the call."""
import pytest

import flambeau as torch
from flambeau import nn
from flambeau.nn import functional as F
from flambeau.runtime.tiers import Native, Tiered

EXECUTORS = {"native": Native, "tiered": Tiered}


@pytest.fixture(params=EXECUTORS, autouse=True)
def executor(request):
    from flambeau.runtime.program import set_executor
    from flambeau.runtime.tiers import default_executor
    set_executor(EXECUTORS[request.param]())
    yield
    set_executor(default_executor())


def pending(*values):
    """A tensor that is recorded and not yet computed."""
    return torch.tensor(values) + 0


LATE = {
    "embedding": (lambda: F.embedding(pending(1, 7), torch.ones(5, 3)), IndexError, "embedding got index 7 for a weight of 5 rows"),
    "cross_entropy": (lambda: F.cross_entropy(torch.ones(2, 3), pending(0, 3)), IndexError, "Target 3 is out of bounds"),
    "nll_loss": (lambda: F.nll_loss(torch.ones(2, 3), pending(0, -1)), IndexError, "Target -1 is out of bounds"),
    "binary_cross_entropy": (lambda: F.binary_cross_entropy(pending(0.5, 1.5), torch.ones(2)), RuntimeError,
                             "all elements of input should be between 0 and 1"),
    "multi_margin_loss": (lambda: F.multi_margin_loss(torch.ones(2, 3), pending(0, 3)), RuntimeError, "target out of range"),
    "index": (lambda: torch.ones(3)[pending(0, 3)], IndexError, "index 3 is out of bounds for dimension 0 with size 3"),
    "index_put": (lambda: torch.ones(3).index_put((pending(0, -4),), torch.zeros(2)), IndexError, "index -4 is out of bounds"),
    "gather": (lambda: torch.ones(3).gather(0, pending(3)), RuntimeError, "index 3 is out of bounds for dimension 0 with size 3"),
    "scatter": (lambda: torch.ones(3).scatter(0, pending(3), torch.ones(1)), RuntimeError, "index 3 is out of bounds"),
    "index_select": (lambda: torch.ones(3).index_select(0, pending(3)), IndexError, "index out of range in self"),
    "bernoulli": (lambda: torch.bernoulli(pending(0.5, 1.5)), RuntimeError, "Expected p_in >= 0 && p_in <= 1"),
    "remainder": (lambda: torch.tensor([1, 2]) % pending(1, 0), RuntimeError, "ZeroDivisionError"),
    "max_unpool2d": (lambda: F.max_unpool2d(torch.ones(1, 1, 1, 1), pending(9).reshape(1, 1, 1, 1), 2), RuntimeError,
                     "Found an invalid max index: 9"),
}


@pytest.mark.parametrize("name", LATE)
def test_the_line_of_the_call(name):
    call, kind, words = LATE[name]
    result = call()
    unused = torch.ones(2) * 3
    with pytest.raises(kind) as raised:
        result.sum().item()
    text = str(raised.value)
    assert words in text
    line = call.__code__.co_firstlineno
    lines = text.split("\n")
    assert f'File "{__file__}", line {line}' in lines[-2]
    assert name.replace("remainder", "%") in lines[-1]
    assert unused.tolist() == [3, 3]  # what does not depend on the failed call is computed all the same
    with pytest.raises(RuntimeError, match="failed earlier"):
        result.tolist()


@pytest.mark.parametrize("steps", [0, 6])
def test_a_failed_step_changes_nothing(steps):
    """After some good (in the end compiled) steps: a bad one leaves parameters, the optimizer's state and the generator."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5), nn.ReLU(), nn.Linear(4, 2))
    optimizer = torch.optim.Adam(net.parameters())

    def step(labels):
        optimizer.zero_grad()
        F.cross_entropy(net(torch.ones(2, 3)), labels + 0).backward()
        optimizer.step()
    for _ in range(steps):
        step(torch.tensor([0, 1]))
    before = [p.tolist() for p in net.parameters()]
    state = [{k: torch.as_tensor(v).tolist() for k, v in s.items()} for s in optimizer.state.values()]
    with pytest.raises(IndexError, match="Target 5 is out of bounds"):
        step(torch.tensor([0, 5]))
        net[0].weight.sum().item()
    assert [p.tolist() for p in net.parameters()] == before
    assert [{k: torch.as_tensor(v).tolist() for k, v in s.items()} for s in optimizer.state.values()][:len(state)] == state
    step(torch.tensor([0, 1]))
    assert [p.tolist() for p in net.parameters()] != before


def test_writes_and_draws_before_the_failure_stay():
    torch.manual_seed(0)
    x, bad = torch.zeros(2), torch.zeros(2)
    x += 1
    drawn = torch.rand(3)
    bad += torch.ones(3)[pending(0, 3)]
    x *= 2
    with pytest.raises(IndexError):
        bad.tolist()
    assert x.tolist() == [2, 2]
    assert bad.tolist() == [0, 0]
    torch.manual_seed(0)
    assert torch.rand(3).tolist() == drawn.tolist()


def test_a_forgotten_sigmoid():
    """Logits given to BCELoss, in a training step whose loss nobody looks at."""
    net = nn.Linear(2, 1)
    with torch.no_grad():
        net.bias.fill_(3.0)
    F.binary_cross_entropy(net(torch.ones(4, 2)), torch.ones(4, 1)).backward()
    with pytest.raises(RuntimeError, match="all elements of input should be between 0 and 1") as raised:
        net.weight.grad.tolist()
    assert "binary_cross_entropy(net(" in str(raised.value)


def test_good_probabilities_pass_unchanged():
    x = torch.tensor([0.0, 0.25, 1.0], requires_grad=True)
    loss = F.binary_cross_entropy(x * 1, torch.tensor([0.0, 1.0, 1.0]))
    loss.backward()
    assert loss.item() == pytest.approx(1.3862943649291992 / 3)
    assert x.grad.tolist() == pytest.approx([0, -4 / 3, 0])
