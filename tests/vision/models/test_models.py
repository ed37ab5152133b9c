"""Models without torchvision beside them: they are made, run, train, and their registry and weights enums work."""
import copy
import pickle
import sys

import pytest

import flambeau as torch
from flambeau.vision import models
from flambeau.vision.models import feature_extraction
from flambeau.vision.ops import FrozenBatchNorm2d

SMALL = ["squeezenet1_1", "shufflenet_v2_x0_5", "mobilenet_v3_small", "mnasnet0_5", "regnet_y_400mf", "efficientnet_b0"]


@pytest.mark.parametrize("name", SMALL)
def test_parameters_and_outputs(name):
    model = models.get_model(name).eval()
    meta = models.get_model_weights(name).DEFAULT.meta
    assert sum(p.numel() for p in model.parameters()) == meta["num_params"]
    with torch.no_grad():
        out = model(torch.zeros(1, 3, 64, 64))
    assert out.shape == (1, 1000) and out.isfinite().all()


@pytest.mark.parametrize("name, entries, modules", [
    ("alexnet", 16, 24), ("resnet18", 122, 68), ("densenet121", 727, 433), ("mobilenet_v2", 314, 213)])
def test_state_dicts(name, entries, modules):
    model = models.get_model(name, num_classes=3)
    assert (len(model.state_dict()), len(list(model.modules()))) == (entries, modules)


def test_a_network_learns():
    torch.manual_seed(0)
    model = models.resnet.ResNet(models.resnet.BasicBlock, [1, 1, 1, 1], num_classes=2)
    images = torch.randn(8, 3, 32, 32) + torch.tensor([0.0, 1.0]).repeat(4).view(8, 1, 1, 1)
    labels = torch.tensor([0, 1] * 4)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    losses = []
    for _ in range(4):
        loss = torch.nn.functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_a_transformer_runs():
    vit = models.VisionTransformer(image_size=16, patch_size=4, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=16,
                                   num_classes=3)
    assert vit(torch.ones(2, 3, 16, 16)).shape == (2, 3)
    with pytest.raises(AssertionError, match="Wrong image height"):
        vit(torch.ones(2, 3, 12, 16))
    swin = models.SwinTransformer([4, 4], 8, [2, 2], [2, 4], [2, 2], num_classes=3)
    assert swin(torch.ones(1, 3, 20, 28)).shape == (1, 3)


def test_a_detector_finds_and_learns():
    torch.manual_seed(0)
    backbone = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3, stride=8, padding=1), torch.nn.ReLU())
    backbone.out_channels = 8
    anchors = models.detection.anchor_utils.AnchorGenerator(((16, 32),), ((1.0,),))
    pool = models.detection.faster_rcnn.MultiScaleRoIAlign(["0"], 3, 2)
    head = models.detection.faster_rcnn.TwoMLPHead(8 * 9, 16)
    predictor = models.detection.faster_rcnn.FastRCNNPredictor(16, 3)
    model = models.detection.FasterRCNN(backbone, rpn_anchor_generator=anchors, box_roi_pool=pool, box_head=head,
                                        box_predictor=predictor, min_size=64, max_size=64, box_score_thresh=0.0)
    image = torch.rand(3, 48, 64)
    target = {"boxes": torch.tensor([[4.0, 4.0, 30.0, 40.0]]), "labels": torch.tensor([1])}
    losses = model([image], [target])
    assert set(losses) == {"loss_classifier", "loss_box_reg", "loss_objectness", "loss_rpn_box_reg"}
    sum(losses.values()).backward()
    assert backbone[0].weight.grad.abs().sum() > 0
    found = model.eval()([image])[0]
    assert found["boxes"].shape == (len(found["scores"]), 4) and set(found["labels"].tolist()) <= {1, 2}
    assert ((found["boxes"] >= 0) & (found["boxes"] <= 64)).all()
    with pytest.raises(AssertionError, match="targets should not be none"):
        model.train()([image])
    with pytest.raises(AssertionError, match="positive height and width"):
        model([image], [{"boxes": torch.tensor([[4.0, 4.0, 4.0, 9.0]]), "labels": torch.tensor([1])}])


