"""Grids and drawings: torchvision's pixels, and its errors."""
import io
import warnings

import numpy as np
import pytest
from PIL import Image

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (3, 40, 50), dtype=np.uint8)
BATCH = RNG.random((5, 3, 6, 7)).astype(np.float32)
BOXES = np.array([[2, 3, 20, 30], [10, 5, 45, 38], [30, 30, 31, 31]], np.float32)
TURNED = np.array([[20, 3, 40, 12, 30, 35, 8, 20], [5, 5, 15, 5, 15, 12, 5, 12]], np.float32)
POINTS = np.array([[[5, 5], [20, 10], [40, 35]], [[8, 30], [25, 25], [2, 2]]], np.float32)
MASKS = RNG.random((3, 40, 50)) < 0.3
FLOW = RNG.normal(0, 3, (2, 12, 15)).astype(np.float32)


def outcome(call, side):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = call(side, side.vision.utils)
        except Exception as error:
            return type(error).__name__, str(error).replace("flambeau", "torch")[:60], None
    if isinstance(result, bytes):
        return "bytes", np.asarray(Image.open(io.BytesIO(result))), [str(w.message)[:40] for w in caught]
    return str(result.dtype), result.detach().numpy(), [str(w.message)[:40] for w in caught]


def agree(call, sides):
    (kind, expected, warned), (got_kind, got, got_warned) = (outcome(call, side) for side in sides)
    assert (kind, warned) == (got_kind, got_warned), (expected, got)
    np.testing.assert_array_equal(got, expected)


def saved(side, utils, tensor, **options):
    out = io.BytesIO()
    utils.save_image(tensor, out, "PNG", **options)
    return out.getvalue()


