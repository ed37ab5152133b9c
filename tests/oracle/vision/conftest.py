"""The fixtures that run a transform in torchvision and in flambeau on equal samples and compare what comes out."""
import random
import re
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")
torchvision = pytest.importorskip("torchvision")

from PIL import Image, ImageFilter  # noqa: E402

import flambeau  # noqa: E402
import flambeau.vision  # noqa: E402


class Side:
    """One of the two libraries: its torch, its torchvision, and samples made of its tensors."""

    def __init__(self, torch, vision):
        import importlib

        self.torch, self.vision = torch, vision
        self.v1 = vision.transforms
        self.v2 = importlib.import_module(vision.__name__ + ".transforms.v2")
        self.F = importlib.import_module(vision.__name__ + ".transforms.v2.functional")
        self.tv = importlib.import_module(vision.__name__ + ".tv_tensors")

    def tensor(self, array):
        return self.torch.from_numpy(np.ascontiguousarray(array))


@pytest.fixture(scope="session")
def sides():
    return Side(torch, torchvision), Side(flambeau, flambeau.vision)


def plain(value):
    """A result without its library: arrays, kinds and metadata."""
    if isinstance(value, (torch.Tensor, flambeau.Tensor)):
        metadata = [(name, str(getattr(value, name))) for name in ("format", "canvas_size", "clamping_mode")
                    if hasattr(value, name)]
        base = torch.Tensor if isinstance(value, torch.Tensor) else flambeau.Tensor
        array = value.as_subclass(base).detach().numpy()
        return type(value).__name__, metadata, str(value.dtype), array
    if isinstance(value, Image.Image):
        return "PIL", [], value.mode, np.asarray(value)
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [plain(part) for part in value]
    if isinstance(value, dict):
        return "dict", {key: plain(part) for key, part in value.items()}
    return value


def outcome(side, make, sample, seed):
    """(the result or the error, the next random number, the transform's repr)."""
    side.torch.manual_seed(seed)
    random.seed(seed)
    shown = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            transform = make(side)
            shown = re.sub(r"0x[0-9a-f]+", "0x",
                           repr(transform)) if not callable(getattr(transform, "lambd", None)) else None
            result = plain(transform(sample(side)))
        except Exception as error:
            text = re.sub(r"<class '[\w.]*?(\w+)'>", r"\1", str(error)).split("\n  in module ")[0].strip()
            result = type(error).__name__, text[:50]
    return result, side.torch.rand(1).item(), shown


def assert_equal(expected, got, tolerance, where=""):
    """Equal structure, kinds, metadata and dtypes; integers within `tolerance[0]` for a share of `tolerance[1]`; floats
    close."""
    if not (isinstance(expected, tuple) and len(expected) == 4 and isinstance(expected[3], np.ndarray)):
        if isinstance(expected, (tuple, list)):
            assert type(expected) is type(got) and len(expected) == len(got), (where, expected, got)
            for k, (a, b) in enumerate(zip(expected, got)):
                assert_equal(a, b, tolerance, f"{where}[{k}]")
        elif isinstance(expected, dict):
            assert list(expected) == list(got)
            for key in expected:
                assert_equal(expected[key], got[key], tolerance, f"{where}[{key!r}]")
        else:
            assert expected == got, where
        return
    assert expected[:3] == got[:3], where
    a, b = expected[3], got[3]
    assert a.shape == b.shape, where
    if a.dtype.kind == "f":
        scale = max(1.0, float(np.abs(np.nan_to_num(a)).max(initial=0)))
        np.testing.assert_allclose(a, b, rtol=0, atol=(1e-5 if a.dtype == np.float32 else 1e-6) * scale, err_msg=where)
    elif a.dtype == bool or tolerance == (0, 0):
        np.testing.assert_array_equal(a, b, err_msg=where)
    else:
        difference = np.abs(a.astype(np.int64) - b.astype(np.int64))
        assert difference.max(initial=0) <= tolerance[0] and (difference > 0).mean() <= tolerance[1], (where,
                                                                                                       difference.max())


