"""Which module stands for which."""
import pytest

from flambeau.hook.names import flambeau_name, is_room, torch_name


@pytest.mark.parametrize("torch_module, module", [
    ("torch", "flambeau"),
    ("torch.nn.modules.conv", "flambeau.nn.modules.conv"),
    ("torchvision", "flambeau.vision"),
    ("torchvision.transforms.functional", "flambeau.vision.transforms.functional"),
])
def test_pairs(torch_module, module):
    assert flambeau_name(torch_module) == module
    assert torch_name(module) == torch_module


@pytest.mark.parametrize("name", ["numpy", "torchx", "torch_geometric.nn", "flambeau", "torch.tensor", "torch.ops",
                                  "torch.ir.graph", "torch.vision", "torch.vision.utils", "torch.nn.functional.loss"])
def test_not_pytorchs(name):
    assert flambeau_name(name) is None


@pytest.mark.parametrize("name", ["numpy", "torch", "flambeaux", "flambeau.tensor.tensor", "flambeau.cli",
                                  "flambeau.dtypes", "flambeau.nn.functional.loss"])
def test_nothing_of_pytorchs_stands_for(name):
    assert torch_name(name) is None
    assert is_room(name) == name.startswith("flambeau.")
