"""The generalized IoU loss (Rezatofighi et al. 2019, arXiv:1902.09630)."""
from ...tensor.tensor import Tensor
from ._losses import floats, overlap, reduce


def generalized_box_iou_loss(boxes1: Tensor, boxes2: Tensor, reduction: str = "none", eps: float = 1e-7) -> Tensor:
    """1 - GIoU of the boxes at equal positions: (…, 4), (…, 4) → (…), or a scalar for "mean" and "sum"."""
    inter, union, width, height = overlap(*floats(boxes1, boxes2))
    hull = width * height
    return reduce(1 - (inter / (union + eps) - (hull - union) / (hull + eps)), reduction)