def test_the_registry(monkeypatch):
    from flambeau.vision.models import _api

    monkeypatch.setattr(_api, "BUILTIN_MODELS", dict(_api.BUILTIN_MODELS))

    @_api.register_model("tiny")
    def make(width=2):
        return torch.nn.Linear(1, width)

    assert models.get_model("TINY", width=3).out_features == 3
    assert models.list_models(include="tin?") == ["tiny"]
    with pytest.raises(ValueError, match="already registered under the name 'tiny'"):
        _api.register_model("tiny")(make)
    with pytest.raises(ValueError, match="Unknown model none"):
        models.get_model("none")


def test_weights_enums():
    weights = models.get_weight("ResNet50_Weights.IMAGENET1K_V2")
    assert weights is models.ResNet50_Weights.DEFAULT and repr(weights) == "ResNet50_Weights.IMAGENET1K_V2"
    assert copy.deepcopy(weights) is weights and pickle.loads(pickle.dumps(weights)) is weights
    assert weights.url.endswith("resnet50-11ad3fa6.pth") and weights.meta["categories"][388] == "giant panda"
    assert weights.transforms()(torch.zeros(3, 300, 400, dtype=torch.uint8)).shape == (3, 224, 224)


def test_pretrained_weights(tmp_path, monkeypatch):
    """From a mirror, checked by the hash in their name."""
    import hashlib
    import io

    from flambeau import hub

    data = io.BytesIO()
    torch.manual_seed(1)
    source = models.squeezenet1_1()
    torch.save(source.state_dict(), data)
    digest = hashlib.sha256(data.getvalue()).hexdigest()[:8]
    (tmp_path / f"squeezenet1_1-{digest}.pth").write_bytes(data.getvalue())
    monkeypatch.setenv("FLAMBEAU_MIRROR", str(tmp_path))
    monkeypatch.setattr(hub, "_hub_dir", str(tmp_path / "hub"))
    weights = models.SqueezeNet1_1_Weights.DEFAULT
    monkeypatch.setattr(weights.value, "url", f"https://example.invalid/squeezenet1_1-{digest}.pth")
    with pytest.warns(UserWarning, match="'pretrained' is deprecated"):
        with pytest.warns(UserWarning, match="equivalent to passing `weights=SqueezeNet1_1_Weights.IMAGENET1K_V1`"):
            model = models.squeezenet1_1(pretrained=True, progress=False)
    assert (model.features[0].weight == source.features[0].weight).all()
    with pytest.raises(ValueError, match="'num_classes' expected value 1000 but got 3"):
        models.squeezenet1_1(weights="DEFAULT", num_classes=3)
    (tmp_path / "squeezenet1_1-00000000.pth").write_bytes(data.getvalue())
    monkeypatch.setattr(weights.value, "url", "https://example.invalid/squeezenet1_1-00000000.pth")
    with pytest.raises(RuntimeError, match="invalid hash value"):
        models.squeezenet1_1(weights=weights)


def test_feature_extraction():
    model = models.squeezenet1_1().eval()
    extract = feature_extraction.create_feature_extractor(model, {"features.3.squeeze": "a", "features.5": "b"})
    found = extract(torch.zeros(1, 3, 64, 64))
    assert {key: tuple(value.shape) for key, value in found.items()} == {"a": (1, 16, 15, 15), "b": (1, 128, 7, 7)}
    _, names = feature_extraction.get_graph_node_names(model)
    assert names[:3] == ["x", "features.0", "features.1"] and names[-1] == "classifier.3"
    with pytest.raises(ValueError, match="node: 'zz' is not present"):
        feature_extraction.create_feature_extractor(model, ["zz"])


@pytest.mark.parametrize("name, weights, eps", [
    ("fasterrcnn_resnet50_fpn", "COCO_V1", 0.0), ("fasterrcnn_mobilenet_v3_large_320_fpn", "COCO_V1", 1e-5)])
def test_detectors_normalise_as_their_weights_were_trained(monkeypatch, name, weights, eps):
    """The first ResNet ones without an eps; torchvision changes it after the weights are loaded."""
    builders = sys.modules[models.get_model_builder(name).__module__]
    monkeypatch.setattr(builders, "load_weights", lambda model, weights, progress: None)
    model = models.get_model(name, weights=weights)
    layers = [m for m in model.modules() if isinstance(m, FrozenBatchNorm2d)]
    assert layers and {m.eps for m in layers} == {eps}
