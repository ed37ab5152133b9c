"""The Swin transformer for video (Liu et al. 2021, arXiv:2106.13230)."""
from __future__ import annotations

from functools import partial
from itertools import product
from typing import Any, Callable

from .... import arange, meshgrid, nn, zeros, zeros_like
from ....nn import Module, functional as F, init
from ....tensor.tensor import Tensor
from .._api import WeightsEnum
from .._utils import classifier
from .._weights import kinetics
from ..swin_transformer import PatchMerging, SwinTransformerBlock

__all__ = ["Swin3D_B_Weights", "Swin3D_S_Weights", "Swin3D_T_Weights", "SwinTransformer3d", "swin3d_b", "swin3d_s",
           "swin3d_t"]


def _windows(x: Tensor, window: list[int]) -> Tensor:
    """(B, T, H, W, C) → (B · windows, places of a window, C)."""
    b, t, h, w, c = x.shape
    wt, wh, ww = window
    x = x.view(b, t // wt, wt, h // wh, wh, w // ww, ww, c).permute(0, 1, 3, 5, 2, 4, 6, 7)
    return x.reshape(-1, wt * wh * ww, c)


def _joined(x: Tensor, window: list[int], shape: tuple[int, ...]) -> Tensor:
    """`_windows` undone: → (B, T, H, W, C) = shape."""
    b, t, h, w, c = shape
    wt, wh, ww = window
    x = x.view(b, t // wt, h // wh, w // ww, wt, wh, ww, c).permute(0, 1, 4, 2, 5, 3, 6, 7)
    return x.reshape(b, t, h, w, c)


def _shift_mask(size: tuple[int, ...], window: list[int], shift: list[int], like: Tensor) -> Tensor:
    """-100 where two places of a window came from different edges of the rolled clip: (windows, places, places)."""
    labels = zeros(1, *size, 1, dtype=like.dtype)
    edges = [[slice(0, -w), slice(-w, -s), slice(-s, None)] if s else [slice(None)] for w, s in zip(window, shift)]
    for label, (t, h, w) in enumerate(product(*edges)):
        labels[:, t, h, w] = label
    flat = _windows(labels, window).squeeze(-1)
    different = flat.unsqueeze(1) != flat.unsqueeze(2)
    return zeros_like(different, dtype=like.dtype).masked_fill(different, -100.0)


def shifted_window_attention_3d(input: Tensor, qkv_weight: Tensor, proj_weight: Tensor, relative_position_bias: Tensor,
                                window_size: list[int], num_heads: int, shift_size: list[int],
                                attention_dropout: float = 0.0, dropout: float = 0.0, qkv_bias: Tensor | None = None,
                                proj_bias: Tensor | None = None, training: bool = True) -> Tensor:
    """Self-attention inside windows of a clip rolled by shift_size: (B, T, H, W, C) → the same."""
    t, h, w, channels = input.shape[1:]
    x = F.pad(input, (0, 0, 0, -w % window_size[2], 0, -h % window_size[1], 0, -t % window_size[0]))
    padded = tuple(x.shape)
    shifted = sum(shift_size) > 0
    if shifted:
        x = x.roll([-s for s in shift_size], (1, 2, 3))
    x = _windows(x, window_size)
    count, places = x.shape[0], x.shape[1]
    qkv = F.linear(x, qkv_weight, qkv_bias).reshape(count, places, 3, num_heads, channels // num_heads)
    q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
    attention = (q * (channels // num_heads) ** -0.5) @ k.transpose(-2, -1) + relative_position_bias
    if shifted:
        mask = _shift_mask(padded[1:4], window_size, shift_size, x)
        attention = attention.view(padded[0], -1, num_heads, places, places) + mask.unsqueeze(1).unsqueeze(0)
        attention = attention.view(-1, num_heads, places, places)
    attention = F.dropout(attention.softmax(-1), p=attention_dropout, training=training)
    x = (attention @ v).transpose(1, 2).reshape(count, places, channels)
    x = F.dropout(F.linear(x, proj_weight, proj_bias), p=dropout, training=training)
    x = _joined(x, window_size, padded)
    if shifted:
        x = x.roll(shift_size, (1, 2, 3))
    return x[:, :t, :h, :w].contiguous()


class ShiftedWindowAttention3d(Module):
    """`shifted_window_attention_3d` with a learned bias for each offset between two places and each head."""

    def __init__(self, dim: int, window_size: list[int], shift_size: list[int], num_heads: int, qkv_bias: bool = True,
                 proj_bias: bool = True, attention_dropout: float = 0.0, dropout: float = 0.0) -> None:
        super().__init__()
        if len(window_size) != 3 or len(shift_size) != 3:
            raise ValueError("window_size and shift_size must be of length 2")
        self.window_size, self.shift_size, self.num_heads = window_size, shift_size, num_heads
        self.attention_dropout, self.dropout = attention_dropout, dropout
        self.qkv = nn.Linear(dim, dim * 3, bias=qkv_bias)
        self.proj = nn.Linear(dim, dim, bias=proj_bias)
        rows = 1
        for w in window_size:
            rows *= 2 * w - 1
        self.relative_position_bias_table = nn.Parameter(zeros(rows, num_heads))
        init.trunc_normal_(self.relative_position_bias_table, std=0.02)
        self.register_buffer("relative_position_index", self._offsets())

    def _offsets(self) -> Tensor:
        """For each pair of places of a window, the row of the table that is theirs."""
        index: Any = 0
        axes = meshgrid(*(arange(w) for w in self.window_size), indexing="ij")
        for place, w in zip((axis.flatten() for axis in axes), self.window_size):
            index = index * (2 * w - 1) + (place[:, None] - place + w - 1)
        return index

    def get_relative_position_bias(self, window_size: list[int]) -> Tensor:
        """(1, heads, places, places) for a window of this size, which may be smaller than the full one."""
        places = window_size[0] * window_size[1] * window_size[2]
        bias = self.relative_position_bias_table[self.relative_position_index[:places, :places].flatten()]
        return bias.view(places, places, -1).permute(2, 0, 1).contiguous().unsqueeze(0)

    def forward(self, x: Tensor) -> Tensor:
        window, shift = list(self.window_size), list(self.shift_size)
        for i, size in enumerate(x.shape[1:4]):
            if size <= window[i]:
                window[i], shift[i] = size, 0
        return shifted_window_attention_3d(
            x, self.qkv.weight, self.proj.weight, self.get_relative_position_bias(window), window, self.num_heads,
            shift_size=shift, attention_dropout=self.attention_dropout, dropout=self.dropout, qkv_bias=self.qkv.bias,
            proj_bias=self.proj.bias, training=self.training)


class PatchEmbed3d(Module):
    """Clips, padded, cut into embedded boxes: (N, C, T, H, W) → (N, T', H', W', embed_dim)."""

    def __init__(self, patch_size: list[int], in_channels: int = 3, embed_dim: int = 96,
                 norm_layer: Callable[..., Module] | None = None) -> None:
        super().__init__()
        self.tuple_patch_size = tuple(patch_size[:3])
        self.proj = nn.Conv3d(in_channels, embed_dim, kernel_size=self.tuple_patch_size, stride=self.tuple_patch_size)
        self.norm = norm_layer(embed_dim) if norm_layer is not None else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        (t, h, w), (pt, ph, pw) = x.shape[2:], self.tuple_patch_size
        x = self.proj(F.pad(x, (0, -w % pw, 0, -h % ph, 0, -t % pt)))
        return self.norm(x.permute(0, 2, 3, 4, 1))


class SwinTransformer3d(Module):
    """(N, 3, T, H, W) → (N, num_classes)."""

    def __init__(self, patch_size: list[int], embed_dim: int, depths: list[int], num_heads: list[int],
                 window_size: list[int], mlp_ratio: float = 4.0, dropout: float = 0.0,
                 attention_dropout: float = 0.0, stochastic_depth_prob: float = 0.1, num_classes: int = 400,
                 norm_layer: Callable[..., Module] | None = None, block: Callable[..., Module] | None = None,
                 downsample_layer: Callable[..., Module] = PatchMerging,
                 patch_embed: Callable[..., Module] | None = None) -> None:
        super().__init__()
        self.num_classes = num_classes
        block = block or partial(SwinTransformerBlock, attn_layer=ShiftedWindowAttention3d)
        norm = norm_layer or partial(nn.LayerNorm, eps=1e-5)
        self.patch_embed = (patch_embed or PatchEmbed3d)(patch_size=patch_size, embed_dim=embed_dim, norm_layer=norm)
        self.pos_drop = nn.Dropout(p=dropout)
        layers: list[Module] = []
        total, done = sum(depths), 0
        for i, (depth, heads) in enumerate(zip(depths, num_heads)):
            dim = embed_dim * 2 ** i
            stage = []
            for j in range(depth):
                stage.append(block(dim, heads, window_size=window_size,
                                   shift_size=[0 if j % 2 == 0 else w // 2 for w in window_size], mlp_ratio=mlp_ratio,
                                   dropout=dropout, attention_dropout=attention_dropout,
                                   stochastic_depth_prob=stochastic_depth_prob * float(done) / (total - 1),
                                   norm_layer=norm))
                done += 1
            layers.append(nn.Sequential(*stage))
            if i < len(depths) - 1:
                layers.append(downsample_layer(dim, norm))
        self.features = nn.Sequential(*layers)
        self.num_features = embed_dim * 2 ** (len(depths) - 1)
        self.norm = norm(self.num_features)
        self.avgpool = nn.AdaptiveAvgPool3d(1)
        self.head = nn.Linear(self.num_features, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.features(self.pos_drop(self.patch_embed(x))))
        return self.head(self.avgpool(x.permute(0, 4, 1, 2, 3)).flatten(1))


class Swin3D_B_Weights(WeightsEnum):
    KINETICS400_V1 = kinetics(
        "swin3d_b_1k-24f7c7c6", "https://github.com/SwinTransformer/Video-Swin-Transformer#kinetics-400",
        acc=(79.427, 94.386), params=88_048_984, gflops=140.667, mb=364.134, min_size=1, min_temporal_size=1,
        crop_size=(224, 224), resize_size=(256,), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    KINETICS400_IMAGENET22K_V1 = kinetics(
        "swin3d_b_22k-7c6ae6fa", "https://github.com/SwinTransformer/Video-Swin-Transformer#kinetics-400",
        acc=(81.643, 95.574), params=88_048_984, gflops=140.667, mb=364.134, min_size=1, min_temporal_size=1,
        crop_size=(224, 224), resize_size=(256,), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    DEFAULT = KINETICS400_V1


class Swin3D_S_Weights(WeightsEnum):
    KINETICS400_V1 = kinetics(
        "swin3d_s-da41c237", "https://github.com/SwinTransformer/Video-Swin-Transformer#kinetics-400",
        acc=(79.521, 94.158), params=49_816_678, gflops=82.841, mb=218.288, min_size=1, min_temporal_size=1,
        crop_size=(224, 224), resize_size=(256,), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    DEFAULT = KINETICS400_V1


class Swin3D_T_Weights(WeightsEnum):
    KINETICS400_V1 = kinetics(
        "swin3d_t-7615ae03", "https://github.com/SwinTransformer/Video-Swin-Transformer#kinetics-400",
        acc=(77.715, 93.519), params=28_158_070, gflops=43.882, mb=121.543, min_size=1, min_temporal_size=1,
        crop_size=(224, 224), resize_size=(256,), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    DEFAULT = KINETICS400_V1


def _builder(name: str, weights: type[WeightsEnum], embed_dim: int, depth: int, first_heads: int) -> Callable[..., Any]:
    return classifier(name, weights, SwinTransformer3d, legacy="KINETICS400_V1", patch_size=[2, 4, 4],
                      embed_dim=embed_dim, depths=[2, 2, depth, 2], num_heads=[first_heads * 2 ** i for i in range(4)],
                      window_size=[8, 7, 7], stochastic_depth_prob=0.1)


swin3d_t = _builder("swin3d_t", Swin3D_T_Weights, 96, 6, 3)
swin3d_s = _builder("swin3d_s", Swin3D_S_Weights, 96, 18, 3)
swin3d_b = _builder("swin3d_b", Swin3D_B_Weights, 128, 18, 4)
