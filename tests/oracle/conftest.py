"""Makes `import torchvision` work beside a CPU build of PyTorch.

torchvision's wheel is built against CUDA, so its C++ library does not load there. `torchvision_library` helps where it
can. Elsewhere, importing torchvision fails, because it describes an operator, `torchvision::nms`, that the library
would have defined; its schema is enough, and tests of what the library does are skipped.
"""
from importlib.machinery import PathFinder

from torchvision_library import load, only_standard_finders

_SCHEMAS = ("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
            "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


def _import_torchvision():
    import torch

    if _is_defined(torch, "torchvision::nms"):
        return None
    library = None
    if torch.version.cuda is None and not load():
        library = torch.library.Library("torchvision", "DEF")
        for schema in _SCHEMAS:
            library.define(schema)
    with only_standard_finders():
        import torchvision  # noqa: F401
    return library  # kept: the definitions go when it does


def _is_defined(torch, name):
    try:
        torch._C._dispatch_find_schema_or_throw(name, "")
    except RuntimeError:
        return False
    return True


if PathFinder.find_spec("torch") and PathFinder.find_spec("torchvision"):
    LIBRARY = _import_torchvision()
