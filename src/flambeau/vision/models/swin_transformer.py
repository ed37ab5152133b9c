"""The Swin transformer (Liu et al. 2021, arXiv:2103.14030) and its second version (arXiv:2111.09883)."""
from __future__ import annotations

import math
from functools import partial
from typing import Any, Callable

from ... import arange, cat, log, meshgrid, nn, ones, sigmoid, stack, zeros, zeros_like
from ...nn import Module, functional as F, init
from ...tensor.tensor import Tensor
from ..ops.misc import MLP, Permute
from ..ops.stochastic_depth import StochasticDepth
from ._api import WeightsEnum
from ._utils import classifier
from ._weights import InterpolationMode, imagenet

__all__ = ["SwinTransformer", "Swin_B_Weights", "Swin_S_Weights", "Swin_T_Weights", "Swin_V2_B_Weights",
           "Swin_V2_S_Weights", "Swin_V2_T_Weights", "swin_b", "swin_s", "swin_t", "swin_v2_b", "swin_v2_s",
           "swin_v2_t"]


def _gather_quarters(x: Tensor) -> Tensor:
    """The four pixels of each 2×2 square side by side, odd edges padded: (…, H, W, C) → (…, H/2, W/2, 4C)."""
    height, width, _ = x.shape[-3:]
    x = F.pad(x, (0, 0, 0, width % 2, 0, height % 2))
    return cat([x[..., i::2, j::2, :] for j in (0, 1) for i in (0, 1)], -1)


class PatchMerging(Module):
    """Halves the resolution and doubles the channels: (…, H, W, dim) → (…, H/2, W/2, 2·dim)."""

    def __init__(self, dim: int, norm_layer: Callable[..., Module] = nn.LayerNorm):
        super().__init__()
        self.dim = dim
        self.reduction = nn.Linear(4 * dim, 2 * dim, bias=False)
        self.norm = norm_layer(4 * dim)

    def forward(self, x: Tensor):
        return self.reduction(self.norm(_gather_quarters(x)))


class PatchMergingV2(Module):
    """`PatchMerging` that normalises last."""

    def __init__(self, dim: int, norm_layer: Callable[..., Module] = nn.LayerNorm):
        super().__init__()
        self.dim = dim
        self.reduction = nn.Linear(4 * dim, 2 * dim, bias=False)
        self.norm = norm_layer(2 * dim)

    def forward(self, x: Tensor):
        return self.norm(self.reduction(_gather_quarters(x)))


