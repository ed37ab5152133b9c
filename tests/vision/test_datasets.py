"""CIFAR, MNIST and their like, folders, fake data: formats, attributes, mirrors, and what happens to bad files."""
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import flambeau as torch
from flambeau.vision import datasets, transforms


def test_cifar10(cifar10, as_mirror):
    as_mirror(cifar10)
    train, test = datasets.CIFAR10(cifar10), datasets.CIFAR10(str(cifar10), train=False)
    assert train.data.shape == (20, 32, 32, 3) and train.data.dtype == np.uint8 and len(train.targets) == 20
    assert test.targets == [5, 6, 7, 8] and test.classes[0] == "airplane" and test.class_to_idx["truck"] == 9
    image, target = train[0]
    assert isinstance(image, Image.Image) and image.mode == "RGB" and image.size == (32, 32) and target == 0
    expected = np.random.default_rng(0).integers(0, 256, (4, 3072), dtype=np.uint8)[0].reshape(3, 32, 32)
    assert (np.asarray(image).transpose(2, 0, 1) == expected).all()
    with pytest.raises(IndexError):
        train[20]


def test_repr(cifar10, as_mirror):
    as_mirror(cifar10)
    data = datasets.CIFAR10(str(cifar10), transform=transforms.Compose([transforms.ToTensor()]), target_transform=str)
    assert repr(data).splitlines() == [
        "Dataset CIFAR10", "    Number of datapoints: 20", f"    Root location: {cifar10}", "    Split: Train",
        "    StandardTransform", "Transform: Compose(", "               ToTensor()", "           )",
        "Target transform: <class 'str'>"]


def test_missing_files_are_named(tmp_path, cifar10, as_mirror):
    with pytest.raises(RuntimeError, match="Dataset not found or corrupted. You can use download=True") as info:
        datasets.CIFAR10(tmp_path / "nowhere")
    assert "data_batch_1" in str(info.value) and "cifar-10-python.tar.gz" in str(info.value)
    as_mirror(cifar10)
    (cifar10 / "cifar-10-batches-py" / "data_batch_3").unlink()
    with pytest.raises(RuntimeError, match="missing: .*data_batch_3"):
        datasets.CIFAR10(cifar10)


def test_files_in_place_are_checked_against_the_official_hashes(cifar10):
    with pytest.raises(RuntimeError, match="wrong hash: .*data_batch_1"):
        datasets.CIFAR10(cifar10)


def test_a_changed_file_is_noticed(cifar10, as_mirror):
    as_mirror(cifar10)
    datasets.CIFAR10(cifar10)
    path = cifar10 / "cifar-10-batches-py" / "test_batch"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(RuntimeError, match="wrong hash: .*test_batch"):
        datasets.CIFAR10(cifar10)


@pytest.mark.parametrize("keep", [0, 10, 500, 5000])
def test_a_truncated_batch(cifar10, as_mirror, keep):
    path = cifar10 / "cifar-10-batches-py" / "data_batch_2"
    path.write_bytes(path.read_bytes()[:keep])
    as_mirror(cifar10)  # the mirror's hashes are of the truncated file: the reader has to notice
    with pytest.raises(RuntimeError, match="data_batch_2.*Delete it and download it again"):
        datasets.CIFAR10(cifar10)


def test_a_pickle_that_would_run_code(cifar10, as_mirror, tmp_path, write_pickle):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "evil"),)

    write_pickle(cifar10 / "cifar-10-batches-py" / "data_batch_1", {"data": Evil(), "labels": [1]})
    as_mirror(cifar10)
    with pytest.raises(RuntimeError, match="mkdir, which is not data"):
        datasets.CIFAR10(cifar10)
    assert not (tmp_path / "evil").exists()


def test_unpacked_files_of_a_mirror(cifar10, as_mirror, tmp_path):
    as_mirror(cifar10)
    data = datasets.CIFAR10(tmp_path / "new", download=True)
    assert len(data) == 20
    assert len(os.listdir(tmp_path / "new" / "cifar-10-batches-py")) == 7


