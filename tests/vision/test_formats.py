"""Data sets in the official formats: what torchvision was recorded to read, downloads, and what is wrong said."""
import json
import shutil
from pathlib import Path

import image_sets
import pytest

import flambeau.vision

RECORDED = json.loads((Path(__file__).parent / "recorded" / "datasets.json").read_text())


WITHOUT_DOWNLOAD = {"ImageNet", "CocoDetection", "CocoCaptions", "Cityscapes", "FER2013", "Flickr8k", "Flickr30k",
                    "StanfordCars", "LSUN", "SBU", "SBDataset", "Sintel", "KittiFlow", "FlyingChairs", "FlyingThings3D",
                    "HD1K"}

FLOWS = {"KittiFlow", "FlyingChairs", "FlyingThings3D", "HD1K"}  # whose errors are torchvision's


def files(name, folder):
    if name in image_sets.TO_WRITE:
        pytest.importorskip(image_sets.TO_WRITE[name])
    folder.mkdir(exist_ok=True)
    image_sets.CASES[name][0](folder)
    return folder


@pytest.mark.parametrize("name", image_sets.CASES)
def test_what_torchvision_reads(name, tmp_path, as_mirror):
    root = files(name, tmp_path / "root")
    as_mirror(root)  # for its hashes
    for options, expected in zip(image_sets.CASES[name][1], RECORDED[name], strict=True):
        got = json.loads(json.dumps(image_sets.summary(flambeau.vision, name, root, options)))
        assert got == expected, options


@pytest.mark.parametrize("name", sorted(set(image_sets.CASES) - WITHOUT_DOWNLOAD))
def test_download_from_a_mirror_of_unpacked_files(name, tmp_path, as_mirror):
    as_mirror(files(name, tmp_path / "mirror"))
    for options, expected in zip(image_sets.CASES[name][1], RECORDED[name], strict=True):
        if "error" not in expected:
            options = {**options, "download": True}
            got = json.loads(json.dumps(image_sets.summary(flambeau.vision, name, tmp_path / "new", options)))
            assert got == expected, options
    assert not list((tmp_path / "new").rglob("*.part"))


