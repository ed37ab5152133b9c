"""Reading and writing image files: torchvision's values and errors, where its C++ operators can be loaded."""
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")
torchvision = pytest.importorskip("torchvision")

from image_files import FILES, MODES, SMOOTH

if not hasattr(torch.ops.image, "decode_image"):
    pytest.skip("this torchvision has no operators for images", allow_module_level=True)


def outcome(call, side):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # theirs do not go through Python
        try:
            result = call(side, side.vision.io)
        except Exception as error:
            return type(error).__name__, None
        return str(result.dtype), result.numpy()


def agree(call, sides, tolerance=0):
    (kind, expected), (got_kind, got) = (outcome(call, side) for side in sides)
    assert kind == got_kind
    if expected is not None:
        assert expected.shape == got.shape
        if expected.size:
            assert np.abs(expected.astype(int) - got.astype(int)).max() <= tolerance


# torchvision returns packed 4-bit indices, memory that nothing was written to, and an opaque alpha of 1
THEIR_FAULTS = {("png palette", "UNCHANGED"), ("png palette", "GRAY_ALPHA"), ("png palette", "RGB_ALPHA"),
                ("png clear palette", "UNCHANGED"), ("png bits", "GRAY_ALPHA"), ("png bits", "RGB_ALPHA")}


@pytest.mark.parametrize("name, mode", [(name, mode) for name in FILES for mode in MODES
                                        if (name, mode) not in THEIR_FAULTS])
def test_decode_image(name, mode, sides):
    data = np.frombuffer(FILES[name], np.uint8).copy()
    agree(lambda side, io: io.decode_image(side.tensor(data), io.ImageReadMode[mode], apply_exif_orientation=True),
          sides, tolerance=1 if "cmyk" in name else 0)


@pytest.mark.parametrize("decoder", ["decode_png", "decode_jpeg", "decode_gif", "decode_webp"])
@pytest.mark.parametrize("name", ["png rgb", "jpeg rgb", "gif", "text", "empty"])
def test_decoders(decoder, name, sides):
    data = np.frombuffer(FILES[name], np.uint8).copy()
    agree(lambda side, io: getattr(io, decoder)(side.tensor(data)), sides)


def test_read_and_write(sides, tmp_path):
    pixels = np.asarray(SMOOTH).transpose(2, 0, 1)
    for k, side in enumerate(sides):
        image, io = side.tensor(pixels), side.vision.io
        io.write_png(image, tmp_path / f"{k}.png")
        io.write_jpeg(image, tmp_path / f"{k}.jpg", quality=90)
        io.write_file(tmp_path / f"{k}.bin", image.flatten())
    for name in ("0.png", "1.png", "0.jpg", "1.jpg"):
        agree(lambda side, io: io.read_image(str(tmp_path / name)), sides)
    agree(lambda side, io: io.read_file(str(tmp_path / "0.bin")), sides)
    assert (tmp_path / "0.bin").read_bytes() == (tmp_path / "1.bin").read_bytes()
    # each encoder's image, read by one decoder
    jpegs = [sides[0].vision.io.read_image(str(tmp_path / f"{k}.jpg")).numpy().astype(int) for k in range(2)]
    assert np.abs(jpegs[0] - jpegs[1]).max() <= 1


@pytest.mark.parametrize("call", [
    lambda side, io: io.encode_png(side.torch.zeros(3, 4, 4)),
    lambda side, io: io.encode_png(side.torch.zeros(4, 4, dtype=side.torch.uint8)),
    lambda side, io: io.encode_png(side.torch.zeros(2, 4, 4, dtype=side.torch.uint8)),
    lambda side, io: io.encode_png(side.torch.zeros(3, 4, 4, dtype=side.torch.uint8), 10),
    lambda side, io: io.encode_jpeg(side.torch.zeros(3, 4, 4, dtype=side.torch.uint8), 0),
    lambda side, io: io.read_image("/nowhere.png"),
    lambda side, io: io.write_file("/nowhere/x", side.torch.zeros(3, dtype=side.torch.uint8)),
    lambda side, io: io.write_file("/tmp/x", side.torch.zeros(3)),
    lambda side, io: io.decode_image(side.torch.zeros(3)),
    lambda side, io: io.decode_jpeg([]),
])
def test_errors(call, sides):
    agree(call, sides)
