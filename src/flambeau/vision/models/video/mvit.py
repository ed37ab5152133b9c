"""Multiscale vision transformers (Fan et al. 2021, arXiv:2104.11227; v2: Li et al. 2021, arXiv:2112.01526)."""
from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any, Callable, Sequence

from .... import arange, cat, einsum, nn, zeros
from ....nn import Module, functional as F, init
from ....tensor.tensor import Tensor
from ...ops.misc import MLP
from ...ops.stochastic_depth import StochasticDepth
from .._api import WeightsEnum
from .._utils import _ovewrite_named_param, classifier
from .._weights import kinetics

__all__ = ["MViT", "MViT_V1_B_Weights", "MViT_V2_S_Weights", "mvit_v1_b", "mvit_v2_s"]

Size = tuple[int, int, int]  # frames, height and width of a grid of tokens


@dataclass
class MSBlockConfig:
    """One block: heads, channels, and the poolings of queries, and of keys and values (empty: none)."""

    num_heads: int
    input_channels: int
    output_channels: int
    kernel_q: list[int]
    kernel_kv: list[int]
    stride_q: list[int]
    stride_kv: list[int]


class Pool(Module):
    """Pools the tokens (B, heads, 1 + T·H·W, C), or (B, 1 + T·H·W, C), on their grid; the class token stays."""

    def __init__(self, pool: Module, norm: Module | None, activation: Module | None = None,
                 norm_before_pool: bool = False) -> None:
        super().__init__()
        self.pool = pool
        layers = [layer for layer in (norm, activation) if layer is not None]
        self.norm_act = nn.Sequential(*layers) if layers else None
        self.norm_before_pool = norm_before_pool

    def forward(self, x: Tensor, thw: Size) -> tuple[Tensor, Size]:
        grouped = x.dim() == 4
        if not grouped:
            x = x.unsqueeze(1)
        token, grid = x[:, :, :1], x[:, :, 1:]
        b, heads, _, channels = grid.shape
        grid = grid.transpose(2, 3).reshape(b * heads, channels, *thw)
        if self.norm_before_pool and self.norm_act is not None:
            grid = self.norm_act(grid)
        grid = self.pool(grid)
        t, h, w = grid.shape[2:]
        x = cat((token, grid.reshape(b, heads, channels, -1).transpose(2, 3)), dim=2)
        if not self.norm_before_pool and self.norm_act is not None:
            x = self.norm_act(x)
        return x if grouped else x.squeeze(1), (t, h, w)


def _interpolate(embedding: Tensor, d: int) -> Tensor:
    """Embeddings of offsets (rows, C), resampled to d rows."""
    if embedding.shape[0] == d:
        return embedding
    return F.interpolate(embedding.permute(1, 0).unsqueeze(0), size=d, mode="linear").squeeze(0).permute(1, 0)


def _by_offset(embedding: Tensor, q: int, k: int) -> Tensor:
    """The embeddings of the offsets of q places from k places along one axis: (q, k, C)."""
    distance = (arange(q)[:, None] * max(k / q, 1.0)
                - (arange(k)[None, :] + (1.0 - k)) * max(q / k, 1.0))
    return _interpolate(embedding, 2 * max(q, k) - 1)[distance.long()]


def _add_rel_pos(attn: Tensor, q: Tensor, q_thw: Size, k_thw: Size, rel_pos_h: Tensor, rel_pos_w: Tensor,
                 rel_pos_t: Tensor) -> Tensor:
    """Attention (B, heads, 1 + q, 1 + k) with the products of queries and embeddings of offsets added, except at the
    class token."""
    b, heads, _, dim = q.shape
    grid = q[:, :, 1:].reshape(b, heads, *q_thw, dim)
    by_t, by_h, by_w = (_by_offset(table, nq, nk) for table, nq, nk in
                        zip((rel_pos_t, rel_pos_h, rel_pos_w), q_thw, k_thw))
    bias = (einsum("bythwc,tkc->bythwk", grid, by_t)[..., :, None, None]
            + einsum("bythwc,hkc->bythwk", grid, by_h)[..., None, :, None]
            + einsum("bythwc,wkc->bythwk", grid, by_w)[..., None, None, :])
    return attn + F.pad(bias.reshape(b, heads, math.prod(q_thw), math.prod(k_thw)), (1, 0, 1, 0))


