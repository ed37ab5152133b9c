"""torchvision.ops: values, gradients, random numbers, errors and reprs. What its C++ library computes is compared when
that library could be loaded."""
import numpy as np
import pytest

torch = pytest.importorskip("torch")
torchvision = pytest.importorskip("torchvision")

import flambeau
import flambeau.vision

SIDES = ((torch, torchvision.ops), (flambeau, flambeau.vision.ops))
native = pytest.mark.skipif(not torchvision.extension._has_ops(), reason="torchvision's C++ library is not loaded")
RNG = np.random.default_rng(0)


def boxes(n, size=20.0, dtype=np.float32, seed=0):
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, size * 0.7, (n, 2))
    return np.concatenate([low, low + rng.uniform(0.5, size * 0.5, (n, 2))], 1).astype(dtype)


def outcome(side, call, arrays):
    """Results, gradients with respect to floating arguments, or the error; and the next random number."""
    library, ops = side
    library.manual_seed(5)
    tensors = [library.from_numpy(a.copy()) if isinstance(a, np.ndarray) else a for a in arrays]
    for t in tensors:
        if hasattr(t, "is_floating_point") and t.is_floating_point():
            t.requires_grad_()
    try:
        result = call(ops, *tensors)
    except Exception as error:
        return type(error).__name__, str(error)
    if not hasattr(result, "detach"):
        return [str(result)]
    parts = [str(result.dtype), tuple(result.shape), result.detach().numpy()]
    if result.requires_grad:
        weights = library.arange(result.numel(), dtype=result.dtype).reshape(result.shape).sin()
        (result * weights).sum().backward()
        parts += [t.grad.numpy() if t.grad is not None else None for t in tensors if hasattr(t, "grad")]
    return [*parts, library.rand(1).numpy()]


def same(call, *arrays, tolerance=1e-4):
    wanted, got = (outcome(side, call, arrays) for side in SIDES)
    if isinstance(wanted, tuple):
        assert got == wanted
        return
    assert not isinstance(got, tuple), got
    assert len(wanted) == len(got)
    for a, b in zip(wanted, got):
        if isinstance(a, np.ndarray):
            np.testing.assert_allclose(b, a, rtol=tolerance, atol=tolerance * max(1.0, np.abs(a).max(initial=0)))
        else:
            assert str(a).replace("torch.", "") == str(b).replace("torch.", "")


