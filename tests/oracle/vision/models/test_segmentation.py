"""Segmentation models: state, initialisation and outputs are torchvision's."""
import pytest

torch = pytest.importorskip("torch")
torchvision = pytest.importorskip("torchvision")


@pytest.mark.parametrize("name, kwargs", [
    ("deeplabv3_mobilenet_v3_large", {"aux_loss": True, "num_classes": 5}), ("lraspp_mobilenet_v3_large", {}),
    *(pytest.param(name, kwargs, marks=pytest.mark.slow) for name, kwargs in [
        ("fcn_resnet50", {"aux_loss": True}), ("deeplabv3_resnet50", {"num_classes": 4}), ("fcn_resnet101", {}),
        ("deeplabv3_resnet101", {"aux_loss": True}), ("deeplabv3_mobilenet_v3_large", {})])])
def test_model(pair, images, name, kwargs):
    models = pair(name, weights_backbone=None, **kwargs)
    models.perturb()
    models.assert_equal_outputs(images(1, 3, 64, 72))
    if name.endswith("large"):  # elsewhere, statistics of two samples magnify the last digits
        models.assert_equal_outputs(images(2, 3, 64, 72), training=True, tolerance=1e-3)
