"""A batch made at once holds the very numbers of samples made one by one."""
import numpy as np
import pytest

import flambeau as torch
from flambeau.utils.data import DataLoader, default_collate
from flambeau.utils.data._utils.batch import BatchedSamples
from flambeau.vision import datasets
from flambeau.vision import transforms as T
from flambeau.vision.transforms import v2

INDICES = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8]
PIPELINES = {
    "augmentation": lambda: T.Compose([T.RandomCrop(32, 4), T.RandomHorizontalFlip(), T.ToTensor(),
                                       T.Normalize((0.5, 0.4, 0.3), (0.2, 0.3, 0.4))]),
    "to tensor": T.ToTensor,
    "crops": lambda: T.Compose([T.Pad(2, fill=3), T.RandomCrop((30, 20)), T.CenterCrop(16), T.RandomVerticalFlip(0.7),
                                T.PILToTensor(), T.ConvertImageDtype(torch.float32)]),
    "grey": lambda: T.Compose([T.Grayscale(3), T.ToTensor(), T.RandomHorizontalFlip(0.3),
                               T.RandomCrop(32, padding=(3, 4))]),
    "nested": lambda: T.Compose([T.Compose([T.RandomHorizontalFlip()]), torch.nn.Sequential(T.RandomVerticalFlip()),
                                 T.ToTensor()]),
    "v2": lambda: v2.Compose([v2.RandomCrop(32, 4), v2.RandomHorizontalFlip(), v2.ToImage(),
                              v2.ToDtype(torch.float32, scale=True), v2.Normalize((0.5, 0.4, 0.3), (0.2, 0.3, 0.4))]),
    "v2 crops": lambda: v2.Compose([v2.Pad((1, 2)), v2.RandomCrop((32, 30)), v2.Grayscale(3), v2.CenterCrop((28, 30)),
                                    v2.ToImage(), v2.RandomCrop((28, 20)), v2.RandomVerticalFlip(0.8)]),
    "v2 plain": lambda: v2.Compose([v2.PILToTensor(), v2.ToDtype(torch.float32), v2.Identity(),
                                    v2.Normalize([0.5], [0.25]), v2.RandomCrop(28)]),
    "v2 pure": lambda: v2.Compose([v2.ToImage(), v2.ConvertImageDtype(), v2.ToPureTensor()]),
    "v1 and v2": lambda: T.Compose([v2.RandomHorizontalFlip(), T.ToTensor(), v2.RandomVerticalFlip()]),
    "integers": lambda: T.Compose([T.RandomCrop(20), T.PILToTensor()]),
}


@pytest.fixture
def sets(cifar10, as_mirror, mnist):
    as_mirror(cifar10.parent / "root")
    return [lambda transform: datasets.CIFAR10(cifar10, transform=transform),
            lambda transform: datasets.MNIST(mnist, transform=transform)]


def one_by_one(data, indices=INDICES):
    torch.manual_seed(7)
    return [data[i] for i in indices], torch.rand(1).item()


@pytest.mark.parametrize("name", PIPELINES)
def test_same_numbers(sets, name):
    for make in sets:
        data = make(PIPELINES[name]())
        if name in ("crops", "grey", "augmentation", "v2", "v2 crops") and isinstance(data, datasets.MNIST):
            continue  # made for 32 pixels and three channels
        samples, after = one_by_one(data)
        torch.manual_seed(7)
        batch = data.__getitems__(INDICES)
        assert torch.rand(1).item() == after
        assert isinstance(batch, BatchedSamples) and data._makes_batches()
        expected = default_collate(samples)
        assert type(batch.collated) is type(expected)
        for a, b in zip(batch.collated, expected):
            assert a.dtype == b.dtype and torch.equal(a, b)
        for (image, target), (same, label) in zip(samples, batch):
            assert type(image) is type(same) and torch.equal(image, same) and target == label and type(label) is int


