"""torchvision.ops against plain descriptions in NumPy, and by their gradients."""
import numpy as np
import pytest

import flambeau as torch
from flambeau.vision import ops


def boxes(n, size=20.0, seed=0):
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, size * 0.7, (n, 2))
    return np.concatenate([low, low + rng.uniform(1, size * 0.5, (n, 2))], 1)


def iou(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    inter = max(width, 0) * max(height, 0)
    return inter / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inter)


@pytest.mark.parametrize("threshold", [0.1, 0.5])
def test_nms(threshold):
    found, scores = boxes(60), np.random.default_rng(1).random(60)
    kept = []
    for i in np.argsort(-scores):
        if all(iou(found[i], found[j]) <= threshold for j in kept):
            kept.append(i)
    assert ops.nms(torch.tensor(found), torch.tensor(scores), threshold).tolist() == kept
    assert ops.nms(torch.zeros(0, 4), torch.zeros(0), 0.5).shape == (0,)
    with pytest.raises(RuntimeError, match="should be a 2d tensor"):
        ops.nms(torch.zeros(4), torch.zeros(1), 0.5)


@pytest.mark.parametrize("n", [30, 1200])
def test_batched_nms_keeps_classes_apart(n):
    found, scores = torch.tensor(boxes(n)), torch.tensor(np.random.default_rng(1).random(n))
    classes = torch.arange(n) % 3
    kept = ops.batched_nms(found, scores, classes, 0.3)
    assert (scores[kept].diff() <= 0).all()
    for c in range(3):
        members = torch.where(classes == c)[0]
        alone = members[ops.nms(found[members], scores[members], 0.3)]
        assert [i for i in kept.tolist() if i % 3 == c] == alone.tolist()