def _windows(x: Tensor, window: list[int]) -> Tensor:
    """(B, H, W, C) → (B · windows, pixels of a window, C)."""
    b, height, width, channels = x.shape
    x = x.view(b, height // window[0], window[0], width // window[1], window[1], channels)
    return x.permute(0, 1, 3, 2, 4, 5).reshape(-1, window[0] * window[1], channels)


def _shift_mask(height: int, width: int, window: list[int], shift: list[int], like: Tensor) -> Tensor:
    """-100 where two pixels of a window came from different edges of the rolled image: (windows, pixels, pixels)."""
    def regions(size: int, w: int, s: int) -> Tensor:
        i = arange(size, device=like.device)
        return (i >= size - w).to(like.dtype) + (i >= size - s).to(like.dtype) if s else i.to(like.dtype) * 0

    rows, columns = (regions(n, w, s) for n, w, s in zip((height, width), window, shift))
    labels = _windows((3 * rows[:, None] + columns).view(1, height, width, 1), window).squeeze(-1)
    different = labels.unsqueeze(1) != labels.unsqueeze(2)
    return zeros_like(different, dtype=like.dtype).masked_fill(different, -100.0)


def shifted_window_attention(input: Tensor, qkv_weight: Tensor, proj_weight: Tensor, relative_position_bias: Tensor,
                             window_size: list[int], num_heads: int, shift_size: list[int],
                             attention_dropout: float = 0.0, dropout: float = 0.0, qkv_bias: Tensor | None = None,
                             proj_bias: Tensor | None = None, logit_scale: Tensor | None = None,
                             training: bool = True) -> Tensor:
    """Self-attention inside windows of an image rolled by shift_size: (B, H, W, C) → the same.

    relative_position_bias: (1, heads, pixels, pixels) for the pixels of a window. logit_scale: given, attention is the
    cosine of queries and keys, times its exponential (at most 100).
    """
    b, height, width, channels = input.shape
    x = F.pad(input, (0, 0, 0, -width % window_size[1], 0, -height % window_size[0]))
    _, padded_h, padded_w, _ = x.shape
    # a window as large as the image needs no shift
    shift = [0 if window >= size else s for s, window, size in zip(shift_size, window_size, (padded_h, padded_w))]
    if sum(shift) > 0:
        x = x.roll((-shift[0], -shift[1]), (1, 2))
    x = _windows(x, window_size)
    count, pixels = x.shape[0], x.shape[1]
    if logit_scale is not None and qkv_bias is not None:  # keys have no bias
        third = qkv_bias.numel() // 3
        qkv_bias = cat([qkv_bias[:third], qkv_bias[third:2 * third] * 0, qkv_bias[2 * third:]])
    qkv = F.linear(x, qkv_weight, qkv_bias).reshape(count, pixels, 3, num_heads, channels // num_heads)
    q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
    if logit_scale is not None:
        attention = F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).transpose(-2, -1)
        attention = attention * logit_scale.clamp(max=math.log(100.0)).exp()
    else:
        attention = (q * (channels // num_heads) ** -0.5) @ k.transpose(-2, -1)
    attention = attention + relative_position_bias
    if sum(shift) > 0:
        mask = _shift_mask(padded_h, padded_w, window_size, shift, x)
        attention = attention.view(b, -1, num_heads, pixels, pixels) + mask.unsqueeze(1).unsqueeze(0)
        attention = attention.view(-1, num_heads, pixels, pixels)
    attention = F.dropout(attention.softmax(-1), p=attention_dropout, training=training)
    x = (attention @ v).transpose(1, 2).reshape(count, pixels, channels)
    x = F.dropout(F.linear(x, proj_weight, proj_bias), p=dropout, training=training)
    x = x.view(b, padded_h // window_size[0], padded_w // window_size[1], *window_size, channels)
    x = x.permute(0, 1, 3, 2, 4, 5).reshape(b, padded_h, padded_w, channels)
    if sum(shift) > 0:
        x = x.roll((shift[0], shift[1]), (1, 2))
    return x[:, :height, :width].contiguous()


def _offsets(window: list[int]) -> Tensor:
    """For each pair of pixels of a window, which row of the table of (2h-1)·(2w-1) offsets is theirs."""
    rows, columns = (grid.flatten() for grid in meshgrid(*(arange(n) for n in window), indexing="ij"))
    down = rows[:, None] - rows + window[0] - 1
    right = columns[:, None] - columns + window[1] - 1
    return (down * (2 * window[1] - 1) + right).flatten()


class ShiftedWindowAttention(Module):
    """`shifted_window_attention` with a learned bias for each offset between two pixels and each head."""

    def __init__(self, dim: int, window_size: list[int], shift_size: list[int], num_heads: int,
                 qkv_bias: bool = True, proj_bias: bool = True, attention_dropout: float = 0.0,
                 dropout: float = 0.0):
        super().__init__()
        if len(window_size) != 2 or len(shift_size) != 2:
            raise ValueError("window_size and shift_size must be of length 2")
        self.window_size, self.shift_size, self.num_heads = window_size, shift_size, num_heads
        self.attention_dropout, self.dropout = attention_dropout, dropout
        self.qkv = nn.Linear(dim, dim * 3, bias=qkv_bias)
        self.proj = nn.Linear(dim, dim, bias=proj_bias)
        self.define_relative_position_bias_table()
        self.register_buffer("relative_position_index", _offsets(window_size))

    def define_relative_position_bias_table(self) -> None:
        rows = (2 * self.window_size[0] - 1) * (2 * self.window_size[1] - 1)
        self.relative_position_bias_table = nn.Parameter(zeros(rows, self.num_heads))
        init.trunc_normal_(self.relative_position_bias_table, std=0.02)

    def get_relative_position_bias(self) -> Tensor:
        return self._by_pair(self.relative_position_bias_table)

    def _by_pair(self, table: Tensor) -> Tensor:
        """(offsets, heads) → (1, heads, pixels, pixels)."""
        pixels = self.window_size[0] * self.window_size[1]
        return table[self.relative_position_index].view(pixels, pixels, -1).permute(2, 0, 1).contiguous().unsqueeze(0)

    def forward(self, x: Tensor) -> Tensor:
        return shifted_window_attention(
            x, self.qkv.weight, self.proj.weight, self.get_relative_position_bias(), self.window_size, self.num_heads,
            shift_size=self.shift_size, attention_dropout=self.attention_dropout, dropout=self.dropout,
            qkv_bias=self.qkv.bias, proj_bias=self.proj.bias, logit_scale=getattr(self, "logit_scale", None),
            training=self.training)


class ShiftedWindowAttentionV2(ShiftedWindowAttention):
    """Cosine attention, with the bias computed from the offset by a small perceptron."""

    def __init__(self, dim: int, window_size: list[int], shift_size: list[int], num_heads: int,
                 qkv_bias: bool = True, proj_bias: bool = True, attention_dropout: float = 0.0,
                 dropout: float = 0.0):
        super().__init__(dim, window_size, shift_size, num_heads, qkv_bias, proj_bias, attention_dropout, dropout)
        self.logit_scale = nn.Parameter(log(10 * ones((num_heads, 1, 1))))
        self.cpb_mlp = nn.Sequential(nn.Linear(2, 512, bias=True), nn.ReLU(inplace=True),
                                     nn.Linear(512, num_heads, bias=False))
        if qkv_bias:
            self.qkv.bias.data[dim:2 * dim].zero_()

    def define_relative_position_bias_table(self) -> None:
        """The offsets as the perceptron's input: to ±8, then sign · log2(1 + |offset|) / 3."""
        axes = [arange(-(n - 1), n).float() / (n - 1) * 8 for n in self.window_size]
        offsets = stack(meshgrid(*axes, indexing="ij"), -1).unsqueeze(0)
        self.register_buffer("relative_coords_table", offsets.sign() * (offsets.abs() + 1.0).log2() / 3.0)

    def get_relative_position_bias(self) -> Tensor:
        return 16 * sigmoid(self._by_pair(self.cpb_mlp(self.relative_coords_table).view(-1, self.num_heads)))


class SwinTransformerBlock(Module):
    """Attention in windows and a perceptron, each on normalised input and added to it. (B, H, W, C) → the same."""

    def __init__(self, dim: int, num_heads: int, window_size: list[int], shift_size: list[int],
                 mlp_ratio: float = 4.0, dropout: float = 0.0, attention_dropout: float = 0.0,
                 stochastic_depth_prob: float = 0.0, norm_layer: Callable[..., Module] = nn.LayerNorm,
                 attn_layer: Callable[..., Module] = ShiftedWindowAttention):
        super().__init__()
        self.norm1 = norm_layer(dim)
        self.attn = attn_layer(dim, window_size, shift_size, num_heads, attention_dropout=attention_dropout,
                               dropout=dropout)
        self.stochastic_depth = StochasticDepth(stochastic_depth_prob, "row")
        self.norm2 = norm_layer(dim)
        self.mlp = MLP(dim, [int(dim * mlp_ratio), dim], activation_layer=nn.GELU, inplace=None, dropout=dropout)
        for module in self.mlp.modules():
            if isinstance(module, nn.Linear):
                init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    init.normal_(module.bias, std=1e-6)

    def forward(self, x: Tensor):
        x = x + self.stochastic_depth(self.attn(self.norm1(x)))
        return x + self.stochastic_depth(self.mlp(self.norm2(x)))


class SwinTransformerBlockV2(SwinTransformerBlock):
    """`SwinTransformerBlock` that normalises what is added."""

    def __init__(self, dim: int, num_heads: int, window_size: list[int], shift_size: list[int],
                 mlp_ratio: float = 4.0, dropout: float = 0.0, attention_dropout: float = 0.0,
                 stochastic_depth_prob: float = 0.0, norm_layer: Callable[..., Module] = nn.LayerNorm,
                 attn_layer: Callable[..., Module] = ShiftedWindowAttentionV2):
        super().__init__(dim, num_heads, window_size, shift_size, mlp_ratio, dropout, attention_dropout,
                         stochastic_depth_prob, norm_layer, attn_layer)

    def forward(self, x: Tensor):
        x = x + self.stochastic_depth(self.norm1(self.attn(x)))
        return x + self.stochastic_depth(self.norm2(self.mlp(x)))


class SwinTransformer(Module):
    """Patches, then stages of blocks whose windows are shifted every other time. (N, 3, H, W) → (N, num_classes)."""

    def __init__(self, patch_size: list[int], embed_dim: int, depths: list[int], num_heads: list[int],
                 window_size: list[int], mlp_ratio: float = 4.0, dropout: float = 0.0, attention_dropout: float = 0.0,
                 stochastic_depth_prob: float = 0.1, num_classes: int = 1000,
                 norm_layer: Callable[..., Module] | None = None, block: Callable[..., Module] | None = None,
                 downsample_layer: Callable[..., Module] = PatchMerging):
        super().__init__()
        self.num_classes = num_classes
        block, norm = block or SwinTransformerBlock, norm_layer or partial(nn.LayerNorm, eps=1e-5)
        layers: list[Module] = [nn.Sequential(
            nn.Conv2d(3, embed_dim, kernel_size=tuple(patch_size), stride=tuple(patch_size)), Permute([0, 2, 3, 1]),
            norm(embed_dim))]
        total, done = sum(depths), 0
        for i, (depth, heads) in enumerate(zip(depths, num_heads)):
            dim = embed_dim * 2 ** i
            stage = []
            for j in range(depth):
                shift = [0 if j % 2 == 0 else w // 2 for w in window_size]
                stage.append(block(dim, heads, window_size=window_size, shift_size=shift, mlp_ratio=mlp_ratio,
                                   dropout=dropout, attention_dropout=attention_dropout,
                                   stochastic_depth_prob=stochastic_depth_prob * float(done) / (total - 1),
                                   norm_layer=norm))
                done += 1
            layers.append(nn.Sequential(*stage))
            if i < len(depths) - 1:
                layers.append(downsample_layer(dim, norm))
        self.features = nn.Sequential(*layers)
        features = embed_dim * 2 ** (len(depths) - 1)
        self.norm = norm(features)
        self.permute = Permute([0, 3, 1, 2])
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten(1)
        self.head = nn.Linear(features, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    init.zeros_(module.bias)

    def forward(self, x):
        x = self.permute(self.norm(self.features(x)))
        return self.head(self.flatten(self.avgpool(x)))


class Swin_B_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "swin_b-68c6b09e", "classification#swintransformer", acc=(83.582, 96.64), params=87_768_224, gflops=15.431,
        mb=335.364, min_size=224, crop_size=224, resize_size=238, interpolation=InterpolationMode.BICUBIC)
    DEFAULT = IMAGENET1K_V1


class Swin_S_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "swin_s-5e29d889", "classification#swintransformer", acc=(83.196, 96.36), params=49_606_258, gflops=8.741,
        mb=189.786, min_size=224, crop_size=224, resize_size=246, interpolation=InterpolationMode.BICUBIC)
    DEFAULT = IMAGENET1K_V1


class Swin_T_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "swin_t-704ceda3", "classification#swintransformer", acc=(81.474, 95.776), params=28_288_354, gflops=4.491,
        mb=108.19, min_size=224, crop_size=224, resize_size=232, interpolation=InterpolationMode.BICUBIC)
    DEFAULT = IMAGENET1K_V1


class Swin_V2_B_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "swin_v2_b-781e5279", "classification#swintransformer-v2", acc=(84.112, 96.864), params=87_930_848,
        gflops=20.325, mb=336.372, min_size=256, crop_size=256, resize_size=272,
        interpolation=InterpolationMode.BICUBIC)
    DEFAULT = IMAGENET1K_V1


class Swin_V2_S_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "swin_v2_s-637d8ceb", "classification#swintransformer-v2", acc=(83.712, 96.816), params=49_737_442,
        gflops=11.546, mb=190.675, min_size=256, crop_size=256, resize_size=260,
        interpolation=InterpolationMode.BICUBIC)
    DEFAULT = IMAGENET1K_V1


class Swin_V2_T_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "swin_v2_t-b137f0e2", "classification#swintransformer-v2", acc=(82.072, 96.132), params=28_351_570, gflops=5.94,
        mb=108.626, min_size=256, crop_size=256, resize_size=260, interpolation=InterpolationMode.BICUBIC)
    DEFAULT = IMAGENET1K_V1