@pytest.fixture
def same(sides):
    """same(make, sample, seeds, tolerance): torchvision and flambeau agree, in the random stream and the repr, too."""
    def check(make, sample, seeds=(0, 1), tolerance=(0, 0)):
        for seed in seeds:
            expected, got = (outcome(side, make, sample, seed) for side in sides)
            assert_equal(expected[0], got[0], tolerance)
            assert expected[1:] == got[1:]
    return check


def pixels(kind):
    """(H, W, 3) uint8: noise, which brings out every rounding, or a smooth picture."""
    noise = np.random.default_rng(0).integers(0, 256, (33, 41, 3), dtype=np.uint8)
    if kind == "noise":
        return noise
    return np.asarray(Image.fromarray(noise[:, :33]).filter(ImageFilter.GaussianBlur(2)))


@pytest.fixture(scope="session")
def samples():
    """Functions of a side that make a sample, by name."""
    def chw(side, kind="noise"):
        return side.tensor(pixels(kind).transpose(2, 0, 1))

    def boxes(side, format="XYXY", dtype=None, **options):
        h, w = pixels("noise").shape[:2]
        rng = np.random.default_rng(1)
        corner, size = rng.uniform(0, .6, (5, 2)) * [w, h], rng.uniform(.1, .5, (5, 2)) * [w, h]
        upright = side.tensor(np.concatenate([corner, corner + size], 1).astype(np.float32))
        names = side.tv.BoundingBoxFormat
        if format in ("XYWHR", "CXCYWHR", "XYXYXYXY"):
            turned = side.tensor(np.concatenate([corner, size, rng.uniform(-90, 180, (5, 1))], 1).astype(np.float32))
            data = side.F.convert_bounding_box_format(turned, names.CXCYWHR, names[format])
        else:
            data = side.F.convert_bounding_box_format(upright, names.XYXY, names[format])
        data = data if dtype is None else data.to(getattr(side.torch, dtype))
        return side.tv.BoundingBoxes(data, format=format, canvas_size=(h, w), **options)

    def points(side):
        h, w = pixels("noise").shape[:2]
        return side.tv.KeyPoints(side.tensor((np.random.default_rng(2).uniform(0, 1, (4, 3, 2))
                                              * [w, h]).astype(np.float32)),
                                 canvas_size=(h, w))

    def masks(side):
        h, w = pixels("noise").shape[:2]
        return side.tv.Mask(side.tensor(np.random.default_rng(3).random((5, h, w)) < 0.4))

    def with_boxes(*args, **kwargs):
        return lambda side: (side.tv.Image(chw(side)),
                             {"boxes": boxes(side, *args, **kwargs), "labels": side.torch.arange(5)})

    made = {
        "pil": lambda side: Image.fromarray(pixels("noise")),
        "pil grey": lambda side: Image.fromarray(pixels("smooth")).convert("L"),
        "uint8": chw,
        "uint8 smooth": lambda side: chw(side, "smooth"),
        "channels last": lambda side: side.torch.from_numpy(pixels("noise")[..., :]).permute(2, 0, 1),
        "float32": lambda side: chw(side).float() / 255,
        "float64": lambda side: chw(side).double() / 255,
        "grey": lambda side: chw(side)[:1],
        "batch": lambda side: side.torch.stack([chw(side), chw(side).flip(-1)]),
        "Image": lambda side: side.tv.Image(chw(side)),
        "Video": lambda side: side.tv.Video(side.torch.stack([chw(side), chw(side).flip(-1)])),
        "detection": lambda side: {"image": side.tv.Image(chw(side)), "boxes": boxes(side), "masks": masks(side),
                                   "labels": side.torch.arange(5), "points": points(side)},
        "segmentation": lambda side: (side.tv.Image(chw(side)), side.tv.Mask(chw(side)[0])),
        "integer boxes": with_boxes("CXCYWH", dtype="int64"),
        "xywh boxes": with_boxes("XYWH"),
    }
    for format in ("XYWHR", "CXCYWHR", "XYXYXYXY"):
        made[f"{format} boxes"] = with_boxes(format, clamping_mode=None if format == "XYXYXYXY" else "soft")
    return made
