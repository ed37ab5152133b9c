"""torch.export: names for the sizes of dynamic axes, which `torch.onnx.export` takes as `dynamic_shapes`."""
from .dynamic_shapes import Dim, dims

__all__ = ["Dim", "dims"]