def test_the_archive_of_a_mirror(cifar10, as_mirror, tmp_path):
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    shutil.make_archive(str(mirror / "cifar-10-python"), "gztar", cifar10, "cifar-10-batches-py")
    with open(mirror / "SHA256SUMS", "w") as file:
        import hashlib
        for path in [mirror / "cifar-10-python.tar.gz", *(cifar10 / "cifar-10-batches-py").iterdir()]:
            name = path.relative_to(mirror if path.parent == mirror else cifar10).as_posix()
            file.write(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {name}\n")
    as_mirror(mirror, hashes=False)
    assert len(datasets.CIFAR10(tmp_path / "new", download=True)) == 20


def test_a_mirror_that_lacks_it(as_mirror, tmp_path):
    (tmp_path / "mirror").mkdir()
    as_mirror(tmp_path / "mirror")
    with pytest.raises(RuntimeError, match="does not have cifar-10-python.tar.gz.*unset FLAMBEAU_MIRROR"):
        datasets.CIFAR10(tmp_path / "new", download=True)


def test_cifar100(tmp_path, as_mirror):
    folder = tmp_path / "cifar-100-python"
    folder.mkdir()
    pixels = np.zeros((3, 3072), np.uint8)
    for name in ("train", "test"):
        (folder / name).write_bytes(pickle.dumps({"data": pixels, "fine_labels": [1, 2, 99],
                                                  "coarse_labels": [0, 0, 1]}))
    (folder / "meta").write_bytes(pickle.dumps({"fine_label_names": [str(k) for k in range(100)]}))
    as_mirror(tmp_path)
    data = datasets.CIFAR100(tmp_path)
    assert data.targets == [1, 2, 99] and data.classes[99] == "99"


def test_mnist(mnist):
    train, test = datasets.MNIST(mnist), datasets.MNIST(mnist, train=False)
    assert tuple(train.data.shape) == (12, 28, 28) and train.data.dtype == torch.uint8
    assert train.targets.dtype == torch.int64 and test.targets.tolist() == [0, 1, 2, 3, 4]
    image, target = train[3]
    assert image.mode == "L" and target == 3 and type(target) is int
    assert (np.asarray(image) == train.data[3].numpy()).all()
    assert train.class_to_idx["9 - nine"] == 9 and "Split: Test" in repr(test)
    with pytest.warns(UserWarning, match="train_labels has been renamed targets"):
        assert train.train_labels is train.targets


def test_mnist_follows_a_replaced_tensor(mnist):
    data = datasets.MNIST(mnist)
    before = np.asarray(data[0][0])
    data.data = 255 - data.data
    data.targets = data.targets + 1
    assert (np.asarray(data[0][0]) == 255 - before).all() and data[0][1] == 1
    data.transform = transforms.ToTensor()
    for targets in (data.targets, data.targets.float(), data.targets.tolist()):
        data.targets = targets
        assert [target for _, target in data.__getitems__([3, 0, -1])] == [data[k][1] for k in (3, 0, -1)] == [4, 1, 2]


def test_mnist_from_the_web(web, packed_mnist, tmp_path, monkeypatch):
    import hashlib
    web.files = packed_mnist
    monkeypatch.setattr(datasets.MNIST, "mirrors", ["http://127.0.0.1:9/", web.url + "/"])
    monkeypatch.setattr(datasets.MNIST, "resources",
                        [(name, hashlib.md5(packed_mnist[name]).hexdigest()) for name, _ in datasets.MNIST.resources])
    assert len(datasets.MNIST(tmp_path / "new", download=True)) == 12
    monkeypatch.setattr(datasets.MNIST, "mirrors", ["http://127.0.0.1:9/"])
    with pytest.raises(RuntimeError, match="Error downloading train-images-idx3-ubyte.gz:\nTried http://127.0.0.1:9/"):
        datasets.MNIST(tmp_path / "newer", download=True)


def test_a_url_as_mirror(web, packed_mnist, tmp_path, monkeypatch, mnist):
    import hashlib
    web.files = {**packed_mnist, **{f"MNIST/raw/{p.name}": p.read_bytes() for p in (mnist / "MNIST" / "raw").iterdir()}}
    sums = "".join(f"{hashlib.sha256(body).hexdigest()} *./{name}\n" for name, body in web.files.items())
    web.files["SHA256SUMS"] = sums.encode()
    monkeypatch.setenv("FLAMBEAU_MIRROR", web.url)
    assert len(datasets.MNIST(tmp_path / "new", download=True)) == 12


@pytest.mark.parametrize("damage", [lambda b: b[:100], lambda b: b"PNG" + b[3:], lambda b: b""])
def test_damaged_idx_files(mnist, damage):
    path = mnist / "MNIST" / "raw" / "train-images-idx3-ubyte"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(RuntimeError, match="train-images-idx3-ubyte.*Delete it and download it again"):
        datasets.MNIST(mnist)


def test_mnist_missing(tmp_path):
    with pytest.raises(RuntimeError, match="Dataset not found. You can use download=True(.|\n)*t10k-labels-idx1-ubyte"):
        datasets.MNIST(tmp_path)


def test_the_family_of_mnist(mnist):
    for name in ("FashionMNIST", "KMNIST"):
        shutil.copytree(mnist / "MNIST", mnist / name)
        data = getattr(datasets, name)(mnist)
        assert len(data) == 12 and len(data.classes) == 10 and repr(data).startswith(f"Dataset {name}\n")


def test_emnist(mnist):
    raw = mnist / "EMNIST" / "raw"
    raw.mkdir(parents=True)
    for source, target in (("train", "train"), ("t10k", "test")):
        for kind in ("images-idx3-ubyte", "labels-idx1-ubyte"):
            shutil.copy(mnist / "MNIST" / "raw" / f"{source}-{kind}", raw / f"emnist-letters-{target}-{kind}")
    data = datasets.EMNIST(mnist, split="letters")
    assert len(data) == 12 and data.classes[:3] == ["N/A", "a", "b"]
    assert len(datasets.EMNIST(mnist, "letters", train=False)) == 5
    with pytest.raises(ValueError, match="Unknown value 'words' for argument split"):
        datasets.EMNIST(mnist, "words")


def test_qmnist(mnist):
    raw = mnist / "QMNIST" / "raw"
    raw.mkdir(parents=True)
    shutil.copy(mnist / "MNIST" / "raw" / "train-images-idx3-ubyte", raw / "qmnist-train-images-idx3-ubyte")
    labels = np.arange(12 * 8).reshape(12, 8)
    (raw / "qmnist-train-labels-idx2-int").write_bytes(b"\0\0\x0c\x02" + np.array([12, 8], ">u4").tobytes()
                                                       + labels.astype(">i4").tobytes())
    assert datasets.QMNIST(mnist)[2][1] == 16
    whole = datasets.QMNIST(mnist, what="train", compat=False)
    assert whole[1][1].tolist() == labels[1].tolist() and "Split: train" in repr(whole)


@pytest.fixture
def folders(tmp_path):
    for name, color in (("cat", "red"), ("dog", "blue")):
        (tmp_path / name / "deep").mkdir(parents=True)
        for place in ("b.png", "a.JPG", "deep/c.ppm"):
            Image.new("RGB", (5, 4), color).save(tmp_path / name / place)
        (tmp_path / name / "notes.txt").write_text("no image")
    return tmp_path


def test_image_folder(folders):
    data = datasets.ImageFolder(folders, transform=transforms.ToTensor())
    assert data.classes == ["cat", "dog"] and data.class_to_idx == {"cat": 0, "dog": 1}
    assert data.targets == [0, 0, 0, 1, 1, 1] and data.imgs is data.samples
    assert [os.path.basename(path) for path, _ in data.samples[:3]] == ["a.JPG", "b.png", "c.ppm"]
    image, target = data[4]
    assert target == 1 and image[2].min() == 1
    assert len(datasets.ImageFolder(folders, is_valid_file=lambda path: path.endswith("txt"))) == 2


def test_folders_without_images(folders):
    (folders / "bird").mkdir()
    with pytest.raises(FileNotFoundError,
                       match="Found no valid file for the classes bird. Supported extensions are: .jpg,"):
        datasets.ImageFolder(folders)
    assert datasets.ImageFolder(folders, allow_empty=True).classes == ["bird", "cat", "dog"]
    with pytest.raises(FileNotFoundError, match="Couldn't find any class folder"):
        datasets.ImageFolder(folders / "bird")
    with pytest.raises(ValueError, match="cannot be None or not None at the same time"):
        datasets.DatasetFolder(folders, str)


def test_dataset_folder(folders):
    data = datasets.DatasetFolder(folders, loader=lambda path: Path(path).read_text(), extensions=(".txt",))
    assert data[0] == ("no image", 0) and len(data) == 2


def test_fake_data():
    data = datasets.FakeData(size=5, image_size=(3, 6, 7), num_classes=4, transform=transforms.PILToTensor())
    torch.manual_seed(0)
    first = torch.rand(1)
    torch.manual_seed(0)
    (image, target), (again, _) = data[2], data[2]
    assert torch.rand(1) == first  # the stream outside is left alone
    assert tuple(image.shape) == (3, 6, 7) and torch.equal(image, again) and 0 <= target < 4
    with pytest.raises(IndexError):
        data[5]


def test_vision_dataset_takes_either_kind_of_transform():
    with pytest.raises(ValueError, match="Only transforms or transform/target_transform"):
        datasets.VisionDataset(transforms=str, transform=str)
