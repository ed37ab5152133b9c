"""Data sets in the official formats: what torchvision was recorded to read, downloads, and what is wrong said."""
import json
import random
import shutil
from pathlib import Path

import image_sets
import pytest

import flambeau.vision

RECORDED = json.loads((Path(__file__).parent / "recorded" / "datasets.json").read_text())


WITHOUT_DOWNLOAD = {"ImageNet", "CocoDetection", "CocoCaptions", "Cityscapes", "FER2013", "Flickr8k", "Flickr30k",
                    "StanfordCars", "LSUN", "SBU", "SBDataset", "Sintel", "KittiFlow", "FlyingChairs", "FlyingThings3D",
                    "HD1K", "CarlaStereo", "Kitti2012Stereo", "Kitti2015Stereo", "CREStereo", "FallingThingsStereo",
                    "SceneFlowStereo", "SintelStereo", "InStereo2k", "ETH3DStereo"}

# Whose errors are torchvision's, without the folder
OTHER_ERRORS = {"KittiFlow", "FlyingChairs", "FlyingThings3D", "HD1K", "Middlebury2014Stereo"}


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


def test_middleburys_test_scenes_are_moved_to_their_place(tmp_path, as_mirror):
    source, mirror = files("Middlebury2014Stereo", tmp_path / "source"), tmp_path / "mirror"
    mirror.mkdir()
    (tmp_path / "MiddEval3").mkdir()
    (source / "Middlebury2014" / "test").rename(tmp_path / "MiddEval3" / "testF")
    image_sets.pack(mirror / "MiddEval3-data-F.zip", tmp_path, "MiddEval3")
    as_mirror(mirror)
    data = flambeau.vision.datasets.Middlebury2014Stereo(tmp_path / "new", "test", None, download=True)
    assert len(data) == 15 and data[0][2:] == (None, None)
    assert sorted(path.name for path in (tmp_path / "new" / "Middlebury2014").iterdir()) == ["test"]


def test_the_right_image_in_any_light(tmp_path):
    image_sets.middlebury(tmp_path)
    for scene in (tmp_path / "Middlebury2014" / "train").iterdir():
        shutil.copy(scene / "im0.png", scene / "im1E.png")
    data = flambeau.vision.datasets.Middlebury2014Stereo(tmp_path, use_ambient_views=True)
    random.seed(0)
    seen = [data[0][1].tobytes() for _ in range(20)]
    assert data[0][0].tobytes() in seen and len(set(seen)) == 2


def test_stereo_transforms_take_pairs(tmp_path):
    image_sets.kitti_stereo(tmp_path)

    def crop(images, disparities, masks):
        assert masks == (None, None)
        return images, [d[:, 1:] for d in disparities], [d[0] > 9 for d in disparities]

    left, right, disparity, valid = flambeau.vision.datasets.Kitti2015Stereo(tmp_path, transforms=crop)[1]
    assert disparity.shape == (1, 4, 6) and valid.shape == (5, 6) and left.size == right.size == (6, 5)


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


@pytest.mark.parametrize("name", sorted(set(image_sets.CASES) - {"LSUN"} - OTHER_ERRORS))  # which fails in lmdb
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
