"""The model zoo in ONNX Runtime, with dynamic axes."""
import inspect

import numpy as np
import pytest

import flambeau as fb
from flambeau.vision import models

ALL = {0: "n", 2: "h", 3: "w"}
BATCH = {0: "n"}
# model: dynamic axes, constructor's arguments, size of the example. What pools to several windows or has a table of positions
# takes one size.
CLASSIFICATION = {
    "alexnet": (BATCH, {}, 64), "vgg11_bn": (BATCH, {}, 64), "resnet18": (ALL, {}, 64), "resnext50_32x4d": (ALL, {}, 64),
    "wide_resnet50_2": (ALL, {}, 64), "squeezenet1_1": (ALL, {}, 64), "densenet121": (ALL, {}, 64),
    "inception_v3": (ALL, {"init_weights": False}, 96), "googlenet": (ALL, {"init_weights": False}, 64), "mobilenet_v2": (ALL, {}, 64),
    "mobilenet_v3_small": (ALL, {}, 64), "shufflenet_v2_x0_5": (ALL, {}, 64), "mnasnet0_5": (ALL, {}, 64), "efficientnet_b0": (ALL, {}, 64),
    "efficientnet_v2_s": (ALL, {}, 64), "regnet_y_400mf": (ALL, {}, 64), "regnet_x_400mf": (ALL, {}, 64), "convnext_tiny": (ALL, {}, 64),
    "vit_b_32": (BATCH, {"image_size": 64}, 64), "swin_t": (BATCH, {}, 64), "swin_v2_t": (BATCH, {}, 64),
    "maxvit_t": (BATCH, {"input_size": (224, 224)}, 224)}
SEGMENTATION = {
    "fcn_resnet50": {"aux_loss": True}, "deeplabv3_resnet50": {}, "deeplabv3_mobilenet_v3_large": {"aux_loss": True},
    "lraspp_mobilenet_v3_large": {}}
QUICK = {"resnet18", "squeezenet1_1", "shufflenet_v2_x0_5", "lraspp_mobilenet_v3_large"}


def cases(names):
    return [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow]) for name in names]


def check(exported, model, axes, size):
    """The model with parameters that are not those of its initialisation, which would hide mistakes."""
    fb.manual_seed(0)
    with fb.no_grad():
        for p in model.parameters():
            p.add_(fb.randn(p.shape) * 0.02)
    rng = np.random.default_rng(0)
    other = (size + 32, size + 31) if 2 in axes else (size, size)
    first, second = (fb.from_numpy(rng.standard_normal(shape, dtype=np.float32)) for shape in ((1, 3, size, size), (3, 3, *other)))
    exported(model, first, second, dynamic_axes={next(iter(inspect.signature(model.forward).parameters)): axes})


@pytest.mark.parametrize("name", cases(CLASSIFICATION))
def test_classification(exported, name):
    axes, options, size = CLASSIFICATION[name]
    check(exported, models.get_model(name, **options), axes, size)


@pytest.mark.parametrize("name", cases(SEGMENTATION))
def test_segmentation(exported, name):
    check(exported, models.get_model(name, weights_backbone=None, **SEGMENTATION[name]), ALL, 64)