A, B = boxes(6), boxes(5, seed=1)
TURNED = np.array([[1, 2, 3, 4, 30], [5, 5, 2, 8, -75]], np.float32)
LOSSES = ["complete_box_iou_loss", "distance_box_iou_loss", "generalized_box_iou_loss"]
FORMATS = ["xyxy", "xywh", "cxcywh"]
CASES = {
    **{name: (lambda o, a, b, name=name: getattr(o, name)(a, b), A, B)
       for name in ("box_iou", "generalized_box_iou", "complete_box_iou", "distance_box_iou")},
    **{f"{name} {reduction}": (lambda o, a, b, n=name, r=reduction: getattr(o, n)(a, b, reduction=r), A[:5], B)
       for name in LOSSES for reduction in ("none", "mean", "sum", "zz")},
    **{f"{a} to {b}": (lambda o, x, a=a, b=b: o.box_convert(x, a, b), A)
       for a in [*FORMATS, "zz"] for b in [*FORMATS, "xyxyxyxy"]},
    **{f"turned {a} to {b}": (lambda o, x, a=a, b=b: o.box_convert(x, a, b), TURNED)
       for a in ("xywhr", "cxcywhr") for b in ("xywhr", "cxcywhr", "xyxyxyxy")},
    "corners": (lambda o, x: o.box_convert(o.box_convert(x, "xywhr", "xyxyxyxy"), "xyxyxyxy", "cxcywhr"), TURNED),
    **{f"area {fmt}": (lambda o, x, fmt=fmt: o.box_area(x, fmt), A) for fmt in [*FORMATS, "zz"]},
    **{f"iou {fmt}": (lambda o, x, y, fmt=fmt: o.box_iou(x, y, fmt=fmt), A, B) for fmt in FORMATS},
    "integers": (lambda o, a, b: o.box_iou(a, b), A.astype(int), B.astype(int)),
    "short area": (lambda o, a: o.box_area(a), A.astype(np.int16)),
    "half area": (lambda o, a: o.box_area(a), A.astype(np.float16)),
    "clip": (lambda o, a: o.clip_boxes_to_image(a, (7, 9)), A),
    "small": (lambda o, a: o.remove_small_boxes(a, 4.0), A),
    "masks": (lambda o, m: o.masks_to_boxes(m), RNG.random((3, 7, 8)) < 0.05),
    "no masks": (lambda o, m: o.masks_to_boxes(m), np.zeros((0, 3, 3), bool)),
    **{f"focal {r}": (lambda o, x, y, r=r: o.sigmoid_focal_loss(x, y, reduction=r),
                      RNG.standard_normal((4, 3), np.float32), (RNG.random((4, 3)) < 0.5).astype(np.float32))
       for r in ("none", "mean", "sum", "zz")},
    "focal alpha": (lambda o, x: o.sigmoid_focal_loss(x, x, alpha=3), A),
    "drop 2d": (lambda o, x: o.drop_block2d(x, 0.2, 3), RNG.standard_normal((2, 3, 9, 8), np.float32)),
    "drop 3d": (lambda o, x: o.drop_block3d(x, 0.2, 3), RNG.standard_normal((2, 3, 6, 5, 7), np.float32)),
    "drop p": (lambda o, x: o.drop_block2d(x, 2, 3), A),
    "drop dims": (lambda o, x: o.drop_block2d(x, 0.2, 3), A),
    "depth row": (lambda o, x: o.stochastic_depth(x, 0.4, "row"), A),
    "depth batch": (lambda o, x: o.stochastic_depth(x, 0.4, "batch"), A),
    "depth p": (lambda o, x: o.stochastic_depth(x, 4, "batch"), A),
    "depth mode": (lambda o, x: o.stochastic_depth(x, 0.4, "zz"), A),
    "rois": (lambda o, x: o.roi_align(x, [x[0, 0, :3, :3]], 3), RNG.standard_normal((1, 1, 4, 4), np.float32)),
    "rois 5": (lambda o, x: o.roi_align(x, x[0, 0], 3), RNG.standard_normal((1, 1, 4, 4), np.float32)),
    "rois type": (lambda o, x: o.roi_align(x, 3, 3), RNG.standard_normal((1, 1, 4, 4), np.float32)),
    **{f"repr {text}": (lambda o, text=text: repr(eval(text, {"o": o})),) for text in (
        "o.RoIAlign(3, 1., 2)", "o.RoIPool(3, 1.)", "o.PSRoIAlign(3, 1., 2)", "o.PSRoIPool(3, 1.)",
        "o.DeformConv2d(4, 6, 3)", "o.DeformConv2d(4, 6, 3, 2, 1, 2, 2, False)", "o.DropBlock2d(.1, 3)",
        "o.DropBlock3d(.1, 3)", "o.MultiScaleRoIAlign(['0'], 3, 2)", "o.StochasticDepth(.1, 'row')",
        "o.FrozenBatchNorm2d(3)", "o.MLP(3, [4, 5], inplace=True)", "o.SqueezeExcitation(4, 2)", "o.Permute([1, 0])",
        "o.Conv2dNormActivation(3, 4, (3, 5), dilation=2)", "o.Conv3dNormActivation(3, 4, norm_layer=None)",
        "o.FeaturePyramidNetwork([3, 5], 4, o.feature_pyramid_network.LastLevelP6P7(4, 4))",
        "o.FeaturePyramidNetwork([0], 4)", "o.DeformConv2d(4, 6, 3, groups=3)")},
}


@pytest.mark.parametrize("name", CASES)
def test_plain(name):
    same(*CASES[name])


MAPS = np.random.default_rng(2).standard_normal((2, 12, 11, 13), dtype=np.float32)
ROIS = np.concatenate([np.array([[0], [1], [1], [0], [0], [1]], np.float32), boxes(6, 26) - 2], 1).astype(np.float32)
ROIS[5, 1:] = [4, 4, 4.2, 4.1]  # smaller than a pixel


@pytest.mark.slow
def test_roi_align_beside_the_reference():
    """torchvision's own description of roi_align in Python; for regions inside the map, which it does not clip."""
    from torchvision.ops.roi_align import _roi_align
    rois = np.concatenate([ROIS[:, :1], ROIS[:, 1:].clip(2, 20)], 1)
    for ratio in (-1, 2):
        for aligned in (False, True):
            wanted = _roi_align(torch.from_numpy(MAPS), torch.from_numpy(rois), 0.5, 3, 4, ratio, aligned)
            got = flambeau.vision.ops.roi_align(flambeau.from_numpy(MAPS), flambeau.from_numpy(rois), (3, 4), 0.5,
                                                ratio, aligned)
            np.testing.assert_allclose(got.numpy(), wanted.numpy(), rtol=1e-4, atol=1e-5)


