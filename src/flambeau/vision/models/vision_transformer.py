"""The vision transformer (Dosovitskiy et al. 2020, arXiv:2010.11929)."""
from __future__ import annotations

import math
from collections import OrderedDict
from functools import partial
from typing import Any, Callable, NamedTuple

from ... import cat, empty, nn, zeros
from ...nn import Module, functional as F, init
from ...tensor.tensor import Tensor
from ..ops.misc import MLP, Conv2dNormActivation
from ._api import WeightsEnum
from ._utils import _ovewrite_named_param, classifier
from ._weights import SWAG_LICENSE, InterpolationMode, imagenet

__all__ = ["ViT_B_16_Weights", "ViT_B_32_Weights", "ViT_H_14_Weights", "ViT_L_16_Weights", "ViT_L_32_Weights",
           "VisionTransformer", "vit_b_16", "vit_b_32", "vit_h_14", "vit_l_16", "vit_l_32"]


class ConvStemConfig(NamedTuple):
    """One convolution of a convolutional stem."""

    out_channels: int
    kernel_size: int
    stride: int
    norm_layer: Callable[..., Module] = nn.BatchNorm2d
    activation_layer: Callable[..., Module] = nn.ReLU


class MLPBlock(MLP):
    """Two linear layers with GELU between them."""

    _version = 2

    def __init__(self, in_dim: int, mlp_dim: int, dropout: float):
        super().__init__(in_dim, [mlp_dim, in_dim], activation_layer=nn.GELU, inplace=None, dropout=dropout)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                init.xavier_uniform_(module.weight)
                init.normal_(module.bias, std=1e-6)

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, *args):
        if local_metadata.get("version", 1) < 2:  # the layers were once called linear_1 and linear_2
            for new, old in ((0, 1), (3, 2)):
                for kind in ("weight", "bias"):
                    key = f"{prefix}linear_{old}.{kind}"
                    if key in state_dict:
                        state_dict[f"{prefix}{new}.{kind}"] = state_dict.pop(key)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *args)


