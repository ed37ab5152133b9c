"""Module: what flambeau says more than PyTorch, and the short way of a call."""
import pickle

import pytest

import flambeau as torch
from flambeau import nn


def model():
    return nn.Sequential(nn.Linear(4, 3), nn.Sequential(nn.ReLU(), nn.Linear(5, 2)))


def test_an_error_names_the_module():
    with pytest.raises(RuntimeError) as raised:
        model()(torch.ones(2, 4))
    assert str(raised.value).endswith("\n  in module '1.1': Linear(in_features=5, out_features=2, bias=True)"
                                      "\n  its input: [2, 4] → linear [2, 3] → relu [2, 3]")
    assert len(raised.value.args) == 1


def test_a_layer_that_is_called_alone_names_itself():
    with pytest.raises(RuntimeError, match=r"\n  in module Linear\(in_features=4, out_features=3, bias=True\)$"):
        nn.Linear(4, 3)(torch.ones(2, 5))


class Careful(nn.Module):
    """Catches the error of its layer."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, x):
        try:
            return self.layer(x)
        except RuntimeError as error:
            return str(error)


def test_only_errors_that_leave_the_model_are_told():
    assert "in module" not in Careful()(torch.ones(1, 9))


class Raises(nn.Module):
    def __init__(self, error, layer=None):
        super().__init__()
        self.error, self.layer = error, layer

    def forward(self, x):
        raise self.error


@pytest.mark.parametrize("error", [KeyError("name"), OSError(2, "no file"), ValueError(), ValueError(3), StopIteration(),
                                   UnicodeDecodeError("utf-8", b"x", 0, 1, "bad")])
def test_errors_that_are_no_plain_messages_stay_as_they_are(error):
    before = error.args
    with pytest.raises(type(error)):
        nn.Sequential(Raises(error))(1)
    assert error.args == before


def test_a_message_is_told_once():
    error = ValueError("bad value")
    layer = Raises(error)
    for _ in range(2):
        with pytest.raises(ValueError):
            nn.Sequential(layer)(1)
    assert str(error) == "bad value\n  in module '0': Raises()"


def test_the_model_s_own_forward_is_not_told():
    with pytest.raises(ValueError, match="^bad value$"):
        Raises(ValueError("bad value"), layer=nn.ReLU())(1)


def test_a_call_without_hooks_goes_straight_to_forward():
    layer = nn.ReLU()
    assert not layer._hooked
    handle = layer.register_forward_hook(lambda module, args, output: output + 1)
    x = torch.tensor([-1.0, 2.0])
    assert layer._hooked and layer(x).tolist() == [1.0, 3.0]
    handle.remove()
    assert layer(x).tolist() == [0.0, 2.0] and not layer._hooked


def test_hooks_survive_a_pickle():
    layer = nn.ReLU()
    layer.register_forward_hook(add_one)
    again = pickle.loads(pickle.dumps(layer))
    assert again(torch.tensor([1.0])).tolist() == [2.0]
    assert "_hooked" not in layer.__getstate__()


def add_one(module, args, output):
    return output + 1


def test_missing_attribute():
    with pytest.raises(AttributeError, match="'Linear' object has no attribute 'wieght'"):
        nn.Linear(1, 1).wieght


def test_load_state_dict_lists_all_that_is_wrong():
    with pytest.raises(RuntimeError) as raised:
        model().load_state_dict({"0.weight": torch.ones(3, 4), "0.bias": torch.ones(2), "extra": torch.ones(1)})
    assert str(raised.value).splitlines() == [
        "Error(s) in loading state_dict for Sequential:",
        '\tMissing key(s) in state_dict: "1.1.weight", "1.1.bias". ',
        '\tUnexpected key(s) in state_dict: "extra". ',
        "\tsize mismatch for 0.bias: copying a param with shape torch.Size([2]) from checkpoint, "
        "the shape in current model is torch.Size([3])."]


def test_repr():
    assert repr(model()) == """\
Sequential(
  (0): Linear(in_features=4, out_features=3, bias=True)
  (1): Sequential(
    (0): ReLU()
    (1): Linear(in_features=5, out_features=2, bias=True)
  )
)"""


class Kinds(nn.Module):
    name = "of the class"

    def __init__(self, **values):
        super().__init__()
        for key, value in values.items():
            setattr(self, key, value)


def test_one_name_can_mean_different_things_in_modules_of_a_class():
    child, param = nn.ReLU(), nn.Parameter(torch.ones(1))
    assert Kinds(x=child).x is child
    assert Kinds(x=param).x is param
    assert Kinds(x=3).x == 3
    assert not hasattr(Kinds(), "x") and not hasattr(Kinds, "x")
    changed = Kinds(x=child)
    del changed.x
    assert not hasattr(changed, "x")
    assert Kinds(name=child).name == "of the class"  # as in PyTorch: the class comes first


def test_tables_can_be_changed_from_outside():
    layer = nn.Linear(1, 1)
    layer._parameters["weight"] = replaced = nn.Parameter(torch.zeros(1, 1))
    assert layer.weight is replaced
    del layer._parameters["weight"]
    with pytest.raises(AttributeError, match="'Linear' object has no attribute 'weight'"):
        layer.weight
