"""Data sets in the official formats: torchvision reads the same attributes, samples and reprs from the same files."""
import importlib
import os
import shutil

import pytest

torch = pytest.importorskip("torch")
torchvision = pytest.importorskip("torchvision")

import image_sets

import flambeau.vision



@pytest.fixture(autouse=True)
def any_hash(monkeypatch):
    """The small files do not have the official hashes: both libraries take what is there."""
    monkeypatch.delenv("FLAMBEAU_MIRROR", raising=False)
    for name in image_sets.CASES:
        for library in (torchvision, flambeau.vision):
            module = importlib.import_module(getattr(library.datasets, name).__module__)
            if hasattr(module, "check_integrity"):
                monkeypatch.setattr(module, "check_integrity", lambda path, md5=None: os.path.isfile(path))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # torchvision leaves files open
@pytest.mark.parametrize("name", image_sets.CASES)
def test_same_as_torchvision(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where torchvision's LSUN leaves a file
    for package in image_sets.NEEDS.get(name, ()):
        pytest.importorskip(package)
    if name in ("KittiFlow", "HD1K") and not hasattr(torch.ops.image, "decode_png"):
        pytest.skip("this torchvision has no operators for images")
    write, cases = image_sets.CASES[name]
    (tmp_path / "theirs").mkdir()
    write(tmp_path / "theirs")
    shutil.copytree(tmp_path / "theirs", tmp_path / "ours")  # each may unpack archives
    for options in cases:
        expected = image_sets.summary(torchvision, name, tmp_path / "theirs", options)
        assert image_sets.summary(flambeau.vision, name, tmp_path / "ours", options) == expected, options


@pytest.mark.parametrize("name", image_sets.CASES)
def test_missing_files(name, tmp_path):
    for package in image_sets.NEEDS.get(name, ()):
        pytest.importorskip(package)
    expected, got = (image_sets.summary(library, name, tmp_path / side, image_sets.CASES[name][1][0])
                     for side, library in (("theirs", torchvision), ("ours", flambeau.vision)))
    assert expected["error"] == got["error"]
    if expected["error"] == "RuntimeError":  # what Python says of a missing file is put better
        assert got["message"].startswith(expected["message"][:40])
