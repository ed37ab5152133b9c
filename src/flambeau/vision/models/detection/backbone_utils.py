"""Classification networks as backbones of detectors: stages as a feature pyramid, early ones frozen."""
from __future__ import annotations

import warnings
from typing import Callable

from .... import nn
from ....nn import Module
from ....tensor.tensor import Tensor
from ...ops.feature_pyramid_network import ExtraFPNBlock, FeaturePyramidNetwork, LastLevelMaxPool
from ...ops.misc import FrozenBatchNorm2d
from .. import mobilenet, resnet
from .._api import WeightsEnum, get_model, get_model_weights
from .._utils import IntermediateLayerGetter, handle_legacy_interface
from ..segmentation._utils import stages_of_mobilenet


class BackboneWithFPN(Module):
    """A feature pyramid on some layers of a network: (N, 3, H, W) → an ordered dict of (N, out_channels, …)."""

    def __init__(self, backbone: Module, return_layers: dict[str, str], in_channels_list: list[int],
                 out_channels: int, extra_blocks: ExtraFPNBlock | None = None,
                 norm_layer: Callable[..., Module] | None = None) -> None:
        super().__init__()
        self.body = IntermediateLayerGetter(backbone, return_layers=return_layers)
        self.fpn = FeaturePyramidNetwork(in_channels_list, out_channels, extra_blocks or LastLevelMaxPool(),
                                         norm_layer)
        self.out_channels = out_channels

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return self.fpn(self.body(x))


def _pretrained(kwargs):
    """The weights that the old argument `pretrained` stands for."""
    return next(iter(get_model_weights(kwargs["backbone_name"])))


@handle_legacy_interface(weights=("pretrained", _pretrained))
def resnet_fpn_backbone(*, backbone_name: str, weights: WeightsEnum | None,
                        norm_layer: Callable[..., Module] = FrozenBatchNorm2d, trainable_layers: int = 3,
                        returned_layers: list[int] | None = None,
                        extra_blocks: ExtraFPNBlock | None = None) -> BackboneWithFPN:
    """A ResNet as a pyramid of the stages returned_layers (default: 1 to 4); the last trainable_layers of its five
    parts are trained."""
    return _resnet_fpn_extractor(get_model(backbone_name, weights=weights, norm_layer=norm_layer), trainable_layers,
                                 returned_layers, extra_blocks)


def _resnet_fpn_extractor(backbone: resnet.ResNet, trainable_layers: int, returned_layers: list[int] | None = None,
                          extra_blocks: ExtraFPNBlock | None = None,
                          norm_layer: Callable[..., Module] | None = None) -> BackboneWithFPN:
    if not 0 <= trainable_layers <= 5:
        raise ValueError(f"Trainable layers should be in the range [0,5], got {trainable_layers}")
    trained = ["layer4", "layer3", "layer2", "layer1", "conv1"][:trainable_layers]
    if trainable_layers == 5:
        trained.append("bn1")
    for name, parameter in backbone.named_parameters():
        if not name.startswith(tuple(trained)):
            parameter.requires_grad_(False)
    stages = returned_layers or [1, 2, 3, 4]
    if min(stages) <= 0 or max(stages) >= 5:
        raise ValueError(f"Each returned layer should be in the range [1,4]. Got {stages}")
    first = backbone.inplanes // 8
    return BackboneWithFPN(backbone, {f"layer{stage}": str(i) for i, stage in enumerate(stages)},
                           [first * 2 ** (stage - 1) for stage in stages], 256, extra_blocks, norm_layer)


def _validate_trainable_layers(is_trained: bool, trainable_backbone_layers: int | None, max_value: int,
                               default_value: int) -> int:
    """How many parts to train: all of an untrained backbone, the default if nothing is said."""
    if not is_trained:
        if trainable_backbone_layers is not None:
            warnings.warn("Changing trainable_backbone_layers has no effect if neither pretrained nor "
                          "pretrained_backbone have been set to True, falling back to "
                          f"trainable_backbone_layers={max_value} so that all layers are trainable", stacklevel=3)
        return max_value
    layers = default_value if trainable_backbone_layers is None else trainable_backbone_layers
    if not 0 <= layers <= max_value:
        raise ValueError(f"Trainable backbone layers should be in the range [0,{max_value}], got {layers} ")
    return layers


@handle_legacy_interface(weights=("pretrained", _pretrained))
def mobilenet_backbone(*, backbone_name: str, weights: WeightsEnum | None, fpn: bool,
                       norm_layer: Callable[..., Module] = FrozenBatchNorm2d, trainable_layers: int = 2,
                       returned_layers: list[int] | None = None,
                       extra_blocks: ExtraFPNBlock | None = None) -> Module:
    """A MobileNet as a pyramid of its last two stages, or (fpn=False) as one map of 256 channels."""
    return _mobilenet_extractor(get_model(backbone_name, weights=weights, norm_layer=norm_layer), fpn,
                                trainable_layers, returned_layers, extra_blocks)


def _mobilenet_extractor(backbone: mobilenet.MobileNetV2 | mobilenet.MobileNetV3, fpn: bool, trainable_layers: int,
                         returned_layers: list[int] | None = None, extra_blocks: ExtraFPNBlock | None = None,
                         norm_layer: Callable[..., Module] | None = None) -> Module:
    features = backbone.features
    stages = stages_of_mobilenet(features)
    count = len(stages)
    if not 0 <= trainable_layers <= count:
        raise ValueError(f"Trainable layers should be in the range [0,{count}], got {trainable_layers} ")
    for layer in features[:len(features) if trainable_layers == 0 else stages[count - trainable_layers]]:
        for parameter in layer.parameters():
            parameter.requires_grad_(False)
    if not fpn:
        projection = nn.Sequential(features, nn.Conv2d(features[-1].out_channels, 256, 1))
        projection.out_channels = 256
        return projection
    returned = returned_layers or [count - 2, count - 1]
    if min(returned) < 0 or max(returned) >= count:
        raise ValueError(f"Each returned layer should be in the range [0,{count - 1}], got {returned} ")
    return BackboneWithFPN(features, {f"{stages[k]}": str(i) for i, k in enumerate(returned)},
                           [features[stages[k]].out_channels for k in returned], 256, extra_blocks, norm_layer)
