"""Faster R-CNN (Ren et al. 2015, arXiv:1506.01497) with a feature pyramid; the second version after Li et al. 2021
(arXiv:2111.11429)."""
from __future__ import annotations

from typing import Any, Callable, Optional

from .... import nn
from ....nn import Module, functional as F, init
from ...ops import MultiScaleRoIAlign
from ...ops.misc import Conv2dNormActivation, FrozenBatchNorm2d
from .._api import WeightsEnum, register_model
from .._utils import _ovewrite_value_param, handle_legacy_interface, load_weights
from .._weights import coco
from ..mobilenetv3 import MobileNet_V3_Large_Weights, mobilenet_v3_large
from ..resnet import ResNet50_Weights, resnet50
from ._utils import overwrite_eps
from .anchor_utils import AnchorGenerator
from .backbone_utils import _mobilenet_extractor, _resnet_fpn_extractor, _validate_trainable_layers
from .generalized_rcnn import GeneralizedRCNN
from .roi_heads import RoIHeads
from .rpn import RegionProposalNetwork, RPNHead
from .transform import GeneralizedRCNNTransform

__all__ = ["FasterRCNN", "FasterRCNN_MobileNet_V3_Large_320_FPN_Weights", "FasterRCNN_MobileNet_V3_Large_FPN_Weights",
           "FasterRCNN_ResNet50_FPN_V2_Weights", "FasterRCNN_ResNet50_FPN_Weights",
           "fasterrcnn_mobilenet_v3_large_320_fpn", "fasterrcnn_mobilenet_v3_large_fpn", "fasterrcnn_resnet50_fpn",
           "fasterrcnn_resnet50_fpn_v2"]


def _default_anchorgen() -> AnchorGenerator:
    return AnchorGenerator(((32,), (64,), (128,), (256,), (512,)), ((0.5, 1.0, 2.0),) * 5)


class FasterRCNN(GeneralizedRCNN):
    """A list of images (3, H, W) in [0, 1] → for each a dict of boxes (N, 4), labels (N,) and scores (N,).

    While training, with targets ("boxes", and "labels" from 1; 0 is the background): a dict of losses.
    The backbone gives maps of `out_channels` channels. rpn_*: proposals; box_*: their classification; min_size,
    max_size, image_mean, image_std: the images.
    """

    def __init__(self, backbone, num_classes=None,
                 min_size=800, max_size=1333, image_mean=None, image_std=None,
                 rpn_anchor_generator=None, rpn_head=None, rpn_pre_nms_top_n_train=2000, rpn_pre_nms_top_n_test=1000,
                 rpn_post_nms_top_n_train=2000, rpn_post_nms_top_n_test=1000, rpn_nms_thresh=0.7,
                 rpn_fg_iou_thresh=0.7, rpn_bg_iou_thresh=0.3, rpn_batch_size_per_image=256,
                 rpn_positive_fraction=0.5, rpn_score_thresh=0.0,
                 box_roi_pool=None, box_head=None, box_predictor=None, box_score_thresh=0.05, box_nms_thresh=0.5,
                 box_detections_per_img=100, box_fg_iou_thresh=0.5, box_bg_iou_thresh=0.5,
                 box_batch_size_per_image=512, box_positive_fraction=0.25, bbox_reg_weights=None, **kwargs):
        if not hasattr(backbone, "out_channels"):
            raise ValueError("backbone should contain an attribute out_channels specifying the number of output "
                             "channels (assumed to be the same for all the levels)")
        for name, part, kind in (("rpn_anchor_generator", rpn_anchor_generator, AnchorGenerator),
                                 ("box_roi_pool", box_roi_pool, MultiScaleRoIAlign)):
            if not isinstance(part, (kind, type(None))):
                raise TypeError(f"{name} should be of type {kind.__name__} or None instead of {type(part)}")
        if num_classes is not None and box_predictor is not None:
            raise ValueError("num_classes should be None when box_predictor is specified")
        if num_classes is None and box_predictor is None:
            raise ValueError("num_classes should not be None when box_predictor is not specified")
        channels = backbone.out_channels
        anchors = rpn_anchor_generator or _default_anchorgen()
        rpn_head = rpn_head or RPNHead(channels, anchors.num_anchors_per_location()[0])
        rpn = RegionProposalNetwork(
            anchors, rpn_head, rpn_fg_iou_thresh, rpn_bg_iou_thresh, rpn_batch_size_per_image, rpn_positive_fraction,
            {"training": rpn_pre_nms_top_n_train, "testing": rpn_pre_nms_top_n_test},
            {"training": rpn_post_nms_top_n_train, "testing": rpn_post_nms_top_n_test}, rpn_nms_thresh,
            score_thresh=rpn_score_thresh)
        pool = box_roi_pool or MultiScaleRoIAlign(["0", "1", "2", "3"], output_size=7, sampling_ratio=2)
        if box_head is None:
            box_head = TwoMLPHead(channels * pool.output_size[0] ** 2, 1024)
        box_predictor = box_predictor or FastRCNNPredictor(1024, num_classes)
        heads = RoIHeads(pool, box_head, box_predictor, box_fg_iou_thresh, box_bg_iou_thresh,
                         box_batch_size_per_image, box_positive_fraction, bbox_reg_weights, box_score_thresh,
                         box_nms_thresh, box_detections_per_img)
        transform = GeneralizedRCNNTransform(min_size, max_size, image_mean or [0.485, 0.456, 0.406],
                                             image_std or [0.229, 0.224, 0.225], **kwargs)
        super().__init__(backbone, rpn, heads, transform)


