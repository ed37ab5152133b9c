"""`flambeau demo`, its data and its picture."""
import io
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from flambeau.cli.demo import PROGRAM
from flambeau.examples import digits_picture


def run_demo(folder, *arguments):
    command = [sys.executable, "-m", "flambeau", "demo", "--out", "out", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def read(file):
    with Image.open(file) as image:
        return np.asarray(image.convert("RGB"))


def epochs(output):
    return [(float(loss), float(accuracy))
            for loss, accuracy in re.findall(r"^epoch .* loss (\S+)  test accuracy (\S+)%$", output, re.MULTILINE)]


def test_data():
    data = PROGRAM.with_name("optdigits.csv.gz")
    table = np.loadtxt(data, delimiter=",", dtype=np.uint8)
    assert table.shape == (1797, 65) and data.stat().st_size <= 120 * 1024
    assert table[:, :64].max() == 16
    assert np.bincount(table[:, 64]).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert "UCI" in PROGRAM.with_name("SOURCE.txt").read_text()


def test_two_epochs_give_pytorchs_numbers(tmp_path):
    """The losses and accuracies that PyTorch 2.13 prints for the same program."""
    out, err = run_demo(tmp_path, "--epochs", "2")
    assert out.startswith("1437 training digits, 360 test digits, 13706 parameters\n")
    losses, accuracies = zip(*epochs(out))
    assert losses == pytest.approx((2.1370, 0.9890), abs=1e-3)
    assert accuracies == pytest.approx((58.1, 81.4), abs=0.6)  # two of 360 digits: sums in another order may turn a maximum
    assert "epoch 2/2" in err  # the progress bar
    assert (tmp_path / "out/digits_lenet.pt").stat().st_size > 13706 * 4
    assert read(tmp_path / "out/digits_lenet.png").shape[1:] == (960, 3)


@pytest.mark.slow
def test_all_epochs(tmp_path):
    out, _ = run_demo(tmp_path)
    losses, accuracies = zip(*epochs(out))
    assert accuracies[-1] >= 96 and losses[-1] < 0.1
    assert float(re.search(r"^(\S+) s; wrote", out, re.MULTILINE)[1]) < 30


def test_program_is_ordinary():
    assert "flambeau" not in re.sub(r'""".*?"""|"flambeau-demo"', "", PROGRAM.read_text(), flags=re.DOTALL)


def test_png_can_be_read_back():
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    assert np.array_equal(read(io.BytesIO(digits_picture.png(pixels))), pixels)


def test_picture_without_matplotlib(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    images = np.zeros((3, 8, 8), np.float32)
    images[1] = 1
    digits_picture.save_picture(tmp_path / "a.png", [2.0, 1.0, 0.5], [0.5, 0.8, 0.9], images, [1, 2, 3], [1, 7, 3])
    pixels = read(tmp_path / "a.png")
    assert pixels.shape == (400, 960, 3)
    red = (pixels == digits_picture.RED).all(axis=-1)
    assert red[50:60, 490:540].any() and red.sum() == red[50:60, 490:540].sum()  # the wrong digit is first
    assert (pixels[62:102, 490:530] == 0).all()  # and its image, all black
    curve = (pixels == digits_picture.BLUE).all(axis=-1)
    assert curve[50:53, 60].any() and not curve[200:, :200].any()  # starts at the top left, and ends at a quarter
    assert curve[288:291, 459].any()


def test_picture_with_every_caption():
    captions = {digits_picture.caption(a, b) for a in range(10) for b in range(10)}
    used = set("".join(captions) + digits_picture.title([0.123456789]) + "training loss") - {" "}
    assert used <= set(digits_picture.FONT)
