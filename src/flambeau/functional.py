"""`torch.functional`: functions of `torch`, by an older address."""
# ruff: noqa: F401
from . import (atleast_1d, atleast_2d, atleast_3d, block_diag, broadcast_shapes, broadcast_tensors, cartesian_prod, cdist, chain_matmul,
               einsum, istft, lu, meshgrid, norm, pca_lowrank, split, stft, svd_lowrank, tensordot, unique, unique_consecutive,
               unravel_index)