class TwoMLPHead(Module):
    """Pooled features, flattened, through two linear layers."""

    def __init__(self, in_channels, representation_size):
        super().__init__()
        self.fc6 = nn.Linear(in_channels, representation_size)
        self.fc7 = nn.Linear(representation_size, representation_size)

    def forward(self, x):
        return F.relu(self.fc7(F.relu(self.fc6(x.flatten(start_dim=1)))))


class FastRCNNConvFCHead(nn.Sequential):
    """Pooled features (C, H, W) = input_size through convolutions, then linear layers, of these widths."""

    def __init__(self, input_size: tuple[int, int, int], conv_layers: list[int], fc_layers: list[int],
                 norm_layer: Callable[..., Module] | None = None):
        channels, height, width = input_size
        layers: list[Module] = []
        for out in conv_layers:
            layers.append(Conv2dNormActivation(channels, out, norm_layer=norm_layer))
            channels = out
        layers.append(nn.Flatten())
        features = channels * height * width
        for out in fc_layers:
            layers += [nn.Linear(features, out), nn.ReLU(inplace=True)]
            features = out
        super().__init__(*layers)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
                if layer.bias is not None:
                    init.zeros_(layer.bias)


class FastRCNNPredictor(Module):
    """Logits of the classes, and codes of a box for each class."""

    def __init__(self, in_channels, num_classes):
        super().__init__()
        self.cls_score = nn.Linear(in_channels, num_classes)
        self.bbox_pred = nn.Linear(in_channels, num_classes * 4)

    def forward(self, x):
        if x.dim() == 4 and list(x.shape[2:]) != [1, 1]:
            raise AssertionError(f"x has the wrong shape, expecting the last two dimensions to be [1,1] instead of "
                                 f"{list(x.shape[2:])}")
        x = x.flatten(start_dim=1)
        return self.cls_score(x), self.bbox_pred(x)


def resnet50_pyramid(weights: WeightsEnum | None, weights_backbone: ResNet50_Weights | None,
                     trainable_backbone_layers: int | None, progress: bool, v2: bool = False, **options: Any) -> Module:
    """The backbone of the models on ResNet-50: frozen normalisation where its statistics are trained ones; the second
    versions have ordinary normalisation, in the pyramid (unless norm_layer says otherwise), too.

    Other options go to the pyramid; `extra_blocks` is a function, called when the network has been initialised.
    """
    trained = weights is not None or weights_backbone is not None
    trainable = _validate_trainable_layers(trained, trainable_backbone_layers, 5, 3)
    norm = FrozenBatchNorm2d if trained and not v2 else nn.BatchNorm2d
    network = resnet50(weights=weights_backbone, progress=progress, norm_layer=norm)
    if "extra_blocks" in options:
        options["extra_blocks"] = options["extra_blocks"]()
    return _resnet_fpn_extractor(network, trainable, **({"norm_layer": norm} if v2 else {}) | options)


def v2_heads(channels: int = 256) -> dict[str, Module]:
    """The proposal and box heads of the second versions, in the order of their initialisation."""
    anchors = _default_anchorgen()
    return {"rpn_anchor_generator": anchors,
            "rpn_head": RPNHead(channels, anchors.num_anchors_per_location()[0], conv_depth=2),
            "box_head": FastRCNNConvFCHead((channels, 7, 7), [256] * 4, [1024], norm_layer=nn.BatchNorm2d)}