class EncoderBlock(Module):
    """Self-attention and a perceptron, each on normalised input and added to it. (N, S, E) → the same."""

    def __init__(self, num_heads: int, hidden_dim: int, mlp_dim: int, dropout: float, attention_dropout: float,
                 norm_layer: Callable[..., Module] = partial(nn.LayerNorm, eps=1e-6)):
        super().__init__()
        self.num_heads = num_heads
        self.ln_1 = norm_layer(hidden_dim)
        self.self_attention = nn.MultiheadAttention(hidden_dim, num_heads, dropout=attention_dropout, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.ln_2 = norm_layer(hidden_dim)
        self.mlp = MLPBlock(hidden_dim, mlp_dim, dropout)

    def forward(self, input: Tensor) -> Tensor:
        if input.dim() != 3:
            raise AssertionError(f"Expected (batch_size, seq_length, hidden_dim) got {input.shape}")
        x = self.ln_1(input)
        x, _ = self.self_attention(x, x, x, need_weights=False)
        x = self.dropout(x) + input
        return x + self.mlp(self.ln_2(x))


class Encoder(Module):
    """Position embeddings, `num_layers` blocks, a normalisation. (N, seq_length, hidden_dim) → the same."""

    def __init__(self, seq_length: int, num_layers: int, num_heads: int, hidden_dim: int, mlp_dim: int,
                 dropout: float, attention_dropout: float,
                 norm_layer: Callable[..., Module] = partial(nn.LayerNorm, eps=1e-6)):
        super().__init__()
        self.pos_embedding = nn.Parameter(empty(1, seq_length, hidden_dim).normal_(std=0.02))
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.Sequential(OrderedDict(
            (f"encoder_layer_{i}", EncoderBlock(num_heads, hidden_dim, mlp_dim, dropout, attention_dropout, norm_layer))
            for i in range(num_layers)))
        self.ln = norm_layer(hidden_dim)

    def forward(self, input: Tensor) -> Tensor:
        if input.dim() != 3:
            raise AssertionError(f"Expected (batch_size, seq_length, hidden_dim) got {input.shape}")
        return self.ln(self.layers(self.dropout(input + self.pos_embedding)))


class VisionTransformer(Module):
    """Patches as a sequence behind a class token. (N, 3, image_size, image_size) → (N, num_classes).

    representation_size: width of a hidden layer in the head (default: none); conv_stem_configs: convolutions in place
    of the cutting into patches.
    """

    def __init__(self, image_size: int, patch_size: int, num_layers: int, num_heads: int, hidden_dim: int,
                 mlp_dim: int, dropout: float = 0.0, attention_dropout: float = 0.0, num_classes: int = 1000,
                 representation_size: int | None = None,
                 norm_layer: Callable[..., Module] = partial(nn.LayerNorm, eps=1e-6),
                 conv_stem_configs: list[ConvStemConfig] | None = None):
        super().__init__()
        if image_size % patch_size != 0:
            raise AssertionError("Input shape indivisible by patch size!")
        self.image_size, self.patch_size, self.hidden_dim, self.mlp_dim = image_size, patch_size, hidden_dim, mlp_dim
        self.attention_dropout, self.dropout, self.num_classes = attention_dropout, dropout, num_classes
        self.representation_size, self.norm_layer = representation_size, norm_layer
        self.conv_proj = self._stem(conv_stem_configs)
        self.class_token = nn.Parameter(zeros(1, 1, hidden_dim))
        self.seq_length = (image_size // patch_size) ** 2 + 1
        self.encoder = Encoder(self.seq_length, num_layers, num_heads, hidden_dim, mlp_dim, dropout,
                               attention_dropout, norm_layer)
        heads: OrderedDict[str, Module] = OrderedDict()
        if representation_size is None:
            heads["head"] = nn.Linear(hidden_dim, num_classes)
        else:
            heads["pre_logits"] = nn.Linear(hidden_dim, representation_size)
            heads["act"] = nn.Tanh()
            heads["head"] = nn.Linear(representation_size, num_classes)
        self.heads = nn.Sequential(heads)
        self._initialize()

    def _stem(self, configs: list[ConvStemConfig] | None) -> Module:
        if configs is None:
            return nn.Conv2d(3, self.hidden_dim, kernel_size=self.patch_size, stride=self.patch_size)
        stem = nn.Sequential()
        channels = 3
        for i, config in enumerate(configs):
            stem.add_module(f"conv_bn_relu_{i}", Conv2dNormActivation(
                channels, config.out_channels, config.kernel_size, config.stride, norm_layer=config.norm_layer,
                activation_layer=config.activation_layer))
            channels = config.out_channels
        stem.add_module("conv_last", nn.Conv2d(channels, self.hidden_dim, kernel_size=1))
        return stem

    def _initialize(self) -> None:
        stem = self.conv_proj
        if isinstance(stem, nn.Conv2d):
            fan_in = stem.in_channels * stem.kernel_size[0] * stem.kernel_size[1]
            init.trunc_normal_(stem.weight, std=math.sqrt(1 / fan_in))
        else:
            stem = stem.conv_last
            init.normal_(stem.weight, mean=0.0, std=math.sqrt(2.0 / stem.out_channels))
        if stem.bias is not None:
            init.zeros_(stem.bias)
        if self.representation_size is not None:
            hidden = self.heads.pre_logits
            init.trunc_normal_(hidden.weight, std=math.sqrt(1 / hidden.in_features))
            init.zeros_(hidden.bias)
        init.zeros_(self.heads.head.weight)
        init.zeros_(self.heads.head.bias)

    def _process_input(self, x: Tensor) -> Tensor:
        """Images as sequences of embedded patches: (N, 3, H, W) → (N, patches, hidden_dim)."""
        for wanted, got, name in ((self.image_size, x.shape[2], "height"), (self.image_size, x.shape[3], "width")):
            if wanted != got:
                raise AssertionError(f"Wrong image {name}! Expected {wanted} but got {got}!")
        return self.conv_proj(x).flatten(2).permute(0, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self._process_input(x)
        x = self.encoder(cat([self.class_token.expand(x.shape[0], -1, -1), x], dim=1))
        return self.heads(x[:, 0])


def interpolate_embeddings(image_size: int, patch_size: int, model_state: "OrderedDict[str, Tensor]",
                           interpolation_mode: str = "bicubic",
                           reset_heads: bool = False) -> "OrderedDict[str, Tensor]":
    """A state_dict whose position embeddings fit images of another size; without the heads, if reset_heads."""
    embedding = model_state["encoder.pos_embedding"]
    n, length, width = embedding.shape
    if n != 1:
        raise ValueError(f"Unexpected position embedding shape: {embedding.shape}")
    side, new_side = math.isqrt(length - 1), image_size // patch_size
    if side == new_side:
        return model_state
    if side * side != length - 1:
        raise ValueError(f"seq_length is not a perfect square! Instead got seq_length_1d * seq_length_1d = "
                         f"{side * side } and seq_length = {length - 1}")
    token, grid = embedding[:, :1], embedding[:, 1:].permute(0, 2, 1).reshape(1, width, side, side)
    grid = F.interpolate(grid, size=new_side, mode=interpolation_mode, align_corners=True)
    embedding = cat([token, grid.reshape(1, width, -1).permute(0, 2, 1)], dim=1)
    kept = OrderedDict((key, value) for key, value in model_state.items()
                       if not (reset_heads and key.startswith("heads")))
    kept["encoder.pos_embedding"] = embedding
    return kept


class ViT_B_16_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "vit_b_16-c867db91", "classification#vit_b_16", acc=(81.072, 95.318), params=86_567_656, gflops=17.564,
        mb=330.285, min_size=224, crop_size=224)
    IMAGENET1K_SWAG_E2E_V1 = imagenet(
        "vit_b_16_swag-9ac1b537", "https://github.com/facebookresearch/SWAG", acc=(85.304, 97.65), params=86_859_496,
        gflops=55.484, mb=331.398, min_size=384, license=SWAG_LICENSE, crop_size=384, resize_size=384,
        interpolation=InterpolationMode.BICUBIC)
    IMAGENET1K_SWAG_LINEAR_V1 = imagenet(
        "vit_b_16_lc_swag-4e70ced5", "https://github.com/pytorch/vision/pull/5793", acc=(81.886, 96.18),
        params=86_567_656, gflops=17.564, mb=330.285, min_size=224, license=SWAG_LICENSE, crop_size=224,
        resize_size=224, interpolation=InterpolationMode.BICUBIC)
    DEFAULT = IMAGENET1K_V1


class ViT_B_32_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "vit_b_32-d86f8d99", "classification#vit_b_32", acc=(75.912, 92.466), params=88_224_232, gflops=4.409,
        mb=336.604, min_size=224, crop_size=224)
    DEFAULT = IMAGENET1K_V1


class ViT_H_14_Weights(WeightsEnum):
    IMAGENET1K_SWAG_E2E_V1 = imagenet(
        "vit_h_14_swag-80465313", "https://github.com/facebookresearch/SWAG", acc=(88.552, 98.694), params=633_470_440,
        gflops=1016.717, mb=2416.643, min_size=518, license=SWAG_LICENSE, crop_size=518, resize_size=518,
        interpolation=InterpolationMode.BICUBIC)
    IMAGENET1K_SWAG_LINEAR_V1 = imagenet(
        "vit_h_14_lc_swag-c1eb923e", "https://github.com/pytorch/vision/pull/5793", acc=(85.708, 97.73),
        params=632_045_800, gflops=167.295, mb=2411.209, min_size=224, license=SWAG_LICENSE, crop_size=224,
        resize_size=224, interpolation=InterpolationMode.BICUBIC)
    DEFAULT = IMAGENET1K_SWAG_E2E_V1


class ViT_L_16_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "vit_l_16-852ce7e3", "classification#vit_l_16", acc=(79.662, 94.638), params=304_326_632, gflops=61.555,
        mb=1161.023, min_size=224, crop_size=224, resize_size=242)
    IMAGENET1K_SWAG_E2E_V1 = imagenet(
        "vit_l_16_swag-4f3808c9", "https://github.com/facebookresearch/SWAG", acc=(88.064, 98.512), params=305_174_504,
        gflops=361.986, mb=1164.258, min_size=512, license=SWAG_LICENSE, crop_size=512, resize_size=512,
        interpolation=InterpolationMode.BICUBIC)
    IMAGENET1K_SWAG_LINEAR_V1 = imagenet(
        "vit_l_16_lc_swag-4d563306", "https://github.com/pytorch/vision/pull/5793", acc=(85.146, 97.422),
        params=304_326_632, gflops=61.555, mb=1161.023, min_size=224, license=SWAG_LICENSE, crop_size=224,
        resize_size=224, interpolation=InterpolationMode.BICUBIC)
    DEFAULT = IMAGENET1K_V1