def test_box_iou():
    a, b = boxes(4), boxes(3, seed=2)
    expected = [[iou(x, y) for y in b] for x in a]
    np.testing.assert_allclose(ops.box_iou(torch.tensor(a), torch.tensor(b)).numpy(), expected, rtol=1e-6)
    for fmt in ("xywh", "cxcywh"):
        converted = [ops.box_convert(torch.tensor(x), "xyxy", fmt) for x in (a, b)]
        np.testing.assert_allclose(ops.box_iou(*converted, fmt=fmt).numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("fmt", ["xywh", "cxcywh"])
def test_box_convert_and_back(fmt):
    a = torch.tensor(boxes(5))
    assert torch.allclose(ops.box_convert(ops.box_convert(a, "xyxy", fmt), fmt, "xyxy"), a)
    turned = torch.tensor([[5.0, 6.0, 4.0, 2.0, 30.0]])
    for other in ("cxcywhr", "xyxyxyxy"):
        assert torch.allclose(ops.box_convert(ops.box_convert(turned, "xywhr", other), other, "xywhr"), turned)
    with pytest.raises(ValueError, match="Unsupported Bounding Box Conversions"):
        ops.box_convert(a, "xyxy", "polygon")


def test_roi_align_of_a_plane_is_exact():
    """Bilinear samples of a linear function are its values, and their mean is that at the bin's centre."""
    y, x = np.mgrid[0:20, 0:30].astype(np.float64)
    plane = torch.tensor((2 * x + 3 * y)[None, None])
    roi = torch.tensor([[0, 4.0, 3.0, 16.0, 12.0]], dtype=torch.float64)
    got = ops.roi_align(plane, roi, (3, 4), sampling_ratio=2)[0, 0].numpy()
    centres_x, centres_y = 4 + 3 * (np.arange(4) + 0.5), 3 + 3 * (np.arange(3) + 0.5)
    np.testing.assert_allclose(got, 2 * centres_x + 3 * centres_y[:, None])
    aligned = ops.roi_align(plane, roi, (3, 4), sampling_ratio=2, aligned=True)[0, 0].numpy()
    np.testing.assert_allclose(aligned, got - 2.5)


def test_roi_pool():
    plane = torch.arange(48.0).view(1, 1, 6, 8)
    got = ops.roi_pool(plane, [torch.tensor([[1.0, 1.0, 4.0, 4.0]])], 2)
    assert got.tolist() == [[[[18.0, 20.0], [34.0, 36.0]]]]


REGIONS = torch.tensor([[0, 1.2, 0.7, 5.1, 6.3], [1, -2.0, 2.0, 3.0, 9.0], [1, 4, 4, 4.5, 4.2]], dtype=torch.float64)


@pytest.mark.parametrize("call", [
    lambda x: ops.roi_align(x, REGIONS, (2, 3), 0.9, 2), lambda x: ops.roi_align(x, REGIONS, 2, 0.9, -1, True),
    lambda x: ops.roi_pool(x, REGIONS, 2, 0.9), lambda x: ops.ps_roi_align(x, REGIONS, 2, 0.9, 2),
    lambda x: ops.ps_roi_pool(x, REGIONS, 2, 0.9)])
def test_gradients_of_regions(call):
    torch.manual_seed(0)
    x = torch.randn(2, 4, 5, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(call, (x,))


def test_deform_conv2d():
    torch.manual_seed(0)
    x, weight = torch.randn(2, 4, 6, 5, dtype=torch.float64), torch.randn(6, 2, 3, 2, dtype=torch.float64)
    still = torch.zeros(2, 2 * 6, 4, 6, dtype=torch.float64)
    plain = torch.nn.functional.conv2d(x, weight, padding=(0, 1), groups=2)
    assert torch.allclose(ops.deform_conv2d(x, still, weight, padding=(0, 1)), plain)
    right = still.clone()
    right[:, 1::2] = 1  # every place reads one pixel further right
    moved = torch.nn.functional.conv2d(torch.nn.functional.pad(x, (0, 2))[..., 1:], weight, padding=(0, 1), groups=2)
    inner = ops.deform_conv2d(x, right, weight, padding=(0, 1))[..., 1:-1]
    assert torch.allclose(inner, moved[..., 1:inner.shape[-1] + 1])
    layer = ops.DeformConv2d(4, 6, 3)
    assert layer(torch.ones(1, 4, 5, 5), torch.zeros(1, 18, 3, 3), torch.zeros(1, 9, 3, 3)).flatten(2).std(2).max() < 1e-6
    with pytest.raises(RuntimeError, match="offset"):
        ops.deform_conv2d(x, still[:, :3], weight)


def test_losses_of_equal_boxes_vanish():
    a = torch.tensor(boxes(4), requires_grad=True)
    for loss in (ops.generalized_box_iou_loss, ops.distance_box_iou_loss, ops.complete_box_iou_loss):
        assert loss(a, a.detach(), reduction="mean").item() == pytest.approx(0, abs=1e-6)
        shifted = loss(a + 100, a.detach(), reduction="sum")
        assert shifted > 4
    with pytest.raises(ValueError, match="reduction"):
        ops.generalized_box_iou_loss(a, a, reduction="most")


def test_masks_to_boxes():
    masks = torch.zeros(2, 5, 6, dtype=torch.bool)
    masks[0, 1:3, 2:6] = True
    assert ops.masks_to_boxes(masks).tolist() == [[2, 1, 5, 2], [0, 0, 0, 0]]


def test_random_layers_keep_the_mean_and_rest_in_evaluation():
    torch.manual_seed(0)
    x = torch.ones(4000, 2, 1, 1)
    for mode in ("row", "batch"):
        out = ops.StochasticDepth(0.25, mode)(x)
        assert set(out.flatten().double().round(decimals=5).tolist()) <= {0.0, 1.33333}
    assert ops.stochastic_depth(x, 0.25, "row").mean().item() == pytest.approx(1, abs=0.05)
    dropped = ops.drop_block2d(torch.ones(2, 3, 20, 20), 0.3, 3)
    assert dropped.mean().item() == pytest.approx(1, abs=1e-4) and 0.1 < (dropped == 0).float().mean() < 0.5
    assert ops.DropBlock2d(0.3, 3).eval()(x) is x and ops.StochasticDepth(0.3, "row").eval()(x) is x


def test_frozen_batch_norm():
    norm, frozen = torch.nn.BatchNorm2d(3), ops.FrozenBatchNorm2d(3)
    norm(torch.randn(4, 3, 2, 2) * 3 + 1)
    frozen.load_state_dict(norm.state_dict())
    x = torch.randn(2, 3, 2, 2)
    assert torch.allclose(frozen(x), norm.eval()(x), atol=1e-6) and not list(frozen.parameters())


def test_feature_pyramid_network():
    pyramid = ops.FeaturePyramidNetwork([4, 8], 6, ops.feature_pyramid_network.LastLevelMaxPool())
    levels = pyramid({"a": torch.ones(1, 4, 8, 10), "b": torch.ones(1, 8, 4, 5)})
    assert {name: tuple(level.shape) for name, level in levels.items()} == {
        "a": (1, 6, 8, 10), "b": (1, 6, 4, 5), "pool": (1, 6, 2, 3)}


def test_multiscale_roi_align_takes_large_boxes_from_coarse_maps():
    pool = ops.MultiScaleRoIAlign(["fine", "coarse"], 2, 2)
    maps = {"fine": torch.zeros(1, 1, 64, 64), "coarse": torch.ones(1, 1, 32, 32), "other": torch.ones(1, 9, 2, 2)}
    found = pool(maps, [torch.tensor([[0.0, 0, 20, 20], [0, 0, 250, 250]])], [(256, 256)])
    assert found.shape == (2, 1, 2, 2) and found.mean((1, 2, 3)).tolist() == [0.0, 1.0]
