"""`torch.nn.parallel`: one module on many devices."""
# ruff: noqa: F401
from .data_parallel import DataParallel, data_parallel