@pytest.mark.parametrize("transform", [
    None, T.RandomCrop(32, 4),  # no tensor comes out
    T.Compose([T.RandomRotation(5), T.ToTensor()]),  # no rule
    T.Compose([T.Lambda(lambda x: x), T.ToTensor()]),
    T.Compose([T.RandomCrop(40), T.ToTensor()])])  # the error is to be that of one by one
def test_others_go_one_by_one(sets, transform):
    data = sets[0](transform)
    try:
        samples = data.__getitems__(INDICES)
    except ValueError as error:
        assert "Required crop size (40, 40) is larger than input image size (32, 32)" in str(error)
    else:
        assert type(samples) is list and len(samples) == len(INDICES)


def test_subclasses_are_asked(cifar10, as_mirror):
    class WithIndex(datasets.CIFAR10):
        def __getitem__(self, index):
            return (*super().__getitem__(index), index)

    as_mirror(cifar10)
    data = WithIndex(cifar10, transform=T.ToTensor())
    assert [sample[2] for sample in data.__getitems__([4, 2])] == [4, 2]


def test_subclassed_transforms_and_hooks_are_honoured(sets):
    class Flip(T.RandomHorizontalFlip):
        def forward(self, img):
            return img

    assert type(sets[0](T.Compose([Flip(), T.ToTensor()])).__getitems__([1])) is list
    hooked = T.Normalize([0.5], [0.5])
    hooked.register_forward_hook(lambda module, inputs, output: output * 0)
    batch = sets[0](T.Compose([T.ToTensor(), hooked])).__getitems__([1])
    assert type(batch) is list and batch[0][0].abs().max() == 0


def test_a_changed_transform_is_noticed(sets):
    normalize = T.Normalize([0.5], [0.5])
    data = sets[0](T.Compose([T.ToTensor(), normalize]))
    before = data.__getitems__([0]).collated[0]
    normalize.mean[0] = 0.25
    after = data.__getitems__([0]).collated[0]
    assert torch.allclose(after - before, torch.tensor(0.5))
    data.transform.transforms.append(T.CenterCrop(8))
    assert data.__getitems__([0]).collated[0].shape[-1] == 8


def test_target_transforms(cifar10, as_mirror):
    as_mirror(cifar10)
    plain = datasets.CIFAR10(cifar10, transform=T.ToTensor(), target_transform=lambda y: y + 100)
    assert plain.__getitems__([0, 1]).collated[1].tolist() == [100, 101]
    drawing = datasets.CIFAR10(cifar10, transform=T.Compose([T.RandomHorizontalFlip(), T.ToTensor()]),
                               target_transform=lambda y: y + torch.rand(1).item())
    samples, after = one_by_one(drawing, [0, 1, 2])
    torch.manual_seed(7)
    batch = drawing.__getitems__([0, 1, 2])
    assert type(batch) is list and [y for _, y in batch] == [y for _, y in samples] and torch.rand(1).item() == after


def test_the_loader_takes_the_batch(sets):
    data = sets[0](PIPELINES["augmentation"]())
    torch.manual_seed(3)
    batches = [images for images, _ in DataLoader(data, 8, shuffle=True)]
    torch.manual_seed(3)
    listed = [torch.stack([image for image, _ in samples])
              for samples in DataLoader(data, 8, shuffle=True, collate_fn=lambda samples: samples)]
    assert len(batches) == 3 and all(torch.equal(a, b) for a, b in zip(batches, listed))


def test_batched_samples_is_a_list():
    made = []

    def sample(k):
        made.append(k)
        return k * k

    batch = BatchedSamples("collated", 4, sample)
    assert len(batch) == 4 and made == [] and isinstance(batch, list)
    assert batch[2] == 4 and made == [0, 1, 2, 3]
    assert list(batch) == [0, 1, 4, 9] and [7] + BatchedSamples(None, 2, sample) == [7, 0, 1]
    assert batch.collated == "collated"
    batch.append(16)
    assert batch.collated is None and batch[-1] == 16
    assert np.array(BatchedSamples(None, 3, sample)).tolist() == [0, 1, 4]