CASES = {
    "grid": lambda s, u: u.make_grid(s.tensor(BATCH)),
    "grid of two in a row": lambda s, u: u.make_grid(s.tensor(BATCH), nrow=2, padding=3, pad_value=0.4),
    "grid normalized": lambda s, u: u.make_grid(s.tensor(BATCH * 7 - 2), normalize=True),
    "grid normalized each": lambda s, u: u.make_grid(s.tensor(BATCH * 7 - 2), normalize=True, scale_each=True),
    "grid in a range": lambda s, u: u.make_grid(s.tensor(BATCH), normalize=True, value_range=(0.2, 0.6)),
    "grid in a list as range": lambda s, u: u.make_grid(s.tensor(BATCH), normalize=True, value_range=[0.2, 0.6]),
    "grid of grey": lambda s, u: u.make_grid(s.tensor(BATCH[:, :1])),
    "grid of one": lambda s, u: u.make_grid(s.tensor(BATCH[0])),
    "grid of a plane": lambda s, u: u.make_grid(s.tensor(BATCH[0, 0])),
    "grid of a list": lambda s, u: u.make_grid([s.tensor(image) for image in BATCH]),
    "grid of uint8": lambda s, u: u.make_grid(s.tensor(PIXELS[None].repeat(3, 0)), padding=0),
    "grid of text": lambda s, u: u.make_grid("x"),
    "grid of texts": lambda s, u: u.make_grid(["x"]),
    "save": lambda s, u: saved(s, u, s.tensor(BATCH)),
    "save normalized": lambda s, u: saved(s, u, s.tensor(BATCH * 3), normalize=True, nrow=3),
    "boxes": lambda s, u: u.draw_bounding_boxes(s.tensor(PIXELS), s.tensor(BOXES)),
    "boxes filled": lambda s, u: u.draw_bounding_boxes(s.tensor(PIXELS), s.tensor(BOXES), colors="red", fill=True),
    "boxes of colours": lambda s, u: u.draw_bounding_boxes(s.tensor(PIXELS), s.tensor(BOXES), width=3,
                                                           colors=["#00FF00", (1, 2, 3), "blue"]),
    "boxes labelled": lambda s, u: u.draw_bounding_boxes(s.tensor(PIXELS), s.tensor(BOXES), ["a", "bc", ""],
                                                         label_colors=["red", "green", "blue"]),
    "boxes labelled on a ground": lambda s, u: u.draw_bounding_boxes(
        s.tensor(PIXELS), s.tensor(BOXES), ["a", "b", "c"], label_background_colors="white", fill_labels=True),
    "boxes with a font size": lambda s, u: u.draw_bounding_boxes(s.tensor(PIXELS), s.tensor(BOXES), font_size=20),
    "boxes on grey": lambda s, u: u.draw_bounding_boxes(s.tensor(PIXELS[:1]), s.tensor(BOXES)),
    "boxes on float": lambda s, u: u.draw_bounding_boxes(s.tensor((PIXELS / 255).astype(np.float32)), s.tensor(BOXES)),
    "boxes, none": lambda s, u: u.draw_bounding_boxes(s.tensor(PIXELS), s.tensor(BOXES[:0])),
    "boxes turned": lambda s, u: u.draw_bounding_boxes(s.tensor(PIXELS), s.tensor(TURNED), colors="yellow", width=2),
    "boxes turned and filled": lambda s, u: u.draw_bounding_boxes(s.tensor(PIXELS), s.tensor(TURNED), fill=True),
    "boxes upside down": lambda s, u: u.draw_bounding_boxes(s.tensor(PIXELS), s.tensor(BOXES[:, ::-1])),
    "boxes with too few labels": lambda s, u: u.draw_bounding_boxes(s.tensor(PIXELS), s.tensor(BOXES), ["a"]),
    "boxes with too few colours": lambda s, u: u.draw_bounding_boxes(s.tensor(PIXELS), s.tensor(BOXES), colors=["red"]),
    "boxes with a pair as colour": lambda s, u: u.draw_bounding_boxes(s.tensor(PIXELS), s.tensor(BOXES), colors=(1, 2)),
    "boxes on a batch": lambda s, u: u.draw_bounding_boxes(s.tensor(PIXELS[None]), s.tensor(BOXES)),
    "boxes on int32": lambda s, u: u.draw_bounding_boxes(s.tensor(PIXELS.astype(np.int32)), s.tensor(BOXES)),
    "boxes on two channels": lambda s, u: u.draw_bounding_boxes(s.tensor(PIXELS[:2]), s.tensor(BOXES)),
    "boxes on an array": lambda s, u: u.draw_bounding_boxes(PIXELS, s.tensor(BOXES)),
    "masks": lambda s, u: u.draw_segmentation_masks(s.tensor(PIXELS), s.tensor(MASKS)),
    "one mask": lambda s, u: u.draw_segmentation_masks(s.tensor(PIXELS), s.tensor(MASKS[0]), colors="red"),
    "masks opaque": lambda s, u: u.draw_segmentation_masks(s.tensor(PIXELS), s.tensor(MASKS), alpha=1.0,
                                                           colors=["red", (0, 9, 7), "white"]),
    "masks faint": lambda s, u: u.draw_segmentation_masks(s.tensor(PIXELS), s.tensor(MASKS), alpha=0.3, colors="blue"),
    "masks on float": lambda s, u: u.draw_segmentation_masks(s.tensor((PIXELS / 255).astype(np.float32)),
                                                             s.tensor(MASKS), colors="blue"),
    "masks of uint8": lambda s, u: u.draw_segmentation_masks(s.tensor(PIXELS), s.tensor(MASKS.astype(np.uint8))),
    "masks of another size": lambda s, u: u.draw_segmentation_masks(s.tensor(PIXELS), s.tensor(MASKS[:, 1:])),
    "no masks": lambda s, u: u.draw_segmentation_masks(s.tensor(PIXELS), s.tensor(np.zeros((2, 40, 50), bool))),
    "keypoints": lambda s, u: u.draw_keypoints(s.tensor(PIXELS), s.tensor(POINTS)),
    "keypoints joined": lambda s, u: u.draw_keypoints(s.tensor(PIXELS), s.tensor(POINTS), [(0, 1), (1, 2)], "red", 3,
                                                      2),
    "keypoints partly seen": lambda s, u: u.draw_keypoints(
        s.tensor(PIXELS), s.tensor(POINTS), [(0, 1)], visibility=s.tensor(np.array([[1, 0, 1], [1, 1, 0]], bool))),
    "keypoints of float": lambda s, u: u.draw_keypoints(s.tensor((PIXELS / 255).astype(np.float32)), s.tensor(POINTS)),
    "keypoints of one": lambda s, u: u.draw_keypoints(s.tensor(PIXELS), s.tensor(POINTS[0])),
    "keypoints of colours": lambda s, u: u.draw_keypoints(s.tensor(PIXELS), s.tensor(POINTS), colors=(1, 2, 3)),
    "flow": lambda s, u: u.flow_to_image(s.tensor(FLOW)),
    "flows": lambda s, u: u.flow_to_image(s.tensor(np.stack([FLOW, -FLOW * 2]))),
    "flow of three": lambda s, u: u.flow_to_image(s.tensor(BATCH[0])),
    "flow of doubles": lambda s, u: u.flow_to_image(s.tensor(FLOW.astype(np.float64))),
}


@pytest.mark.parametrize("name", CASES)
def test_same_as_torchvision(name, sides):
    agree(CASES[name], sides)