def settle(weights: WeightsEnum | None, weights_backbone: WeightsEnum | None, num_classes: int | None,
           default: int = 91) -> tuple[WeightsEnum | None, int]:
    """(the backbone's weights, the number of classes): with weights of the whole, none and theirs."""
    if weights is not None:
        weights_backbone = None
        num_classes = _ovewrite_value_param("num_classes", num_classes, len(weights.meta["categories"]))
    return weights_backbone, default if num_classes is None else num_classes


def loaded(model: Any, weights: WeightsEnum | None, progress: bool) -> Any:
    """The model with the weights, if any. The first ones were trained without an eps in the normalisations."""
    if weights is not None:
        load_weights(model, weights, progress)
        if weights.name == "COCO_V1" and not type(weights).__name__.endswith("_V2_Weights"):
            overwrite_eps(model, 0.0)
    return model


class FasterRCNN_MobileNet_V3_Large_320_FPN_Weights(WeightsEnum):
    COCO_V1 = coco(
        "fasterrcnn_mobilenet_v3_large_320_fpn-907ea3f9", "detection#faster-r-cnn-mobilenetv3-large-320-fpn",
        metrics=dict(box_map=22.8), params=19_386_354, gflops=0.719, mb=74.239, min_size=1)
    DEFAULT = COCO_V1


class FasterRCNN_MobileNet_V3_Large_FPN_Weights(WeightsEnum):
    COCO_V1 = coco(
        "fasterrcnn_mobilenet_v3_large_fpn-fb6a3cc7", "detection#faster-r-cnn-mobilenetv3-large-fpn",
        metrics=dict(box_map=32.8), params=19_386_354, gflops=4.494, mb=74.239, min_size=1)
    DEFAULT = COCO_V1


class FasterRCNN_ResNet50_FPN_Weights(WeightsEnum):
    COCO_V1 = coco(
        "fasterrcnn_resnet50_fpn_coco-258fb6c6", "detection#faster-r-cnn-resnet-50-fpn", metrics=dict(box_map=37.0),
        params=41_755_286, gflops=134.38, mb=159.743, min_size=1)
    DEFAULT = COCO_V1


class FasterRCNN_ResNet50_FPN_V2_Weights(WeightsEnum):
    COCO_V1 = coco(
        "fasterrcnn_resnet50_fpn_v2_coco-dd69338a", "https://github.com/pytorch/vision/pull/5763",
        metrics=dict(box_map=46.7), params=43_712_278, gflops=280.371, mb=167.104, min_size=1)
    DEFAULT = COCO_V1


@register_model()
@handle_legacy_interface(weights=("pretrained", FasterRCNN_ResNet50_FPN_Weights.COCO_V1),
                         weights_backbone=("pretrained_backbone", ResNet50_Weights.IMAGENET1K_V1))
def fasterrcnn_resnet50_fpn(*, weights: Optional[FasterRCNN_ResNet50_FPN_Weights] = None, progress: bool = True,
                            num_classes: Optional[int] = None,
                            weights_backbone: Optional[ResNet50_Weights] = ResNet50_Weights.IMAGENET1K_V1,
                            trainable_backbone_layers: Optional[int] = None, **kwargs: Any) -> FasterRCNN:
    """`FasterRCNN` on ResNet-50; num_classes (default 91) counts the background."""
    weights = FasterRCNN_ResNet50_FPN_Weights.verify(weights)
    backbone, classes = settle(weights, ResNet50_Weights.verify(weights_backbone), num_classes)
    pyramid = resnet50_pyramid(weights, backbone, trainable_backbone_layers, progress)
    return loaded(FasterRCNN(pyramid, num_classes=classes, **kwargs), weights, progress)


@register_model()
@handle_legacy_interface(weights=("pretrained", FasterRCNN_ResNet50_FPN_V2_Weights.COCO_V1),
                         weights_backbone=("pretrained_backbone", ResNet50_Weights.IMAGENET1K_V1))
