"""Data sets wrapped for transforms.v2: torchvision's samples and errors from the same files."""
import importlib
import os
import pickle

import pytest

torch = pytest.importorskip("torch")
torchvision = pytest.importorskip("torchvision")

import image_sets

import flambeau
import flambeau.vision

CASES = [
    ("VOCDetection", {}, None), ("VOCDetection", {}, "all"), ("VOCDetection", {}, ["labels"]),
    ("VOCDetection", {}, ["colour"]), ("VOCDetection", {}, 3), ("VOCSegmentation", {}, None),
    ("VOCSegmentation", {}, ["masks"]), ("CocoDetection", {"annFile": "ROOT/annotations.json"}, None),
    ("CocoDetection", {"annFile": "ROOT/annotations.json"}, "all"),
    ("CocoCaptions", {"annFile": "ROOT/annotations.json"}, None), ("CelebA", {"target_type": "bbox"}, None),
    ("CelebA", {"target_type": ["identity", "bbox"]}, None), ("CelebA", {}, None),
    ("Kitti", {}, None), ("Kitti", {}, "all"), ("Kitti", {"train": False}, None), ("WIDERFace", {}, None),
    ("WIDERFace", {}, ["bbox", "blur"]), ("WIDERFace", {"split": "test"}, None), ("OxfordIIITPet", {}, None),
    ("OxfordIIITPet", {"target_types": ["category", "segmentation"]}, None),
    ("OxfordIIITPet", {"target_types": []}, None),
    ("Cityscapes", {}, None), ("Cityscapes", {"target_type": ["semantic", "instance"]}, None),
    ("Cityscapes", {"target_type": "polygon"}, None), ("GTSRB", {}, None), ("EuroSAT", {}, None), ("Food101", {}, None),
    ("Caltech101", {}, None), ("Caltech101", {"target_type": "annotation"}, None),
    ("SBDataset", {"mode": "segmentation"}, None), ("SBDataset", {}, None)]


def plain(value, root):
    metadata = [str(getattr(value, name)) for name in ("format", "canvas_size") if hasattr(value, name)]
    if isinstance(value, (torch.Tensor, flambeau.Tensor)):
        base = torch.Tensor if isinstance(value, torch.Tensor) else flambeau.Tensor
        return type(value).__name__, metadata, image_sets.plain(value.as_subclass(base), root)
    if isinstance(value, (tuple, list)):
        return [plain(part, root) for part in value]
    if isinstance(value, dict):
        return {key: plain(part, root) for key, part in value.items()}
    return image_sets.plain(value, root)


def outcome(library, name, root, options, keys):
    try:
        data = library.datasets.wrap_dataset_for_transforms_v2(image_sets.make(library, name, root, options), keys)
    except Exception as error:
        return type(error).__name__, str(error)[:50]
    return type(data).__name__, len(data), isinstance(data, getattr(library.datasets, name)), [
        plain(data[k], root) for k in range(len(data))]


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of pycocotools
@pytest.mark.parametrize("name, options, keys", CASES)
def test_same_as_torchvision(name, options, keys, tmp_path, monkeypatch):
    for package in image_sets.NEEDS.get(name, ()):
        pytest.importorskip(package)
    for library in (torchvision, flambeau.vision):
        module = importlib.import_module(getattr(library.datasets, name).__module__)
        if hasattr(module, "check_integrity"):
            monkeypatch.setattr(module, "check_integrity", lambda path, md5=None: os.path.isfile(path))
    image_sets.CASES[name][0](tmp_path)
    expected, got = (outcome(library, name, tmp_path, options, keys) for library in (torchvision, flambeau.vision))
    assert got == expected


def test_transforms_come_after_the_wrapping(tmp_path):
    image_sets.voc(tmp_path)
    for library in (torchvision, flambeau.vision):
        v2 = importlib.import_module(library.__name__ + ".transforms.v2")
        data = library.datasets.VOCDetection(str(tmp_path), transforms=v2.RandomHorizontalFlip(1.0))
        wrapped = library.datasets.wrap_dataset_for_transforms_v2(data)
        assert wrapped[0][1]["boxes"].tolist() == [[1, 2, 5, 4]]  # mirrored within 6 pixels
        assert wrapped.year == "2012" and pickle.loads(pickle.dumps(wrapped))[0][1]["labels"].tolist() == [12]


def test_other_sets(tmp_path):
    for library in (torchvision, flambeau.vision):
        with pytest.raises(TypeError, match="meant for subclasses"):
            library.datasets.wrap_dataset_for_transforms_v2([1, 2])
        with pytest.raises(TypeError, match="No wrapper exists for dataset class FakeData"):
            library.datasets.wrap_dataset_for_transforms_v2(library.datasets.FakeData())