ARCHIVES = {  # official archives: (name, where the tiny set has the contents, entries)
    "STL10": [("stl10_binary.tar.gz", "", "stl10_binary")],
    "Caltech256": [("256_ObjectCategories.tar", "caltech256", "256_ObjectCategories")],
    "Flowers102": [("102flowers.tgz", "flowers-102", "jpg")],
    "OxfordIIITPet": [("images.tar.gz", "oxford-iiit-pet", "images"),
                      ("annotations.tar.gz", "oxford-iiit-pet", "annotations")],
    "Food101": [("food-101.tar.gz", "", "food-101")],
    "DTD": [("dtd-r1.0.1.tar.gz", "dtd", "dtd")],
    "EuroSAT": [("EuroSAT.zip", "eurosat", "2750")],
    "GTSRB": [("GTSRB-Training_fixed.zip", "gtsrb", "GTSRB")],
    "VOCDetection": [("VOCtrainval_11-May-2012.tar", "", "VOCdevkit")],
    "Places365": [("filelist_places365-standard.tar", "", "categories_places365.txt", "places365_train_standard.txt"),
                  ("train_large_places365standard.tar", "", "data_large")],
    "CelebA": [("img_align_celeba.zip", "celeba", "img_align_celeba")],
    "Omniglot": [("images_background.zip", "omniglot-py", "images_background")],
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_download_of_archives(name, tmp_path, as_mirror):
    source, mirror = files(name, tmp_path / "source"), tmp_path / "mirror"
    mirror.mkdir()
    if name == "Places365":
        (source / "data_large_standard").rename(source / "data_large")  # so it is called in the archive
    for archive, folder, *entries in ARCHIVES[name]:
        image_sets.pack(mirror / archive, source / folder, *entries)
    for file in [*source.rglob("*.mat"), *(source / "celeba").glob("*.txt")]:
        shutil.copy(file, mirror)
    as_mirror(source)
    as_mirror(mirror)
    with open(mirror / "SHA256SUMS", "a") as sums:  # what the archives hold has hashes, too
        sums.write((source / "SHA256SUMS").read_text())
    options = {**image_sets.CASES[name][1][0], "download": True}
    for _ in range(2):  # the second time everything is there
        got = json.loads(json.dumps(image_sets.summary(flambeau.vision, name, tmp_path / "new", options)))
        assert got == RECORDED[name][0]
    for path in mirror.iterdir():
        if path.name != "SHA256SUMS":
            path.unlink()  # nothing is asked for any more
    assert json.loads(json.dumps(image_sets.summary(flambeau.vision, name, tmp_path / "new", options))) == got


def test_caltech101_is_an_archive_of_archives(tmp_path, as_mirror):
    source, mirror = files("Caltech101", tmp_path / "source") / "caltech101", tmp_path / "mirror"
    mirror.mkdir()
    image_sets.pack(source / "caltech-101" / "101_ObjectCategories.tar.gz", source, "101_ObjectCategories")
    image_sets.pack(source / "caltech-101" / "Annotations.tar", source, "Annotations")
    image_sets.pack(mirror / "caltech-101.zip", source, "caltech-101")
    as_mirror(mirror)
    options = {"target_type": "annotation", "download": True}
    got = image_sets.summary(flambeau.vision, "Caltech101", tmp_path / "new", options)
    assert json.loads(json.dumps(got)) == RECORDED["Caltech101"][1]
    left = sorted(path.name for path in (tmp_path / "new" / "caltech101").iterdir())
    assert left == ["101_ObjectCategories", "Annotations"]


@pytest.mark.parametrize("name", sorted(set(image_sets.CASES) - {"LSUN"} - FLOWS))  # which fails in lmdb
def test_what_is_missing_is_named(name, tmp_path):
    if name in image_sets.TO_WRITE:
        pytest.importorskip(image_sets.TO_WRITE[name])
    with pytest.raises((RuntimeError, FileNotFoundError)) as info:
        image_sets.make(flambeau.vision, name, tmp_path / "root", image_sets.CASES[name][1][0])
    assert str(tmp_path / "root") in str(info.value)
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize("split", ["train", "val"])
def test_imagenet_half_unpacked_is_not_taken_for_whole(split, tmp_path, as_mirror):
    root = files("ImageNet", tmp_path / "root")
    whole = (root / f"ILSVRC2012_img_{split}.tar").read_bytes()
    (root / f"ILSVRC2012_img_{split}.tar").write_bytes(whole[:1200])
    as_mirror(root)
    with pytest.raises(RuntimeError, match="damaged"):
        flambeau.vision.datasets.ImageNet(root, split)
    assert not (root / split).exists()
    (root / f"ILSVRC2012_img_{split}.tar").write_bytes(whole)
    as_mirror(root)
    assert len(flambeau.vision.datasets.ImageNet(root, split)) == (4 if split == "train" else 3)


@pytest.mark.parametrize("keep", [100, 200, 1000])
def test_truncated_matlab_file(keep, tmp_path, as_mirror):
    root = files("SVHN", tmp_path / "root")
    path = root / "train_32x32.mat"
    path.write_bytes(path.read_bytes()[:keep])
    as_mirror(root)
    with pytest.raises(RuntimeError, match="train_32x32.mat is not a MATLAB 5 file, or truncated or damaged"):
        flambeau.vision.datasets.SVHN(root)


def test_damaged_usps(tmp_path):
    root = files("USPS", tmp_path / "root")
    (root / "usps.bz2").write_bytes((root / "usps.bz2").read_bytes()[:500])
    with pytest.raises(RuntimeError, match="usps.bz2 is damaged"):
        flambeau.vision.datasets.USPS(root)