def fasterrcnn_resnet50_fpn_v2(*, weights: Optional[FasterRCNN_ResNet50_FPN_V2_Weights] = None, progress: bool = True,
                               num_classes: Optional[int] = None, weights_backbone: Optional[ResNet50_Weights] = None,
                               trainable_backbone_layers: Optional[int] = None, **kwargs: Any) -> FasterRCNN:
    """`FasterRCNN` on ResNet-50 with deeper heads; num_classes (default 91) counts the background."""
    weights = FasterRCNN_ResNet50_FPN_V2_Weights.verify(weights)
    backbone, classes = settle(weights, ResNet50_Weights.verify(weights_backbone), num_classes)
    pyramid = resnet50_pyramid(weights, backbone, trainable_backbone_layers, progress, v2=True)
    return loaded(FasterRCNN(pyramid, num_classes=classes, **v2_heads(), **kwargs), weights, progress)


def _fasterrcnn_mobilenet_v3_large_fpn(*, weights: Any, progress: bool, num_classes: Optional[int],
                                       weights_backbone: Optional[MobileNet_V3_Large_Weights],
                                       trainable_backbone_layers: Optional[int], **kwargs: Any) -> FasterRCNN:
    backbone, classes = settle(weights, MobileNet_V3_Large_Weights.verify(weights_backbone), num_classes)
    trained = weights is not None or backbone is not None
    trainable = _validate_trainable_layers(trained, trainable_backbone_layers, 6, 3)
    network = mobilenet_v3_large(weights=backbone, progress=progress,
                                 norm_layer=FrozenBatchNorm2d if trained else nn.BatchNorm2d)
    anchors = AnchorGenerator(((32, 64, 128, 256, 512),) * 3, ((0.5, 1.0, 2.0),) * 3)
    model = FasterRCNN(_mobilenet_extractor(network, True, trainable), classes, rpn_anchor_generator=anchors, **kwargs)
    if weights is not None:  # not `loaded`: these were trained with an eps
        load_weights(model, weights, progress)
    return model


@register_model()
@handle_legacy_interface(weights=("pretrained", FasterRCNN_MobileNet_V3_Large_320_FPN_Weights.COCO_V1),
                         weights_backbone=("pretrained_backbone", MobileNet_V3_Large_Weights.IMAGENET1K_V1))
def fasterrcnn_mobilenet_v3_large_320_fpn(
        *, weights: Optional[FasterRCNN_MobileNet_V3_Large_320_FPN_Weights] = None, progress: bool = True,
        num_classes: Optional[int] = None,
        weights_backbone: Optional[MobileNet_V3_Large_Weights] = MobileNet_V3_Large_Weights.IMAGENET1K_V1,
        trainable_backbone_layers: Optional[int] = None, **kwargs: Any) -> FasterRCNN:
    """`FasterRCNN` on MobileNet v3 for small images and little time; num_classes (default 91) counts the background."""
    defaults = {"min_size": 320, "max_size": 640, "rpn_pre_nms_top_n_test": 150, "rpn_post_nms_top_n_test": 150,
                "rpn_score_thresh": 0.05}
    return _fasterrcnn_mobilenet_v3_large_fpn(
        weights=FasterRCNN_MobileNet_V3_Large_320_FPN_Weights.verify(weights), progress=progress,
        num_classes=num_classes, weights_backbone=weights_backbone,
        trainable_backbone_layers=trainable_backbone_layers, **{**defaults, **kwargs})


@register_model()
@handle_legacy_interface(weights=("pretrained", FasterRCNN_MobileNet_V3_Large_FPN_Weights.COCO_V1),
                         weights_backbone=("pretrained_backbone", MobileNet_V3_Large_Weights.IMAGENET1K_V1))
def fasterrcnn_mobilenet_v3_large_fpn(
        *, weights: Optional[FasterRCNN_MobileNet_V3_Large_FPN_Weights] = None, progress: bool = True,
        num_classes: Optional[int] = None,
        weights_backbone: Optional[MobileNet_V3_Large_Weights] = MobileNet_V3_Large_Weights.IMAGENET1K_V1,
        trainable_backbone_layers: Optional[int] = None, **kwargs: Any) -> FasterRCNN:
    """`FasterRCNN` on MobileNet v3; num_classes (default 91) counts the background."""
    return _fasterrcnn_mobilenet_v3_large_fpn(
        weights=FasterRCNN_MobileNet_V3_Large_FPN_Weights.verify(weights), progress=progress, num_classes=num_classes,
        weights_backbone=weights_backbone, trainable_backbone_layers=trainable_backbone_layers,
        **{"rpn_score_thresh": 0.05, **kwargs})
