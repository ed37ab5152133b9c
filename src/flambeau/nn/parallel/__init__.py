"""`torch.nn.parallel`: one module on many devices, or in many processes."""
# ruff: noqa: F401
from .data_parallel import DataParallel, data_parallel


def __getattr__(name: str):
    if name == "DistributedDataParallel":  # brings torch.distributed, which few programs need
        from .distributed import DistributedDataParallel
        return DistributedDataParallel
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
