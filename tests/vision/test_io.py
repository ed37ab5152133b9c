"""Reading and writing image files: lossless values, modes, orientation, damaged files."""
from io import BytesIO

import numpy as np
import pytest
from image_files import FILES, MODES, NOISE, SMOOTH, with_orientation
from PIL import Image, ImageOps

import flambeau as torch
from flambeau.vision import io

RGB = np.asarray(SMOOTH).transpose(2, 0, 1)


def tensor(data):
    return torch.from_numpy(np.frombuffer(data, np.uint8).copy())


@pytest.mark.parametrize("level", [0, 9])
def test_png_is_lossless(tmp_path, level):
    io.write_png(torch.from_numpy(RGB.copy()), tmp_path / "a.png", level)
    assert (io.read_image(tmp_path / "a.png").numpy() == RGB).all()
    assert (io.decode_png(io.encode_png(torch.from_numpy(RGB[:1].copy()))).numpy() == RGB[:1]).all()


def test_jpeg_is_close(tmp_path):
    io.write_jpeg(torch.from_numpy(RGB.copy()), tmp_path / "a.jpg", 95)
    assert np.abs(io.read_image(tmp_path / "a.jpg").numpy().astype(int) - RGB).mean() < 3
    assert (io.read_image(tmp_path / "a.jpg").numpy().transpose(1, 2, 0) == Image.open(tmp_path / "a.jpg")).all()


@pytest.mark.parametrize("mode, channels", list(zip(MODES, [4, 1, 2, 3, 4])))
def test_modes(mode, channels):
    image = io.decode_image(tensor(FILES["png rgba"]), io.ImageReadMode[mode])
    assert image.shape == (channels, 13, 17) and image.dtype == torch.uint8
    if channels in (2, 4):
        assert (image[-1].numpy() == NOISE[..., 3]).all()
    if channels > 2:
        assert (image[:3].numpy() == NOISE[..., :3].transpose(2, 0, 1)).all()
    assert torch.equal(io.decode_image(tensor(FILES["png rgba"]), mode.lower()), image)


def test_deep_png():
    deep = io.decode_image(tensor(FILES["png deep"]))
    assert deep.dtype == torch.uint16 and (deep[0].numpy() == NOISE[..., 0].astype(np.uint16) * 257 + 3).all()


def test_palettes():
    image = io.decode_image(tensor(FILES["png palette"]), io.ImageReadMode.RGB).numpy().transpose(1, 2, 0)
    assert (image == np.asarray(SMOOTH.quantize(16).convert("RGB"))).all()
    assert io.decode_image(tensor(FILES["gif"])).shape == (3, 24, 20)
    assert io.decode_image(tensor(FILES["gif frames"])).shape == (2, 3, 24, 20)


@pytest.mark.parametrize("value", range(1, 9))
def test_orientation(value):
    turned = ImageOps.exif_transpose(Image.open(BytesIO(with_orientation(value, "PNG"))))
    image = io.decode_image(tensor(with_orientation(value, "PNG")), apply_exif_orientation=True)
    assert (image.numpy().transpose(1, 2, 0) == np.asarray(turned)).all()


@pytest.mark.parametrize("name", ["png cut", "jpeg cut", "text", "empty"])
def test_what_is_no_whole_image(name):
    with pytest.raises(RuntimeError):
        io.decode_image(tensor(FILES[name]))


def test_files(tmp_path):
    io.write_file(tmp_path / "a", torch.arange(5, dtype=torch.uint8))
    assert io.read_file(tmp_path / "a").tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(RuntimeError, match="No such file"):
        io.read_file(tmp_path / "b")
    with pytest.raises(RuntimeError, match="uint8"):
        io.write_file(tmp_path / "c", torch.zeros(3))
    assert not (tmp_path / "c").exists()
