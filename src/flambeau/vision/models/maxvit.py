"""MaxViT (Tu et al. 2022, arXiv:2204.01697)."""
from __future__ import annotations

import math
from collections import OrderedDict
from functools import partial
from typing import Any, Callable, Sequence

import numpy as np

from ... import empty, nn
from ...nn import Module, init
from ...tensor.tensor import Tensor
from ..ops.misc import Conv2dNormActivation, SqueezeExcitation
from ..ops.stochastic_depth import StochasticDepth
from ._api import WeightsEnum
from ._utils import classifier
from ._weights import InterpolationMode, imagenet
from .swin_transformer import _offsets

__all__ = ["MaxVit", "MaxVit_T_Weights", "maxvit_t"]


class MBConv(Module):
    """A convolution for each channel between 1×1 ones, with squeeze and excitation; the input (projected) is added."""

    def __init__(self, in_channels: int, out_channels: int, expansion_ratio: float, squeeze_ratio: float, stride: int,
                 activation_layer: Callable[..., Module], norm_layer: Callable[..., Module],
                 p_stochastic_dropout: float = 0.0) -> None:
        super().__init__()
        self.proj: Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            pool = [nn.AvgPool2d(kernel_size=3, stride=stride, padding=1)] if stride == 2 else []
            self.proj = nn.Sequential(*pool, nn.Conv2d(in_channels, out_channels, kernel_size=1, bias=True))
        width = int(out_channels * expansion_ratio)
        self.stochastic_depth = StochasticDepth(p_stochastic_dropout, "row") if p_stochastic_dropout else nn.Identity()
        conv = partial(Conv2dNormActivation, norm_layer=norm_layer, activation_layer=activation_layer, inplace=None)
        self.layers = nn.Sequential(OrderedDict(
            pre_norm=norm_layer(in_channels),
            conv_a=conv(in_channels, width, kernel_size=1),
            conv_b=conv(width, width, kernel_size=3, stride=stride, groups=width),
            squeeze_excitation=SqueezeExcitation(width, int(out_channels * squeeze_ratio), activation=nn.SiLU),
            conv_c=nn.Conv2d(width, out_channels, kernel_size=1, bias=True)))

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(x) + self.stochastic_depth(self.layers(x))


class RelativePositionalMultiHeadAttention(Module):
    """Self-attention over the pixels of a window, with a learned bias for each offset. (B, G, P, D) → the same."""

    def __init__(self, feat_dim: int, head_dim: int, max_seq_len: int) -> None:
        super().__init__()
        if feat_dim % head_dim != 0:
            raise ValueError(f"feat_dim: {feat_dim} must be divisible by head_dim: {head_dim}")
        self.n_heads, self.head_dim, self.max_seq_len = feat_dim // head_dim, head_dim, max_seq_len
        self.size = math.isqrt(max_seq_len)
        self.to_qkv = nn.Linear(feat_dim, self.n_heads * head_dim * 3)
        self.scale_factor = feat_dim ** -0.5
        self.merge = nn.Linear(self.n_heads * head_dim, feat_dim)
        self.relative_position_bias_table = nn.Parameter(empty((2 * self.size - 1) ** 2, self.n_heads))
        self.register_buffer("relative_position_index",
                             _offsets([self.size, self.size]).view(max_seq_len, max_seq_len))
        init.trunc_normal_(self.relative_position_bias_table, std=0.02)

    def get_relative_positional_bias(self) -> Tensor:
        """(1, heads, P, P)."""
        bias = self.relative_position_bias_table[self.relative_position_index.view(-1)]
        return bias.view(self.max_seq_len, self.max_seq_len, -1).permute(2, 0, 1).contiguous().unsqueeze(0)

    def forward(self, x: Tensor) -> Tensor:
        b, g, p, d = x.shape
        q, k, v = (part.reshape(b, g, p, self.n_heads, self.head_dim).permute(0, 1, 3, 2, 4)
                   for part in self.to_qkv(x).chunk(3, dim=-1))
        attention = q @ (k * self.scale_factor).transpose(-2, -1) + self.get_relative_positional_bias()
        return self.merge((attention.softmax(-1) @ v).permute(0, 1, 3, 2, 4).reshape(b, g, p, d))


class SwapAxes(Module):
    """Exchanges two dimensions."""

    def __init__(self, a: int, b: int) -> None:
        super().__init__()
        self.a, self.b = a, b

    def forward(self, x: Tensor) -> Tensor:
        return x.swapaxes(self.a, self.b)