@native
@pytest.mark.parametrize("scale", [1.0, 0.5])
@pytest.mark.parametrize("ratio", [-1, 2])
def test_regions(scale, ratio):
    for aligned in (False, True):
        same(lambda o, x: o.roi_align(x, _like(x, ROIS), (3, 4), scale, ratio, aligned), MAPS)
    same(lambda o, x: o.ps_roi_align(x, _like(x, ROIS), 2, scale, ratio), MAPS)


@native
@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_pools(scale):
    same(lambda o, x: o.roi_pool(x, _like(x, ROIS), (3, 4), scale), MAPS)
    same(lambda o, x: o.ps_roi_pool(x.detach(), _like(x, ROIS), 2, scale), MAPS)
    # at the last row and column, torchvision's gradient is not that of what it computes
    inside = np.concatenate([ROIS[:, :1], ROIS[:, 1:].clip(1, 9)], 1)
    same(lambda o, x: o.ps_roi_pool(x, _like(x, inside), 2, scale), MAPS)


def _like(x, array):
    return (torch if isinstance(x, torch.Tensor) else flambeau).from_numpy(array)


@native
@pytest.mark.parametrize("options", [{}, {"stride": (2, 1), "padding": (1, 2), "dilation": (1, 2)}])
@pytest.mark.parametrize("moved, groups", [(1, 1), (2, 1), (2, 2)])
def test_deform_conv2d(options, moved, groups):
    rng = np.random.default_rng(3)
    x, weight = rng.standard_normal((2, 4, 7, 8)), rng.standard_normal((6, 4 // groups, 3, 2))
    size = torch.nn.functional.conv2d(torch.from_numpy(x), torch.from_numpy(weight), groups=groups, **options).shape
    offset = rng.standard_normal((2, 2 * moved * 6, *size[2:])) * 2
    mask = rng.random((2, moved * 6, *size[2:]))
    bias = rng.standard_normal(6)
    same(lambda o, *a: o.deform_conv2d(*a[:4], mask=a[4], **options), x, offset, weight, bias, mask)
    same(lambda o, *a: o.deform_conv2d(*a, **options), x, offset, weight)


@native
@pytest.mark.parametrize("n", [0, 1, 40, 1500])
def test_nms(n):
    scores = np.random.default_rng(4).random(n, dtype=np.float32)
    ties = scores.round(2)
    classes = np.random.default_rng(5).integers(0, 3, n)
    for threshold in (0.2, 0.5):
        same(lambda o, b, s: o.nms(b, s, threshold), boxes(n, 60), ties)
        same(lambda o, b, s, c: o.batched_nms(b, s, c, threshold), boxes(n, 60), scores, classes)


@native
def test_multiscale_roi_align():
    def call(o, a, b):
        library = torch if isinstance(a, torch.Tensor) else flambeau
        pool = o.MultiScaleRoIAlign(["0", "1"], 3, 2)
        found = [library.from_numpy(boxes(7, 300)), library.from_numpy(boxes(4, 100, seed=3))]
        return pool({"0": a, "1": b, "other": a}, found, [(256, 256), (256, 200)])
    rng = np.random.default_rng(6)
    same(call, rng.standard_normal((2, 5, 32, 32), np.float32), rng.standard_normal((2, 5, 16, 16), np.float32))


@pytest.mark.parametrize("extra", [None, "LastLevelMaxPool()", "LastLevelP6P7(8, 4)", "LastLevelP6P7(4, 4)"])
def test_feature_pyramid_network(extra):
    def call(o, a, b):
        blocks = extra and eval("o.feature_pyramid_network." + extra, {"o": o})
        levels = o.FeaturePyramidNetwork([6, 8], 4, blocks)({"x": a, "y": b})
        library = torch if isinstance(a, torch.Tensor) else flambeau
        return library.cat([level.flatten() for level in levels.values()])
    rng = np.random.default_rng(7)
    same(call, rng.standard_normal((2, 6, 8, 10), np.float32), rng.standard_normal((2, 8, 4, 5), np.float32))
