"""Feature extraction: modules' nodes have torchvision's names and values."""
import numpy as np
import pytest

torch = pytest.importorskip("torch")
torchvision = pytest.importorskip("torchvision")

import flambeau
from flambeau.vision.models import feature_extraction as ours
from torchvision.models import feature_extraction as theirs




def modules_only(names, model):
    """The nodes that are calls of modules."""
    paths = {path for path, _ in model.named_modules() if path}
    return [name for name in names if name in paths or name.rpartition("_")[0] in paths or name == "x"]


@pytest.mark.parametrize("name", ["resnet18", "alexnet", "squeezenet1_1", "mobilenet_v3_small", "efficientnet_b0",
                                  "regnet_y_400mf", "mnasnet0_5", "shufflenet_v2_x0_5"])
def test_names(name):
    model = torchvision.models.get_model(name)
    wanted = theirs.get_graph_node_names(model, suppress_diff_warning=True)
    got = ours.get_graph_node_names(flambeau.vision.models.get_model(name), suppress_diff_warning=True)
    assert [list(names) for names in got] == [modules_only(names, model) for names in wanted]


@pytest.mark.parametrize("name, nodes", [
    ("resnet18", {"layer1": "a", "layer3.0.relu_1": "b", "layer2.0.downsample": "c"}),
    ("mobilenet_v3_small", ["features.3", "features.8.block.1", "avgpool"])])
@pytest.mark.parametrize("training", [False, True])
def test_values(pair, images, name, nodes, training):
    models = pair(name)
    models.perturb()
    models.theirs = theirs.create_feature_extractor(models.theirs, nodes)
    models.ours = ours.create_feature_extractor(models.ours, nodes)
    models.assert_equal_outputs(images(2, 3, 64, 64), training=training, tolerance=1e-3)


@pytest.mark.parametrize("arguments", [
    {"return_nodes": ["zz"]}, {}, {"return_nodes": {"layer1": "a"}, "train_return_nodes": {"layer1": "a"}}])
def test_errors(arguments):
    messages = []
    for side, models in ((theirs, torchvision.models), (ours, flambeau.vision.models)):
        with pytest.raises(ValueError) as error:
            side.create_feature_extractor(models.resnet18(), **arguments)
        messages.append(str(error.value))
    assert messages[0] == messages[1]


def test_state_dict_and_gradients():
    model = flambeau.vision.models.squeezenet1_1()
    extractor = ours.create_feature_extractor(model, {"features.3": "out"})
    assert list(extractor.state_dict()) == list(model.state_dict())
    out = extractor.eval()(flambeau.from_numpy(np.ones((1, 3, 64, 64), np.float32)))["out"]
    out.sum().backward()
    assert model.features[0].weight.grad is not None and model.features[4].squeeze.weight.grad is None
    assert not model.features[0]._forward_hooks
