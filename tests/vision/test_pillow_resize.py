"""Resizing as Pillow does it, without Pillow."""
import numpy as np
import pytest
from PIL import Image

from flambeau.vision.transforms._kernels import pillow_resize

RNG = np.random.default_rng(0)
NOISE = Image.fromarray(RNG.integers(0, 256, (61, 83, 3), dtype=np.uint8))
EDGES = Image.fromarray((RNG.random((40, 50, 3)) < 0.5).astype(np.uint8) * 255)


@pytest.mark.parametrize("resample", [2, 3])
@pytest.mark.parametrize("size", [(224, 224), (20, 30), (61, 83), (61, 10), (7, 83), (1, 1), (200, 3), (60, 82)])
@pytest.mark.parametrize("image", [NOISE, EDGES], ids=["noise", "edges"])
def test_same_as_pillow(image, size, resample):
    expected = np.asarray(image.resize(size[::-1], resample))
    assert (pillow_resize.resize(image, *size, resample) == expected).all()


def test_random_sizes():
    for _ in range(60):
        h, w, height, width = RNG.integers(1, 120, 4).tolist()
        image = Image.fromarray(RNG.integers(0, 256, (h, w, 3), dtype=np.uint8))
        resample = int(RNG.integers(2, 4))
        expected = np.asarray(image.resize((width, height), resample))
        assert (pillow_resize.resize(image, height, width, resample) == expected).all(), (h, w, height, width)


def test_an_image_in_several_blocks(monkeypatch):
    """Pillow's memory of large images is not in one piece."""
    def refuse(self):
        raise ValueError("Image is in multiple array blocks, use imaging_new_block for zero copy")

    monkeypatch.setattr(Image.Image, "__arrow_c_array__", refuse, raising=False)
    assert (pillow_resize.resize(NOISE, 20, 30, 2) == np.asarray(NOISE.resize((30, 20), 2))).all()


def test_the_installed_pillow_is_followed():
    """Otherwise Pillow itself would be asked, and nobody would notice."""
    assert pillow_resize.is_available()
