"""Batches of image files decoded by threads hold the very numbers of samples made one by one."""
import numpy as np
import pytest
from PIL import Image

import flambeau as torch
from flambeau.utils.data import DataLoader, default_collate
from flambeau.utils.data._utils.batch import BatchedSamples
from flambeau.vision import datasets
from flambeau.vision import transforms as T
from flambeau.vision.datasets import _files
from flambeau.vision.transforms import v2

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.3, 0.4)
TOGETHER = {
    "evaluation": lambda: T.Compose([T.Resize(24), T.CenterCrop(20), T.ToTensor(), T.Normalize(MEAN, STD)]),
    "training": lambda: T.Compose([T.RandomResizedCrop(20), T.RandomHorizontalFlip(), T.ToTensor(),
                                   T.Normalize(MEAN, STD)]),
    "draws after resizing": lambda: T.Compose([T.Resize((24, 30)), T.RandomCrop(20), T.RandomHorizontalFlip(),
                                               T.ToTensor()]),
    "v2 training": lambda: v2.Compose([v2.RandomResizedCrop((16, 20), antialias=True), v2.RandomHorizontalFlip(0.4),
                                       v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]),
    "one side": lambda: T.Compose([T.Resize(26, T.InterpolationMode.BICUBIC), T.CenterCrop((26, 22)), T.ToTensor()]),
    "with a longest side": lambda: T.Compose([T.Resize(20, max_size=23), T.CenterCrop(20), T.ToTensor()]),
    "a larger crop": lambda: T.Compose([T.Resize((20, 24)), T.CenterCrop(30), T.ToTensor()]),
    "another filter": lambda: v2.Compose([v2.Resize([20, 24], "lanczos"), v2.ToImage(), v2.ToDtype(torch.float32)]),
    "v2 evaluation": lambda: v2.Compose([v2.Resize((20, 20)), v2.PILToTensor()]),
}
APART = {
    "none": lambda: None,
    "sizes differ": lambda: T.Compose([T.Resize(16), T.ToTensor()]),
    "no rule": lambda: T.Compose([T.Resize((20, 20)), T.RandomRotation(10), T.ToTensor()]),
    "draws after the crop": lambda: T.Compose([T.RandomResizedCrop(20), T.RandomVerticalFlip(), T.ToTensor()]),
    "PIL": lambda: T.Compose([T.RandomResizedCrop(20), T.RandomHorizontalFlip()]),
    "PIL after resizing": lambda: T.Compose([T.Resize((20, 22)), T.CenterCrop(18)]),
    "an unknown transform after resizing": lambda: T.Compose([T.Resize((20, 22)), T.ColorJitter(0.5), T.ToTensor()]),
    "own": lambda: lambda image: np.asarray(image).mean(),
}


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for k in range(10):
        path = tmp_path / f"class{k % 3}" / f"{k}.{'jpg' if k % 2 else 'png'}"
        path.parent.mkdir(exist_ok=True)
        pixels = rng.integers(0, 256, (30 + 3 * k, 50 - 2 * k, 3), dtype=np.uint8)
        Image.fromarray(pixels).convert("L" if k == 4 else "RGB").save(path)
    return tmp_path


@pytest.fixture(autouse=True)
def threads(monkeypatch):
    monkeypatch.setattr(_files, "_threads", lambda: 3)


@pytest.mark.parametrize("name", [*TOGETHER, *APART])
def test_same_numbers(folder, name):
    data = datasets.ImageFolder(folder, transform={**TOGETHER, **APART}[name]())
    order = [3, 1, 9, 0, 4, 4, 7, 2]
    torch.manual_seed(5)
    expected, after = [data[k] for k in order], torch.rand(1)
    torch.manual_seed(5)
    batch = data.__getitems__(order)
    assert torch.equal(torch.rand(1), after)
    assert isinstance(batch, BatchedSamples) == (name in TOGETHER)
    if name in TOGETHER:
        for a, b in zip(batch.collated, default_collate(expected)):
            assert a.dtype == b.dtype and torch.equal(a, b)
    assert len(batch) == len(order)
    for a, b in zip(expected, batch):
        assert type(a[0]) is type(b[0]) and a[1] == b[1]
        np.testing.assert_array_equal(np.asarray(a[0]), np.asarray(b[0]))


def test_target_transforms(folder):
    data = datasets.ImageFolder(folder, TOGETHER["evaluation"](), target_transform=str)
    assert [target for _, target in data.__getitems__([0, 9])] == ["0", "2"]
    data = datasets.ImageFolder(folder, TOGETHER["training"](), target_transform=lambda y: y + torch.rand(1).item())
    torch.manual_seed(0)
    expected = [data[k][1] for k in (0, 5)]
    torch.manual_seed(0)
    assert [target for _, target in data.__getitems__([0, 5])] == expected


def test_a_damaged_file_is_an_error(folder):
    (folder / "class1" / "1.jpg").write_bytes(b"no image")
    data = datasets.ImageFolder(folder, TOGETHER["evaluation"]())
    with pytest.raises(OSError, match="1.jpg"):
        data.__getitems__(list(range(10)))
    assert len(data.__getitems__([0, 1])) == 2


def test_own_loaders_and_subclasses_go_one_by_one(folder):
    seen = []

    def loader(path):
        seen.append(path)
        return Image.open(path).convert("RGB")

    data = datasets.ImageFolder(folder, TOGETHER["evaluation"](), loader=loader)
    assert type(data.__getitems__([1, 2])) is list and len(seen) == 2

    class WithIndex(datasets.ImageFolder):
        def __getitem__(self, index):
            return (*super().__getitem__(index), index)

    assert [sample[2] for sample in WithIndex(folder).__getitems__([4, 2])] == [4, 2]


@pytest.mark.parametrize("workers", [0, 2])
def test_through_the_loader(folder, workers):
    data = datasets.ImageFolder(folder, TOGETHER["training"]())
    torch.manual_seed(1)
    batches = [(images, targets) for images, targets in DataLoader(data, 4, shuffle=True, num_workers=workers)]
    assert [images.shape for images, _ in batches] == [(4, 3, 20, 20), (4, 3, 20, 20), (2, 3, 20, 20)]
    assert sorted(torch.cat([targets for _, targets in batches]).tolist()) == sorted(data.targets)
