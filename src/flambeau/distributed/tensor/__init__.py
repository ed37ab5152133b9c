"""`torch.distributed.tensor`: tensors that are cut into parts along their first dimension, one for each process of a mesh."""
# ruff: noqa: F401
from ._api import DTensor, distribute_tensor
from .placement_types import Placement, Replicate, Shard
