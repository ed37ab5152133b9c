"""safetensors files cross between flambeau and the safetensors package."""
import numpy as np
import pytest

import flambeau as fb
from flambeau import safetensors
from flambeau.safetensors import CODES

torch = pytest.importorskip("torch")
theirs = pytest.importorskip("safetensors.torch")


def tensors(lib):
    def of(values, name):
        t = lib.tensor(values)
        return t.to(getattr(lib, name))
    found = {d.name: of([[0.0, 1.0, 2.0], [3.0, 1.5, 0.25]], d.name) for d in CODES.values()}
    return {**found, "empty": lib.ones(0, 4), "scalar": lib.tensor(3.5), "é": lib.arange(3)}


def raw(t):
    """The bits of a tensor of either side."""
    if isinstance(t, torch.Tensor):
        return t.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes() if t.numel() else b""
    return safetensors._elements(t).tobytes()


def same(ours, others):
    assert sorted(ours) == sorted(others)
    for name, t in ours.items():
        assert str(t.dtype) == str(others[name].dtype)
        assert tuple(t.shape) == tuple(others[name].shape)
        assert raw(t) == raw(others[name]), name


def test_their_files_load_here(tmp_path):
    theirs.save_file(tensors(torch), tmp_path / "x.safetensors", metadata={"format": "pt"})
    same(safetensors.load_file(tmp_path / "x.safetensors"), tensors(torch))
    same(safetensors.load(theirs.save(tensors(torch))), tensors(torch))


def test_our_files_load_there(tmp_path):
    safetensors.save_file(tensors(fb), tmp_path / "x.safetensors", metadata={"format": "pt"})
    same(tensors(fb), theirs.load_file(tmp_path / "x.safetensors"))
    same(tensors(fb), theirs.load(safetensors.save(tensors(fb))))


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}])
def test_files_are_the_same_to_the_byte(metadata):
    assert safetensors.save(tensors(fb), metadata) == theirs.save(tensors(torch), metadata)


def models():
    for lib in (fb, torch):
        shared = lib.nn.Linear(3, 3)
        net = lib.nn.Sequential(shared, lib.nn.ReLU(), shared, lib.nn.BatchNorm1d(3))
        yield net


def test_models_with_shared_layers(tmp_path):
    ours, others = models()
    safetensors.save_model(ours, str(tmp_path / "ours"))
    assert theirs.load_model(others, str(tmp_path / "ours")) == (set(), [])
    for name, t in ours.state_dict().items():
        np.testing.assert_array_equal(t.numpy(), others.state_dict()[name].numpy())
    theirs.save_model(others, str(tmp_path / "theirs"))
    fresh, _ = models()
    assert safetensors.load_model(fresh, tmp_path / "theirs") == ([], [])
    for name, t in ours.state_dict().items():
        np.testing.assert_array_equal(t.numpy(), fresh.state_dict()[name].numpy())


def test_models_that_do_not_fit(tmp_path):
    ours, others = models()
    safetensors.save_model(fb.nn.Linear(3, 3), str(tmp_path / "x"))
    messages = []
    for load, net in ((safetensors.load_model, ours), (theirs.load_model, others)):
        with pytest.raises(RuntimeError, match="Missing key") as caught:
            load(net, str(tmp_path / "x"))
        messages.append(str(caught.value))
    assert messages[0] == messages[1]
