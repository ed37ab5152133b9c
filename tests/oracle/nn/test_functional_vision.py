"""Resizing and rearranging pixels against PyTorch: values, dtypes, gradients and errors."""

import itertools
import warnings

import numpy as np
import pytest

import flambeau

torch = pytest.importorskip("torch")

SHAPES = {1: (2, 3, 7), 2: (2, 3, 7, 5), 3: (1, 2, 5, 4, 6)}


def agree(call, *shapes, dtype="float32", rtol=1e-5, atol=1e-5):
    """`call(module, *tensors)` gives the same values and gradients, or the same error."""
    seen = []
    for module in (torch, flambeau):
        random = np.random.default_rng(0)
        given = [
            module.tensor(random.standard_normal(s) * 0.9, dtype=getattr(module, dtype)).requires_grad_(True)
            for s in shapes
        ]
        try:
            result = call(module, *given)
            weight = module.tensor(random.standard_normal(tuple(result.shape)), dtype=result.dtype)
            (result * weight).sum().backward()
        except Exception as error:
            seen.append(f"{type(error).__name__}: {error}")
            continue
        parts = [result.detach(), *(t.grad for t in given if t.grad is not None)]
        seen.append((str(result.dtype), [t.double().numpy() for t in parts]))
    theirs, ours = seen
    if isinstance(theirs, str) or isinstance(ours, str):
        assert ours == theirs
        return
    assert ours[0].split(".")[1] == theirs[0].split(".")[1] and len(ours[1]) == len(theirs[1])
    for a, b in zip(ours[1], theirs[1]):
        np.testing.assert_allclose(a, b, rtol, atol)


def interpolated(**options):
    return lambda m, x: m.nn.functional.interpolate(x, **options)


@pytest.mark.parametrize("nd", [1, 2, 3])
@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "area"])
@pytest.mark.parametrize(
    "options",
    [
        {"size": 9},
        {"size": 3},
        {"scale_factor": 2},
        {"scale_factor": 0.6},
        {"scale_factor": 1.7, "recompute_scale_factor": True},
    ],
)
def test_interpolate_by_pixels(nd, mode, options):
    for dtype in ("float32", "float64"):
        agree(interpolated(mode=mode, **options), SHAPES[nd], dtype=dtype)


@pytest.mark.parametrize(("nd", "mode"), [(1, "linear"), (2, "bilinear"), (2, "bicubic"), (3, "trilinear")])
@pytest.mark.parametrize(
    "options",
    [
        {"size": 9},
        {"size": 3},
        {"size": 1},
        {"size": 5},
        {"scale_factor": 2},
        {"scale_factor": 0.6},
        {"scale_factor": 1.7, "recompute_scale_factor": True},
    ],
)
def test_interpolate_by_weights(nd, mode, options):
    for dtype, align in itertools.product(("float32", "float64"), (None, False, True)):
        agree(interpolated(mode=mode, align_corners=align, **options), SHAPES[nd], dtype=dtype)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize(
    "options", [{"size": 9}, {"size": 3}, {"scale_factor": 0.6}, {"size": (2, 9), "align_corners": True}]
)
def test_interpolate_antialiased(mode, options):
    agree(interpolated(mode=mode, antialias=True, **options), (2, 3, 12, 9))


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((2, 3, 4), {}),
        ((2, 3, 4), {"size": 2, "scale_factor": 2}),
        ((2, 3, 4), {"size": (2, 3)}),
        ((2, 3, 4), {"scale_factor": (2, 3)}),
        ((2, 3, 4), {"size": (2.5,)}),
        ((2, 3, 4), {"size": 0}),
        ((2, 3, 4, 4), {"size": (2, 0)}),
        ((2, 3, 4), {"size": 2, "mode": "bilinear"}),
        ((2, 3, 4, 4), {"size": 2, "mode": "linear"}),
        ((2, 3), {"size": 2}),
        ((2, 3, 4), {"size": 2, "mode": "bicubic"}),
        ((2, 3, 4), {"size": 2, "align_corners": True}),
        ((2, 3, 4), {"size": 2, "mode": "x"}),
        ((2, 3, 4), {"size": 2, "recompute_scale_factor": True}),
        ((2, 3, 4), {"size": 2, "antialias": True}),
        ((2, 3, 4, 4), {"size": 2, "mode": "lanczos"}),
    ],
)
def test_interpolate_errors(shape, options):
    agree(interpolated(**options), shape)