class ViT_L_32_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "vit_l_32-c7638314", "classification#vit_l_32", acc=(76.972, 93.07), params=306_535_400, gflops=15.378,
        mb=1169.449, min_size=224, crop_size=224)
    DEFAULT = IMAGENET1K_V1


def _settings(weights: WeightsEnum, kwargs: dict[str, Any]) -> None:
    _ovewrite_named_param(kwargs, "image_size", weights.meta["min_size"][0])


_builder = partial(classifier, network=VisionTransformer, settings=_settings, defaults={"image_size": 224})
_BASE = {"num_layers": 12, "num_heads": 12, "hidden_dim": 768, "mlp_dim": 3072}
_LARGE = {"num_layers": 24, "num_heads": 16, "hidden_dim": 1024, "mlp_dim": 4096}
vit_b_16 = _builder("vit_b_16", ViT_B_16_Weights, patch_size=16, **_BASE)
vit_b_32 = _builder("vit_b_32", ViT_B_32_Weights, patch_size=32, **_BASE)
vit_l_16 = _builder("vit_l_16", ViT_L_16_Weights, patch_size=16, **_LARGE)
vit_l_32 = _builder("vit_l_32", ViT_L_32_Weights, patch_size=32, **_LARGE)
vit_h_14 = _builder("vit_h_14", ViT_H_14_Weights, legacy=None, patch_size=14, num_layers=32, num_heads=16,
                    hidden_dim=1280, mlp_dim=5120)
