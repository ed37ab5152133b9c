"""Real checkpoints of various ages, where FLAMBEAU_MIRROR has a folder of them."""
import os
import pathlib
import pickle
import tarfile

import pytest

import flambeau as fb
from flambeau import nn, safetensors
from flambeau.serialization import load
from flambeau.serialization._describe import describe_file

MIRROR = pathlib.Path(os.environ.get("FLAMBEAU_MIRROR", ""))
FOLDER = MIRROR / "checkpoints"
IMAGES = MIRROR / "cifar-10" / "cifar-10-python.tar.gz"
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


class Block(nn.Module):
    """Two convolutions beside a shortcut, which skips pixels and adds channels of zeros (He et al. 2016, option A)."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.stride, self.more = stride, (outputs - inputs) // 2

    def forward(self, x):
        y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        shortcut = nn.functional.pad(x[:, :, ::self.stride, ::self.stride], (0, 0, 0, 0, self.more, self.more))
        return (y + shortcut).relu()


class ResNet20(nn.Module):
    """The network of resnet20-12fca82f.th."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        for k, (inputs, outputs) in enumerate([(16, 16), (16, 32), (32, 64)], 1):
            first = Block(inputs, outputs, outputs // inputs)
            setattr(self, f"layer{k}", nn.Sequential(first, *(Block(outputs, outputs, 1) for _ in range(2))))
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        x = self.layer3(self.layer2(self.layer1(self.bn1(self.conv1(x)).relu())))
        return self.linear(x.mean((2, 3)))


@pytest.mark.skipif(not (FOLDER.is_dir() and IMAGES.is_file()), reason="FLAMBEAU_MIRROR lacks the files")
def test_a_real_network_is_as_right_as_with_pytorch():
    model = ResNet20().eval()
    state = load(FOLDER / "resnet20-12fca82f.th", map_location="cpu")["state_dict"]
    model.load_state_dict({key.removeprefix("module."): value for key, value in state.items()})
    with tarfile.open(IMAGES) as archive:
        name = next(name for name in archive.getnames() if name.endswith("test_batch"))
        batch = pickle.load(archive.extractfile(name), encoding="latin1")
    x = fb.from_numpy(batch["data"][:1000]).view(-1, 3, 32, 32).float() / 255
    mean, std = (fb.tensor(v).view(1, 3, 1, 1) for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    with fb.no_grad():
        found = fb.cat([model(part).argmax(1) for part in ((x - mean) / std).split(250)])
    assert (found == fb.tensor(batch["labels"][:1000])).sum().item() == 915  # 91.5 %, what PyTorch finds
