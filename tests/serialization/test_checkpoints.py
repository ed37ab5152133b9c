"""Real checkpoints of various ages, where FLAMBEAU_MIRROR has a folder of them."""
import os
import pathlib

import pytest

import flambeau as fb
from flambeau import safetensors
from flambeau.serialization import load
from flambeau.serialization._describe import describe_file

FOLDER = pathlib.Path(os.environ.get("FLAMBEAU_MIRROR", ""), "checkpoints")
# tensors in each, whether it holds CUDA tensors, and one number that is known of it
KNOWN = {
    "resnet20-12fca82f.th": (97, True, lambda c: c["best_prec1"] == pytest.approx(91.78)),
    "lpips_v0.0_alex.pth": (5, True, lambda c: tuple(c["lin0.model.1.weight"].shape) == (1, 64, 1, 1)),
    "lpips_v0.1_squeeze.pth": (7, True, lambda c: c["lin6.model.1.weight"].dtype is fb.float32),
    "facenet_pnet.pt": (13, False, lambda c: tuple(c["conv1.weight"].shape) == (10, 3, 3, 3)),
    "yunet_s.pth": (317, True, lambda c: set(c) == {"meta", "state_dict", "optimizer"}),
    "silero_vad_16k.safetensors": (15, False, lambda c: tuple(c["stft_conv.weight"].shape) == (258, 1, 256)),
}


def tensors_of(obj):
    if isinstance(obj, fb.Tensor):
        return [obj]
    parts = obj.values() if isinstance(obj, dict) else obj if isinstance(obj, (list, tuple)) else ()
    return [t for part in parts for t in tensors_of(part)]


@pytest.mark.skipif(not FOLDER.is_dir(), reason="FLAMBEAU_MIRROR has no folder checkpoints")
@pytest.mark.parametrize("name", KNOWN)
def test_real_checkpoints_load(name):
    path = FOLDER / name
    count, on_cuda, check = KNOWN[name]
    loaded = safetensors.load_file(path) if path.suffix == ".safetensors" else load(path, map_location="cpu")
    assert len(tensors_of(loaded)) == count
    assert check(loaded)
    assert describe_file(path).nbytes == path.stat().st_size
    if on_cuda:
        with pytest.raises(RuntimeError, match="CUDA"):
            load(path)