class WindowPartition(Module):
    """(B, C, H, W) → (B, windows, p², C)."""

    def forward(self, x: Tensor, p: int) -> Tensor:
        b, c, h, w = x.shape
        x = x.reshape(b, c, h // p, p, w // p, p).permute(0, 2, 4, 3, 5, 1)
        return x.reshape(b, (h // p) * (w // p), p * p, c)


class WindowDepartition(Module):
    """(B, windows, p², C) → (B, C, H, W)."""

    def forward(self, x: Tensor, p: int, h_partitions: int, w_partitions: int) -> Tensor:
        b, _, _, c = x.shape
        x = x.reshape(b, h_partitions, w_partitions, p, p, c).permute(0, 5, 1, 3, 2, 4)
        return x.reshape(b, c, h_partitions * p, w_partitions * p)


class PartitionAttentionLayer(Module):
    """Attention among the pixels of a window, or ("grid") among the pixels at one place in every window."""

    def __init__(self, in_channels: int, head_dim: int, partition_size: int, partition_type: str,
                 grid_size: tuple[int, int], mlp_ratio: int, activation_layer: Callable[..., Module],
                 norm_layer: Callable[..., Module], attention_dropout: float, mlp_dropout: float,
                 p_stochastic_dropout: float) -> None:
        super().__init__()
        if partition_type not in ("grid", "window"):
            raise ValueError("partition_type must be either 'grid' or 'window'")
        self.n_heads, self.head_dim = in_channels // head_dim, head_dim
        self.n_partitions = grid_size[0] // partition_size
        self.partition_type, self.grid_size = partition_type, grid_size
        if partition_type == "window":
            self.p, self.g = partition_size, self.n_partitions
        else:
            self.p, self.g = self.n_partitions, partition_size
        self.partition_op = WindowPartition()
        self.departition_op = WindowDepartition()
        grid = partition_type == "grid"
        self.partition_swap = SwapAxes(-2, -3) if grid else nn.Identity()
        self.departition_swap = SwapAxes(-2, -3) if grid else nn.Identity()
        self.attn_layer = nn.Sequential(
            norm_layer(in_channels), RelativePositionalMultiHeadAttention(in_channels, head_dim, partition_size ** 2),
            nn.Dropout(attention_dropout))
        self.mlp_layer = nn.Sequential(
            nn.LayerNorm(in_channels), nn.Linear(in_channels, in_channels * mlp_ratio), activation_layer(),
            nn.Linear(in_channels * mlp_ratio, in_channels), nn.Dropout(mlp_dropout))
        self.stochastic_dropout = StochasticDepth(p_stochastic_dropout, "row")

    def forward(self, x: Tensor) -> Tensor:
        if any(size % self.p for size in self.grid_size):
            raise AssertionError("Grid size must be divisible by partition size. Got grid size of "
                                 f"{self.grid_size} and partition size of {self.p}")
        x = self.partition_swap(self.partition_op(x, self.p))
        x = x + self.stochastic_dropout(self.attn_layer(x))
        x = x + self.stochastic_dropout(self.mlp_layer(x))
        return self.departition_op(self.departition_swap(x), self.p, *(size // self.p for size in self.grid_size))


class MaxVitLayer(Module):
    """MBConv, attention in windows, attention across the grid."""

    def __init__(self, in_channels: int, out_channels: int, squeeze_ratio: float, expansion_ratio: float, stride: int,
                 norm_layer: Callable[..., Module], activation_layer: Callable[..., Module], head_dim: int,
                 mlp_ratio: int, mlp_dropout: float, attention_dropout: float, p_stochastic_dropout: float,
                 partition_size: int, grid_size: tuple[int, int]) -> None:
        super().__init__()
        attention = partial(
            PartitionAttentionLayer, in_channels=out_channels, head_dim=head_dim, partition_size=partition_size,
            grid_size=grid_size, mlp_ratio=mlp_ratio, activation_layer=activation_layer, norm_layer=nn.LayerNorm,
            attention_dropout=attention_dropout, mlp_dropout=mlp_dropout, p_stochastic_dropout=p_stochastic_dropout)
        self.layers = nn.Sequential(OrderedDict(
            MBconv=MBConv(in_channels, out_channels, expansion_ratio, squeeze_ratio, stride, activation_layer,
                          norm_layer, p_stochastic_dropout),
            window_attention=attention(partition_type="window"),
            grid_attention=attention(partition_type="grid")))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


def _halved(size: tuple[int, int]) -> tuple[int, int]:
    """The size after a 3×3 convolution of stride 2 and padding 1."""
    return ((size[0] - 1) // 2 + 1, (size[1] - 1) // 2 + 1)


class MaxVitBlock(Module):
    """`n_layers` layers, the first of which halves the resolution."""

    def __init__(self, in_channels: int, out_channels: int, squeeze_ratio: float, expansion_ratio: float,
                 norm_layer: Callable[..., Module], activation_layer: Callable[..., Module], head_dim: int,
                 mlp_ratio: int, mlp_dropout: float, attention_dropout: float, partition_size: int,
                 input_grid_size: tuple[int, int], n_layers: int, p_stochastic: list[float]) -> None:
        super().__init__()
        if len(p_stochastic) != n_layers:
            raise ValueError(f"p_stochastic must have length n_layers={n_layers}, got p_stochastic={p_stochastic}.")
        self.grid_size = _halved(input_grid_size)
        self.layers = nn.ModuleList(
            MaxVitLayer(in_channels if i == 0 else out_channels, out_channels, squeeze_ratio, expansion_ratio,
                        2 if i == 0 else 1, norm_layer, activation_layer, head_dim, mlp_ratio, mlp_dropout,
                        attention_dropout, p, partition_size, self.grid_size)
            for i, p in enumerate(p_stochastic))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


class MaxVit(Module):
    """(N, 3, *input_size) → (N, num_classes).

    input_size is fixed: after the stem and after each block it has to be a multiple of partition_size.
    """

    def __init__(self, input_size: tuple[int, int], stem_channels: int, partition_size: int,
                 block_channels: list[int], block_layers: list[int], head_dim: int, stochastic_depth_prob: float,
                 norm_layer: Callable[..., Module] | None = None,
                 activation_layer: Callable[..., Module] = nn.GELU, squeeze_ratio: float = 0.25,
                 expansion_ratio: float = 4, mlp_ratio: int = 4, mlp_dropout: float = 0.0,
                 attention_dropout: float = 0.0, num_classes: int = 1000) -> None:
        super().__init__()
        norm = norm_layer or partial(nn.BatchNorm2d, eps=1e-3, momentum=0.01)
        size = _halved(input_size)
        self._check(input_size, size, len(block_channels), partition_size)
        self.partition_size = partition_size
        self.stem = nn.Sequential(
            Conv2dNormActivation(3, stem_channels, 3, stride=2, norm_layer=norm, activation_layer=activation_layer,
                                 bias=False, inplace=None),
            Conv2dNormActivation(stem_channels, stem_channels, 3, norm_layer=None, activation_layer=None, bias=True))
        self.blocks = nn.ModuleList()
        # np.linspace: the probabilities grow evenly from the first layer to the last
        probabilities = iter(np.linspace(0, stochastic_depth_prob, sum(block_layers)).tolist())
        channels = stem_channels
        for width, layers in zip(block_channels, block_layers):
            self.blocks.append(MaxVitBlock(
                channels, width, squeeze_ratio, expansion_ratio, norm, activation_layer, head_dim, mlp_ratio,
                mlp_dropout, attention_dropout, partition_size, size, layers,
                [next(probabilities) for _ in range(layers)]))
            channels, size = width, self.blocks[-1].grid_size
        self.classifier = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LayerNorm(channels), nn.Linear(channels, channels), nn.Tanh(),
            nn.Linear(channels, num_classes, bias=False))
        self._initialize()

    @staticmethod
    def _check(input_size: tuple[int, int], size: tuple[int, int], blocks: int, partition_size: int) -> None:
        for i in range(blocks):
            size = _halved(size)
            if size[0] % partition_size or size[1] % partition_size:
                raise ValueError(f"Input size {size} of block {i} is not divisible by partition size "
                                 f"{partition_size}. Consider changing the partition size or the input size.\n"
                                 f"Current configuration yields the following block input sizes: {input_size}.")

    def _initialize(self) -> None:
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                init.normal_(module.weight, std=0.02)
                if module.bias is not None:
                    init.zeros_(module.bias)
            elif isinstance(module, nn.BatchNorm2d):
                init.constant_(module.weight, 1)
                init.constant_(module.bias, 0)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.classifier(x)


def _maxvit(input_size: Sequence[int] = (224, 224), **kwargs: Any) -> MaxVit:
    return MaxVit(input_size=(input_size[0], input_size[1]), **kwargs)


class MaxVit_T_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "maxvit_t-bc5ab103", "classification#maxvit", acc=(83.7, 96.722), params=30_919_624, gflops=5.558, mb=118.769,
        min_size=224, crop_size=224, resize_size=224, interpolation=InterpolationMode.BICUBIC)
    DEFAULT = IMAGENET1K_V1


maxvit_t = classifier("maxvit_t", MaxVit_T_Weights, _maxvit, stem_channels=64, block_channels=[64, 128, 256, 512],
                      block_layers=[2, 2, 5, 2], head_dim=32, stochastic_depth_prob=0.2, partition_size=7)
