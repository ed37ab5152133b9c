"""The order of the dimensions of convolution weights in memory."""
from __future__ import annotations

from typing import Any

from ..modules.conv import Conv2d, Conv3d, ConvTranspose2d, ConvTranspose3d
from ..modules.module import Module


def _convert(module: Module, kinds: tuple, memory_format: Any) -> Module:
    for layer in module.modules():
        if isinstance(layer, kinds):
            layer.weight.data = layer.weight.detach().clone(memory_format=memory_format)
    return module


def convert_conv2d_weight_memory_format(module: Module, memory_format: Any) -> Module:
    """Put the weights of all Conv2d and ConvTranspose2d in `module` into `memory_format`, in place. Returns the
    module."""
    return _convert(module, (Conv2d, ConvTranspose2d), memory_format)


def convert_conv3d_weight_memory_format(module: Module, memory_format: Any) -> Module:
    """Put the weights of all Conv3d and ConvTranspose3d in `module` into `memory_format`, in place. Returns the
    module."""
    return _convert(module, (Conv3d, ConvTranspose3d), memory_format)