def test_interpolate_half_and_bytes():
    for dtype in ("float16", "bfloat16"):
        agree(interpolated(scale_factor=1.5, mode="bilinear"), (1, 2, 6, 4), dtype=dtype, atol=0.02, rtol=0.02)
    values = np.random.default_rng(0).integers(0, 256, (1, 3, 9, 7)).astype(np.uint8)
    for mode, within in (("nearest", 0), ("bilinear", 1), ("bicubic", 1)):
        ours, theirs = (
            m.nn.functional.interpolate(m.tensor(values), size=(5, 12), mode=mode).numpy().astype(int)
            for m in (flambeau, torch)
        )
        assert ours.shape == theirs.shape and abs(ours - theirs).max() <= within


@pytest.mark.parametrize("name", ["upsample", "upsample_nearest", "upsample_bilinear"])
def test_deprecated_names(name):
    for module in (torch, flambeau):
        with pytest.warns(
            UserWarning, match=f"`nn.functional.{name}` is deprecated. Use `nn.functional.interpolate` instead."
        ):
            getattr(module.nn.functional, name)(module.ones(1, 1, 4, 4), scale_factor=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        agree(lambda m, x: getattr(m.nn.functional, name)(x, scale_factor=2), (1, 2, 3, 4))


@pytest.mark.parametrize("factor", [2, 1, 0, 3])
@pytest.mark.parametrize("name", ["pixel_shuffle", "pixel_unshuffle", "channel_shuffle"])
def test_shuffles(name, factor):
    for shape in ((2, 8, 4, 6), (8, 4, 6), (4, 6)):
        agree(lambda m, x: getattr(m.nn.functional, name)(x, factor), shape)


@pytest.mark.parametrize("align", [False, True])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize(
    ("mode", "nd"), [("bilinear", 2), ("bilinear", 3), ("nearest", 2), ("nearest", 3), ("bicubic", 2)]
)
def test_grid_sample(mode, nd, padding, align):
    def call(m, x, grid):
        return m.nn.functional.grid_sample(x, grid * 1.5, mode=mode, padding_mode=padding, align_corners=align)

    agree(call, SHAPES[nd], (SHAPES[nd][0], *(4, 3, 2)[:nd], nd), dtype="float64", rtol=1e-6, atol=1e-8)
    agree(call, SHAPES[nd], (SHAPES[nd][0], *(4, 3, 2)[:nd], nd), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("shapes", "options"),
    [
        (((2, 3, 4, 4), (2, 3, 3, 3)), {}),
        (((2, 3, 4, 4), (1, 3, 3, 2)), {}),
        (((2, 3, 4), (2, 3, 1)), {}),
        (((2, 3, 4, 4), (2, 3, 3, 3, 2)), {}),
        (((2, 3, 4, 4), (2, 3, 3, 2)), {"mode": "cubic"}),
        (((2, 3, 4, 4), (2, 3, 3, 2)), {"padding_mode": "wrap"}),
        (((2, 3, 4, 4, 4), (2, 3, 3, 3, 3)), {"mode": "bicubic"}),
    ],
)
def test_grid_sample_errors(shapes, options):
    agree(lambda m, x, grid: m.nn.functional.grid_sample(x, grid, align_corners=False, **options), *shapes)


@pytest.mark.parametrize("align", [False, True])
def test_affine_grid(align):
    for theta, size in (
        ((2, 2, 3), (2, 3, 4, 5)),
        ((2, 3, 4), (2, 1, 3, 4, 2)),
        ((2, 2, 3), (2, 3, 4)),
        ((2, 3, 3), (2, 3, 4, 5)),
        ((2, 2, 3), (2, 3, 0, 5)),
    ):
        for dtype in ("float32", "float64"):
            agree(lambda m, t: m.nn.functional.affine_grid(t, size, align_corners=align), theta, dtype=dtype)
