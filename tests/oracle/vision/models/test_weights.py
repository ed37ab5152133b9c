"""Published weights: the same enums, addresses, transforms and metadata; the same builders, signatures and warnings."""
import inspect
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")
torchvision = pytest.importorskip("torchvision")

import flambeau
import flambeau.vision as vision

NAMES = [name for name in torchvision.models.list_models() if not name.startswith("quantized")]


def test_the_same_models_are_known():
    assert vision.models.list_models() == NAMES
    for package in (None, "detection", "segmentation", "video", "optical_flow"):
        theirs, ours = (getattr(side.models, package) if package else side.models for side in (torchvision, vision))
        assert vision.models.list_models(ours) == torchvision.models.list_models(theirs)
    patterns = {"include": ["*net*", "vgg*"], "exclude": "*_*"}
    assert vision.models.list_models(vision.models, **patterns) == torchvision.models.list_models(
        torchvision.models, **patterns)


def settled(transforms):
    """A transform's class and settings."""
    preset = transforms()
    return type(preset).__name__, repr(preset)


@pytest.mark.parametrize("name", NAMES)
def test_weights(name):
    theirs, ours = (side.models.get_model_weights(name) for side in (torchvision, vision))
    assert ours.__name__ == theirs.__name__
    assert {key: member.name for key, member in ours.__members__.items()} == {
        key: member.name for key, member in theirs.__members__.items()}
    for wanted, got in zip(theirs, ours):
        assert repr(got) == repr(wanted) and got.url == wanted.url
        assert settled(got.transforms) == settled(wanted.transforms)
        meta = {key: value for key, value in wanted.meta.items() if key != "_docs"}
        assert str(sorted(got.meta.items())) == str(sorted(meta.items()))
    assert ours is vision.models.get_weight(f"{ours.__name__}.DEFAULT").__class__


@pytest.mark.parametrize("name", NAMES)
def test_builders_take_the_same_arguments(name):
    theirs, ours = (inspect.signature(side.models.get_model_builder(name)) for side in (torchvision, vision))
    assert [(p.name, p.kind, p.default if not isinstance(p.default, torchvision.models.WeightsEnum) else
             str(p.default)) for p in theirs.parameters.values()] == [
        (p.name, p.kind, p.default if not isinstance(p.default, vision.models.WeightsEnum) else
         str(p.default)) for p in ours.parameters.values()]


CALLS = [
    lambda m: m.get_weight("x"), lambda m: m.get_weight("a.b"), lambda m: m.get_weight("ResNet50_Weights.b"),
    lambda m: m.get_model("zz"), lambda m: m.get_model_weights(len), lambda m: m.squeezenet1_1(weights="x"),
    lambda m: m.squeezenet1_1(weights=m.ResNet50_Weights.DEFAULT), lambda m: m.resnext50_32x4d(groups=3),
    lambda m: m.vit_h_14(pretrained=True), lambda m: m.resnet18(num_classes=3, weights="DEFAULT"),
    lambda m: m.ResNet18_Weights(3), lambda m: m.squeezenet1_1(False), lambda m: m.squeezenet1_1(pretrained=False),
    lambda m: m.squeezenet1_1(None, False), lambda m: m.squeezenet1_1(weights=False, progress=True),
    lambda m: m.SqueezeNet("3"), lambda m: m.vgg11(weights=m.VGG11_Weights.IMAGENET1K_V1, num_classes=2),
    lambda m: m.ResNet18_Weights.verify("ResNet18_Weights.DEFAULT"), lambda m: m.get_weight("VGG16_Weights.DEFAULT.x"),
    lambda m: m.ResNet(m.resnet.BasicBlock, [1, 1, 1, 1], groups=2),
    lambda m: m.ResNet(m.resnet.BasicBlock, [1, 1, 1, 1], replace_stride_with_dilation=[True]),
]


@pytest.mark.parametrize("call", range(len(CALLS)))
def test_errors_and_warnings(call):
    results = []
    for models in (torchvision.models, vision.models):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                outcome = type(CALLS[call](models)).__name__
            except Exception as error:
                outcome = type(error).__name__, str(error)
        results.append((outcome, [(w.category.__name__, str(w.message)) for w in caught]))
    assert results[0] == results[1]


@pytest.mark.parametrize("name, shape", [
    ("ImageClassification", (3, 40, 50)), ("ImageClassification", (2, 3, 40, 50)), ("ObjectDetection", (3, 8, 9)),
    ("SemanticSegmentation", (3, 20, 30)), ("VideoClassification", (4, 3, 20, 30)),
    ("VideoClassification", (2, 4, 3, 20, 30)), ("OpticalFlow", (3, 8, 9))])
def test_presets(name, shape):
    settings = {"ImageClassification": {"crop_size": 24, "resize_size": 28}, "SemanticSegmentation": {"resize_size": 11},
                "VideoClassification": {"crop_size": (12, 12), "resize_size": (16, 20)}}.get(name, {})
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    results = []
    for library, side in ((torch, torchvision), (flambeau, vision)):
        from importlib import import_module
        preset = getattr(import_module(side.__name__ + ".transforms._presets"), name)(**settings)
        pictures = [library.from_numpy(image)] * (2 if name == "OpticalFlow" else 1)
        result = preset(*pictures)
        results.append([part.numpy() for part in (result if isinstance(result, tuple) else (result,))])
    for wanted, got in zip(*results):
        np.testing.assert_allclose(got, wanted, atol=2e-5)
