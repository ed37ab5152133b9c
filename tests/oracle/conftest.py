"""Makes `import torchvision` work beside a CPU build of PyTorch.

torchvision's wheel is built against CUDA, so its C++ library does not load there. Importing it then fails, because it
describes an operator, `torchvision::nms`, that the library would have defined. Its schema is enough; nothing calls it.
"""
import importlib.util

_SCHEMAS = ("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
            "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


def _define_torchvision_ops():
    import torch

    try:
        torch._C._dispatch_find_schema_or_throw("torchvision::nms", "")
    except RuntimeError:
        library = torch.library.Library("torchvision", "DEF")
        for schema in _SCHEMAS:
            library.define(schema)
        return library  # kept: the definitions go when it does


if importlib.util.find_spec("torch") and importlib.util.find_spec("torchvision"):
    LIBRARY = _define_torchvision_ops()
