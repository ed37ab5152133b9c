"""`torch.utils.dlpack`: exchange of memory with other array libraries."""
from ..tensor.dlpack import DLDeviceType, from_dlpack, to_dlpack

__all__ = ["DLDeviceType", "from_dlpack", "to_dlpack"]