def _builder(name: str, weights: type[WeightsEnum], embed_dim: int, depth: int, first_heads: int,
             stochastic_depth_prob: float) -> Callable[..., Any]:
    v2: dict[str, Any] = {"block": SwinTransformerBlockV2, "downsample_layer": PatchMergingV2}
    window, extra = (8, v2) if "_v2_" in name else (7, {})
    return classifier(name, weights, SwinTransformer, patch_size=[4, 4], embed_dim=embed_dim,
                      depths=[2, 2, depth, 2], num_heads=[first_heads * 2 ** i for i in range(4)],
                      window_size=[window, window], stochastic_depth_prob=stochastic_depth_prob, **extra)


swin_t = _builder("swin_t", Swin_T_Weights, 96, 6, 3, 0.2)
swin_s = _builder("swin_s", Swin_S_Weights, 96, 18, 3, 0.3)
swin_b = _builder("swin_b", Swin_B_Weights, 128, 18, 4, 0.5)
swin_v2_t = _builder("swin_v2_t", Swin_V2_T_Weights, 96, 6, 3, 0.2)
swin_v2_s = _builder("swin_v2_s", Swin_V2_S_Weights, 96, 18, 3, 0.3)
swin_v2_b = _builder("swin_v2_b", Swin_V2_B_Weights, 128, 18, 4, 0.5)
