"""What flambeau shows under PyTorch's names is there in PyTorch; what is not is a room (hook/names.py)."""
import importlib
import operator
import pkgutil

import pytest

torch = pytest.importorskip("torch")
torchvision = pytest.importorskip("torchvision")

import flambeau
from flambeau.hook.names import torch_name
from flambeau.torch_version import TorchVersion

NAMES = sorted(m.name for m in pkgutil.walk_packages(flambeau.__path__, "flambeau.", onerror=lambda name: None))
# torchaudio is another package to install, and no torchtext loads beside this PyTorch
SHOWN = [n for name in NAMES if (n := torch_name(name)) and n.partition(".")[0] in ("torch", "torchvision")
         and not any(part.startswith("_") for part in name.split("."))]


@pytest.mark.parametrize("name", SHOWN)
def test_pytorch_has_it(name):
    if name.startswith("torch.utils.tensorboard"):
        pytest.importorskip("tensorboard")
    importlib.import_module(name)


def test_versions():
    assert flambeau.__version__ == TorchVersion(torch.__version__)
    assert flambeau.vision.__version__.partition("+")[0] == torchvision.__version__.partition("+")[0]


@pytest.mark.parametrize("other", ["2.8", "2.13", "2.13.0", "2.13.0+cpu", "2.13.0.dev1", "3", "abc", (2, 6), [2, 20], 2.13,
                                   None])
@pytest.mark.parametrize("compare", ["__lt__", "__le__", "__gt__", "__ge__", "__eq__", "__ne__"])
def test_version_compares_as_pytorchs(compare, other):
    def outcome(version):
        try:
            return getattr(operator, compare)(version, other), getattr(operator, compare)(other, version)
        except TypeError:
            return TypeError

    assert outcome(TorchVersion("2.13.0+cpu")) == outcome(torch.torch_version.TorchVersion("2.13.0+cpu"))
