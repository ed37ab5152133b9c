"""The tar files of PyTorch 0.1: PyTorch, which still reads them with weights_only=False, reads the same."""
import collections

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tar_checkpoints import TYPES, tar_checkpoint

import flambeau


@pytest.mark.parametrize("protocol", [0, 2])
def test_the_same_tensors(tmp_path, protocol):
    rng = np.random.default_rng(0)
    storages = {100 + i: (dtype, "cpu", rng.integers(0, 100, 24)) for i, dtype in enumerate(TYPES)}
    parts = [(200, 100, 3, 12), (201, 101, 0, 24)]
    tensors = {}
    for i, storage in enumerate([*storages, 200, 201]):
        tensors[2 * i], tensors[2 * i + 1] = (storage, 1, (2, 3), (3, 1)), (storage, 0, (3, 2, 2), (1, 4, 3))
    names = collections.OrderedDict((f"tensor {key}", str(key)) for key in tensors)
    path = tmp_path / "old.pth"
    path.write_bytes(tar_checkpoint(storages, parts, tensors, names, protocol=protocol))
    wanted = torch.load(path, weights_only=False)
    for weights_only in (True, False):
        got = flambeau.load(path, weights_only=weights_only)
        assert type(got) is type(wanted) and list(got) == list(wanted)
        for name, tensor in wanted.items():
            assert (str(got[name].dtype), got[name].stride()) == (str(tensor.dtype), tensor.stride())
            np.testing.assert_array_equal(got[name].numpy(), tensor.numpy())
