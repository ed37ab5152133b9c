"""The complete IoU loss (Zheng et al. 2019, arXiv:1911.08287)."""
import math

from ... import atan, no_grad, pow
from ...tensor.tensor import Tensor
from ._losses import floats, reduce
from .diou_loss import _diou_iou_loss


def complete_box_iou_loss(boxes1: Tensor, boxes2: Tensor, reduction: str = "none", eps: float = 1e-7) -> Tensor:
    """The distance IoU loss with a penalty for different aspect ratios, for boxes at equal positions."""
    boxes1, boxes2 = floats(boxes1, boxes2)
    loss, iou = _diou_iou_loss(boxes1, boxes2)
    angle1, angle2 = (atan((b[..., 2] - b[..., 0]) / (b[..., 3] - b[..., 1])) for b in (boxes1, boxes2))
    v = 4 / math.pi ** 2 * pow(angle2 - angle1, 2)
    with no_grad():
        alpha = v / (1 - iou + v + eps)
    return reduce(loss + alpha * v, reduction)