class MultiscaleAttention(Module):
    """Self-attention of pooled queries, keys and values."""

    def __init__(self, input_size: list[int], embed_dim: int, output_dim: int, num_heads: int, kernel_q: list[int],
                 kernel_kv: list[int], stride_q: list[int], stride_kv: list[int], residual_pool: bool,
                 residual_with_cls_embed: bool, rel_pos_embed: bool, dropout: float = 0.0,
                 norm_layer: Callable[..., Module] = nn.LayerNorm) -> None:
        super().__init__()
        self.embed_dim, self.output_dim, self.num_heads = embed_dim, output_dim, num_heads
        self.head_dim = output_dim // num_heads
        self.scaler = 1.0 / math.sqrt(self.head_dim)
        self.residual_pool, self.residual_with_cls_embed = residual_pool, residual_with_cls_embed
        self.qkv = nn.Linear(embed_dim, 3 * output_dim)
        self.project = nn.Sequential(nn.Linear(output_dim, output_dim),
                                     *([nn.Dropout(dropout, inplace=True)] if dropout > 0.0 else []))
        self.pool_q = self._pool(kernel_q, stride_q, norm_layer)
        self.pool_k = self._pool(kernel_kv, stride_kv, norm_layer)
        self.pool_v = self._pool(kernel_kv, stride_kv, norm_layer)
        size = max(input_size[1:])
        sides = [size // stride[1] if stride else size for stride in (stride_q, stride_kv)]
        rows = 2 * max(sides) - 1
        for axis, count in (("h", rows), ("w", rows), ("t", 2 * input_size[0] - 1)):
            table = nn.Parameter(zeros(count, self.head_dim)) if rel_pos_embed else None
            self.register_parameter(f"rel_pos_{axis}", table)
            if table is not None:
                init.trunc_normal_(table, std=0.02)

    def _pool(self, kernel: list[int], stride: list[int], norm_layer: Callable[..., Module]) -> Pool | None:
        if math.prod(kernel) == 1 and math.prod(stride) == 1:
            return None
        conv = nn.Conv3d(self.head_dim, self.head_dim, tuple(kernel), stride=tuple(stride),
                         padding=tuple(k // 2 for k in kernel), groups=self.head_dim, bias=False)
        return Pool(conv, norm_layer(self.head_dim))

    def forward(self, x: Tensor, thw: Size) -> tuple[Tensor, Size]:
        b, n, _ = x.shape
        q, k, v = self.qkv(x).reshape(b, n, 3, self.num_heads, self.head_dim).transpose(1, 3).unbind(dim=2)
        k, k_thw = (k, thw) if self.pool_k is None else self.pool_k(k, thw)
        v = v if self.pool_v is None else self.pool_v(v, thw)[0]
        q, thw = (q, thw) if self.pool_q is None else self.pool_q(q, thw)
        attention = (self.scaler * q) @ k.transpose(2, 3)
        if self.rel_pos_h is not None:
            attention = _add_rel_pos(attention, q, thw, k_thw, self.rel_pos_h, self.rel_pos_w, self.rel_pos_t)
        x = attention.softmax(dim=-1) @ v
        if self.residual_pool:
            x = x + (q if self.residual_with_cls_embed else F.pad(q[:, :, 1:], (0, 0, 1, 0)))
        return self.project(x.transpose(1, 2).reshape(b, -1, self.output_dim)), thw


class MultiscaleBlock(Module):
    """Attention and a perceptron, each on normalised input and added to it, pooled or projected where sizes change."""

    def __init__(self, input_size: list[int], cnf: MSBlockConfig, residual_pool: bool, residual_with_cls_embed: bool,
                 rel_pos_embed: bool, proj_after_attn: bool, dropout: float = 0.0, stochastic_depth_prob: float = 0.0,
                 norm_layer: Callable[..., Module] = nn.LayerNorm) -> None:
        super().__init__()
        self.proj_after_attn = proj_after_attn
        self.pool_skip = None
        if math.prod(cnf.stride_q) > 1:
            kernel = [s + 1 if s > 1 else s for s in cnf.stride_q]
            self.pool_skip = Pool(nn.MaxPool3d(kernel, stride=cnf.stride_q, padding=[k // 2 for k in kernel]), None)
        width = cnf.output_channels if proj_after_attn else cnf.input_channels
        self.norm1, self.norm2 = norm_layer(cnf.input_channels), norm_layer(width)
        self.needs_transposal = isinstance(self.norm1, nn.BatchNorm1d)
        self.attn = MultiscaleAttention(
            input_size, cnf.input_channels, width, cnf.num_heads, kernel_q=cnf.kernel_q, kernel_kv=cnf.kernel_kv,
            stride_q=cnf.stride_q, stride_kv=cnf.stride_kv, rel_pos_embed=rel_pos_embed, residual_pool=residual_pool,
            residual_with_cls_embed=residual_with_cls_embed, dropout=dropout, norm_layer=norm_layer)
        self.mlp = MLP(width, [4 * width, cnf.output_channels], activation_layer=nn.GELU, dropout=dropout,
                       inplace=None)
        self.stochastic_depth = StochasticDepth(stochastic_depth_prob, "row")
        self.project = None
        if cnf.input_channels != cnf.output_channels:
            self.project = nn.Linear(cnf.input_channels, cnf.output_channels)

    def _normalized(self, norm: Module, x: Tensor) -> Tensor:
        return norm(x.transpose(1, 2)).transpose(1, 2) if self.needs_transposal else norm(x)

    def forward(self, x: Tensor, thw: Size) -> tuple[Tensor, Size]:
        normalized = self._normalized(self.norm1, x)
        attended, new_thw = self.attn(normalized, thw)
        if self.project is not None and self.proj_after_attn:
            x = self.project(normalized)
        if self.pool_skip is not None:
            x = self.pool_skip(x, thw)[0]
        x = x + self.stochastic_depth(attended)
        normalized = self._normalized(self.norm2, x)
        if self.project is not None and not self.proj_after_attn:
            x = self.project(normalized)
        return x + self.stochastic_depth(self.mlp(normalized)), new_thw


class PositionalEncoding(Module):
    """Puts the class token in front and, unless blocks know offsets, adds embeddings of places and times."""

    def __init__(self, embed_size: int, spatial_size: tuple[int, int], temporal_size: int,
                 rel_pos_embed: bool) -> None:
        super().__init__()
        self.spatial_size, self.temporal_size = spatial_size, temporal_size
        self.class_token = nn.Parameter(zeros(embed_size))
        shapes = {"spatial_pos": (spatial_size[0] * spatial_size[1], embed_size),
                  "temporal_pos": (temporal_size, embed_size), "class_pos": (embed_size,)}
        for name, shape in shapes.items():
            self.register_parameter(name, None if rel_pos_embed else nn.Parameter(zeros(*shape)))

    def forward(self, x: Tensor) -> Tensor:
        x = cat((self.class_token.expand(x.size(0), -1).unsqueeze(1), x), dim=1)
        if self.spatial_pos is None:
            return x
        places = (self.temporal_pos[:, None] + self.spatial_pos[None]).flatten(0, 1)
        return x + cat((self.class_pos.unsqueeze(0), places), dim=0).unsqueeze(0)


class MViT(Module):
    """(N, 3, temporal_size, *spatial_size) → (N, num_classes). block_setting: the blocks' channels and poolings."""

    def __init__(self, spatial_size: tuple[int, int], temporal_size: int, block_setting: Sequence[MSBlockConfig],
                 residual_pool: bool, residual_with_cls_embed: bool, rel_pos_embed: bool, proj_after_attn: bool,
                 dropout: float = 0.5, attention_dropout: float = 0.0, stochastic_depth_prob: float = 0.0,
                 num_classes: int = 400, block: Callable[..., Module] | None = None,
                 norm_layer: Callable[..., Module] | None = None, patch_embed_kernel: Size = (3, 7, 7),
                 patch_embed_stride: Size = (2, 4, 4), patch_embed_padding: Size = (1, 3, 3)) -> None:
        super().__init__()
        if len(block_setting) == 0:
            raise ValueError("The configuration parameter can't be empty.")
        block, norm = block or MultiscaleBlock, norm_layer or partial(nn.LayerNorm, eps=1e-6)
        width = block_setting[0].input_channels
        self.conv_proj = nn.Conv3d(3, width, kernel_size=patch_embed_kernel, stride=patch_embed_stride,
                                   padding=patch_embed_padding)
        size = [n // stride for n, stride in zip((temporal_size, *spatial_size), self.conv_proj.stride)]
        self.pos_encoding = PositionalEncoding(width, (size[1], size[2]), size[0], rel_pos_embed)
        self.blocks = nn.ModuleList()
        for i, cnf in enumerate(block_setting):
            self.blocks.append(block(
                input_size=size, cnf=cnf, residual_pool=residual_pool, residual_with_cls_embed=residual_with_cls_embed,
                rel_pos_embed=rel_pos_embed, proj_after_attn=proj_after_attn, dropout=attention_dropout,
                stochastic_depth_prob=stochastic_depth_prob * i / (len(block_setting) - 1.0), norm_layer=norm))
            if cnf.stride_q:
                size = [n // stride for n, stride in zip(size, cnf.stride_q)]
        last = block_setting[-1].output_channels
        self.norm = norm(last)
        self.head = nn.Sequential(nn.Dropout(dropout, inplace=True), nn.Linear(last, num_classes))
        for module in self.modules():
            if isinstance(module, nn.Linear):
                init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    init.constant_(module.bias, 0.0)
            elif isinstance(module, PositionalEncoding):
                for weights in module.parameters():
                    init.trunc_normal_(weights, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() == 4:  # one frame
            x = x.unsqueeze(2)
        x = self.pos_encoding(self.conv_proj(x).flatten(2).transpose(1, 2))
        thw = (self.pos_encoding.temporal_size, *self.pos_encoding.spatial_size)
        for block in self.blocks:
            x, thw = block(x, thw)
        return self.head(self.norm(x)[:, 0])


# heads, input and output channels, strides in space of queries and of keys (0: queries are not pooled), repeated
_V1 = [(1, 96, 192, 0, 8, 1), (2, 192, 192, 2, 4, 1), (2, 192, 384, 0, 4, 1), (4, 384, 384, 2, 2, 1),
       (4, 384, 384, 0, 2, 9), (4, 384, 768, 0, 2, 1), (8, 768, 768, 2, 1, 1), (8, 768, 768, 0, 1, 1)]
_V2 = [(1, 96, 96, 1, 8, 1), (2, 96, 192, 2, 4, 1), (2, 192, 192, 1, 4, 1), (4, 192, 384, 2, 2, 1),
       (4, 384, 384, 1, 2, 10), (8, 384, 768, 2, 1, 1), (8, 768, 768, 1, 1, 1)]


def _blocks(rows: list[tuple[int, ...]]) -> list[MSBlockConfig]:
    return [MSBlockConfig(heads, before, after, [3, 3, 3] if q else [], [3, 3, 3], [1, q, q] if q else [],
                          [1, kv, kv])
            for heads, before, after, q, kv, count in rows for _ in range(count)]


def _settings(weights: WeightsEnum, kwargs: dict[str, Any]) -> None:
    _ovewrite_named_param(kwargs, "spatial_size", weights.meta["min_size"])
    _ovewrite_named_param(kwargs, "temporal_size", weights.meta["min_temporal_size"])


class MViT_V1_B_Weights(WeightsEnum):
    KINETICS400_V1 = kinetics(
        "mvit_v1_b-dbeb1030", "https://github.com/facebookresearch/pytorchvideo/blob/main/docs/source/model_zoo.md",
        acc=(78.477, 93.582), params=36_610_672, gflops=70.599, mb=139.764, min_size=224, min_temporal_size=16,
        crop_size=(224, 224), resize_size=(256,), mean=(0.45, 0.45, 0.45), std=(0.225, 0.225, 0.225))
    DEFAULT = KINETICS400_V1


class MViT_V2_S_Weights(WeightsEnum):
    KINETICS400_V1 = kinetics(
        "mvit_v2_s-ae3be167", "https://github.com/facebookresearch/SlowFast/blob/main/MODEL_ZOO.md",
        acc=(80.757, 94.665), params=34_537_744, gflops=64.224, mb=131.884, min_size=224, min_temporal_size=16,
        crop_size=(224, 224), resize_size=(256,), mean=(0.45, 0.45, 0.45), std=(0.225, 0.225, 0.225))
    DEFAULT = KINETICS400_V1


_builder = partial(classifier, network=MViT, legacy="KINETICS400_V1", settings=_settings,
                   defaults={"spatial_size": (224, 224), "temporal_size": 16}, residual_with_cls_embed=False,
                   stochastic_depth_prob=0.2)
mvit_v1_b = _builder("mvit_v1_b", MViT_V1_B_Weights, block_setting=_blocks(_V1), residual_pool=False,
                     rel_pos_embed=False, proj_after_attn=False)
mvit_v2_s = _builder("mvit_v2_s", MViT_V2_S_Weights, block_setting=_blocks(_V2), residual_pool=True,
                     rel_pos_embed=True, proj_after_attn=True)
