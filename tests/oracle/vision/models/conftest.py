"""One model of torchvision and of flambeau, made from one seed, compared."""
import numpy as np
import pytest

torch = pytest.importorskip("torch")
torchvision = pytest.importorskip("torchvision")

import flambeau
import flambeau.vision.models


class Pair:
    """Both models: equal keys, shapes and dtypes, equal parameters from the same seed, equal random numbers after."""

    def __init__(self, name, kwargs):
        torch.manual_seed(7)
        self.theirs = torchvision.models.get_model(name, **kwargs)
        flambeau.manual_seed(7)
        self.ours = flambeau.vision.models.get_model(name, **kwargs)
        wanted, got = self.theirs.state_dict(), self.ours.state_dict()
        assert list(got) == list(wanted)
        for key, value in wanted.items():
            assert tuple(got[key].shape) == tuple(value.shape) and str(got[key].dtype) == str(value.dtype), key
        for key, value in wanted.items():
            np.testing.assert_allclose(got[key].numpy(), value.numpy(), rtol=1e-4, atol=1e-6, err_msg=key)
        assert flambeau.rand(1).item() == torch.rand(1).item()
        assert repr(self.ours) == repr(self.theirs)

    def perturb(self):
        """Adds the same noise to all parameters: what starts as zero, one or 1e-6 would hide mistakes."""
        rng = np.random.default_rng(1)
        with torch.no_grad():
            for parameter in self.theirs.parameters():
                parameter += torch.from_numpy(rng.standard_normal(parameter.shape, dtype=np.float32)) * 0.02
        self.ours.load_state_dict({key: flambeau.from_numpy(value.numpy())
                                   for key, value in self.theirs.state_dict().items()})

    def assert_equal_outputs(self, *inputs, training=False, tolerance=1e-4):
        """Each output within `tolerance` of the largest value of torchvision's."""
        wanted, got = (self._run(library, model, inputs, training)
                       for library, model in ((torch, self.theirs), (flambeau, self.ours)))
        assert len(got) == len(wanted)
        for (key, value), (our_key, ours) in zip(wanted, got):
            assert our_key == key and ours.shape == value.shape
            if value.size:
                assert np.abs(ours - value).max() <= tolerance * max(np.abs(value).max(), 1e-30), key

    def _run(self, library, model, inputs, training):
        model.train(training)
        library.manual_seed(3)
        with library.no_grad():
            return list(leaves(model(*convert(library, inputs))))


def convert(library, value):
    """The arrays in nested lists and dicts, as tensors of the library."""
    if isinstance(value, np.ndarray):
        return library.from_numpy(value.copy())
    if isinstance(value, dict):
        return {key: convert(library, item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(convert(library, item) for item in value)
    return value


def leaves(value, path=""):
    """(path, array) for each tensor in a result."""
    if isinstance(value, (torch.Tensor, flambeau.Tensor)):
        yield path, value.detach().numpy()
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, f"{path}.{key}")
    elif isinstance(value, (list, tuple)):
        for i, item in enumerate(value):
            yield from leaves(item, f"{path}[{i}]")


@pytest.fixture
def pair():
    return lambda name, **kwargs: Pair(name, {"weights": None, **kwargs})


@pytest.fixture
def images():
    """images(*shape): normal noise."""
    return lambda *shape: np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
