"""Detection models: state, initialisation, losses and detections are torchvision's."""
import numpy as np
import pytest

torch = pytest.importorskip("torch")
torchvision = pytest.importorskip("torchvision")

import flambeau

native = pytest.mark.skipif(not torchvision.extension._has_ops(), reason="torchvision's C++ library is not loaded")
slow = pytest.mark.slow
SMALL = {"min_size": 64, "max_size": 128, "num_classes": 5}
MODELS = [
    ("fasterrcnn_mobilenet_v3_large_320_fpn", {"rpn_score_thresh": 0.0}),
    ("ssdlite320_mobilenet_v3_large", {}),
    *(pytest.param(name, kwargs, marks=slow) for name, kwargs in [
        ("fasterrcnn_resnet50_fpn", {}), ("fasterrcnn_resnet50_fpn_v2", {}), ("fasterrcnn_mobilenet_v3_large_fpn", {}),
        ("maskrcnn_resnet50_fpn", {}), ("maskrcnn_resnet50_fpn_v2", {}), ("keypointrcnn_resnet50_fpn", {}),
        ("retinanet_resnet50_fpn", {}), ("retinanet_resnet50_fpn_v2", {}),
        ("fcos_resnet50_fpn", {}), ("ssd300_vgg16", {})]),
]


def settings(name, kwargs):
    """Few classes and small images, where a model lets us choose their size."""
    return {**({"num_classes": 5} if name.startswith("ssd") else SMALL), **kwargs}


def pictures():
    rng = np.random.default_rng(0)
    return [rng.random((3, *size), dtype=np.float32) for size in ((60, 80), (70, 50))]


def targets():
    rng = np.random.default_rng(1)
    found = []
    for height, width, count in ((60, 80, 3), (70, 50, 2)):
        corner = rng.uniform(0, 0.5, (count, 2)) * [width, height]
        size = rng.uniform(0.2, 0.5, (count, 2)) * [width, height]
        boxes = np.concatenate([corner, corner + size], 1).astype(np.float32)
        points = corner[:, None] + size[:, None] * rng.uniform(0, 1, (count, 17, 2))
        keypoints = np.concatenate([points, rng.integers(0, 2, (count, 17, 1))], -1).astype(np.float32)
        masks = (rng.random((count, height, width)) < 0.5).astype(np.uint8)
        found.append({"boxes": boxes, "labels": rng.integers(1, 5, count), "masks": masks, "keypoints": keypoints})
    return found


def detections(models, library):
    """The detections of each image, as arrays."""
    model = (models.theirs if library is torch else models.ours).eval()
    with library.no_grad():
        found = model([library.from_numpy(picture) for picture in pictures()])
    return [{key: value.numpy() for key, value in of_image.items()} for of_image in found]


def share_found(wanted, got):
    """The share of detections that both sides have. With random weights scores are so close that the last digit decides
    which of two overlapping boxes stays, so it need not be 1."""
    hits = 0
    for i, (box, label, score) in enumerate(zip(wanted["boxes"], wanted["labels"], wanted["scores"])):
        same = ((np.abs(got["boxes"] - box).max(1) < 0.05) & (got["labels"] == label)
                & (np.abs(got["scores"] - score) < 1e-3))
        hits += any(all(np.abs(got[key][j] - wanted[key][i]).max() < 0.05 * max(1, np.abs(wanted[key][i]).max())
                        for key in ("masks", "keypoints_scores") if key in wanted) for j in np.flatnonzero(same))
    return hits / max(1, len(wanted["boxes"]))


@pytest.mark.parametrize("name, kwargs", MODELS)
def test_state(pair, name, kwargs):
    pair(name, weights_backbone=None, **settings(name, kwargs))


@native
@pytest.mark.parametrize("name, kwargs", MODELS)
def test_detections_and_losses(pair, name, kwargs):
    thresholds = {"box_score_thresh": 0.0} if "rcnn" in name else {"score_thresh": 0.0}
    models = pair(name, weights_backbone=None, **settings(name, {**thresholds, **kwargs}))
    if name.startswith("ssd"):
        same_parts(models)  # as they are initialised, all boxes have the same scores: which are best is chance
    else:
        same_detections(models)
    models.assert_equal_outputs(pictures(), targets(), training=True, tolerance=2e-2)


def same_parts(models):
    """The head's outputs and the boxes for a batch; the choice among boxes from outputs that differ."""
    batch = np.random.default_rng(3).standard_normal((1, 3, 320, 320), dtype=np.float32)
    parts = []
    for library, model in ((torch, models.theirs.eval()), (flambeau, models.ours.eval())):
        from importlib import import_module

        with library.no_grad():
            x = library.from_numpy(batch)
            maps = list(model.backbone(x).values())
            outputs = model.head(maps)
            module = import_module(model.anchor_generator.__module__.rpartition(".")[0] + ".image_list")
            anchors = model.anchor_generator(module.ImageList(x, [(320, 320)]), maps)
            rng = np.random.default_rng(4)
            random = {key: library.from_numpy(rng.standard_normal(value.shape, dtype=np.float32) * scale)
                      for (key, value), scale in zip(sorted(outputs.items()), (0.3, 3.0))}
            found = model.postprocess_detections(random, anchors, [(320, 320)])[0]
        parts.append(([value.numpy() for value in (*outputs.values(), anchors[0])],
                      {key: value.numpy() for key, value in found.items()}))
    assert share_found(parts[0][1], parts[1][1]) > 0.95
    for wanted, got in zip(parts[0][0], parts[1][0]):
        np.testing.assert_allclose(got, wanted, rtol=1e-3, atol=1e-4 * max(1, np.abs(wanted).max()))


def same_detections(models):
    for wanted, got in zip(*(detections(models, side) for side in (torch, flambeau))):
        assert list(got) == list(wanted) and abs(len(got["boxes"]) - len(wanted["boxes"])) <= 2
        assert {key: value.shape[1:] for key, value in got.items()} == {
            key: value.shape[1:] for key, value in wanted.items()}
        assert share_found(wanted, got) > 0.85
