"""A layer that mixes the channels of groups. Zhang et al. 2017, arXiv:1707.01083."""
from __future__ import annotations

from ...tensor.tensor import Tensor
from .. import functional as F
from .module import Module


class ChannelShuffle(Module):
    """Channel k of group g becomes channel g of group k. Shapes: (N, C, *), unchanged; C is a multiple of `groups`."""

    __constants__ = ["groups"]

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, input: Tensor) -> Tensor:
        return F.channel_shuffle(input, self.groups)

    def extra_repr(self) -> str:
        return f"groups={self.groups}"
