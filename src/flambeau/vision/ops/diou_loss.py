"""The distance IoU loss (Zheng et al. 2019, arXiv:1911.08287)."""
from ...tensor.tensor import Tensor
from ._losses import floats, overlap, reduce


def distance_box_iou_loss(boxes1: Tensor, boxes2: Tensor, reduction: str = "none", eps: float = 1e-7) -> Tensor:
    """1 - IoU + the squared distance of the centres over the hull's squared diagonal, for boxes at equal positions."""
    loss, _ = _diou_iou_loss(*floats(boxes1, boxes2), eps)
    return reduce(loss, reduction)


def _diou_iou_loss(boxes1: Tensor, boxes2: Tensor, eps: float = 1e-7) -> tuple[Tensor, Tensor]:
    inter, union, width, height = overlap(boxes1, boxes2)
    iou = inter / (union + eps)
    apart = ((boxes1[..., :2] + boxes1[..., 2:]) - (boxes2[..., :2] + boxes2[..., 2:])) / 2
    distance = (apart * apart).sum(-1)
    return 1 - iou + distance / (width * width + height * height + eps), iou
