"""Every classification model: state, initialisation and outputs are torchvision's."""
import pytest

torch = pytest.importorskip("torch")
torchvision = pytest.importorskip("torchvision")

NAMES = torchvision.models.list_models(torchvision.models)
BIG = 20_500_000  # parameters; what has more is slow to make
FAST = {"alexnet", "convnext_tiny", "swin_t", "densenet121"}
SLOW = {"densenet169", "densenet201", "efficientnet_b4", "efficientnet_b3", "regnet_x_3_2gf", "regnet_y_3_2gf", "shufflenet_v2_x2_0",
        "efficientnet_b2"}
OPTIONS = {
    "googlenet": {"init_weights": True}, "inception_v3": {"init_weights": True},
    "vit_h_14": {"image_size": 56}, "maxvit_t": {"input_size": (224, 224)},
    **{name: {"image_size": 64} for name in NAMES if name.startswith("vit_") and name != "vit_h_14"}}
SIZES = {"inception_v3": 96, "vit_h_14": 56, "maxvit_t": 224}


def _is_slow(name):
    parameters = torchvision.models.get_model_weights(name).DEFAULT.meta["num_params"]
    return name in SLOW or parameters > BIG and name not in FAST


@pytest.mark.parametrize("name", [
    pytest.param(name, marks=[pytest.mark.slow] if _is_slow(name) else []) for name in NAMES])
@pytest.mark.filterwarnings("ignore")
def test_model(pair, images, name):
    size = SIZES.get(name, 64)
    models = pair(name, **OPTIONS.get(name, {}))
    models.perturb()
    models.assert_equal_outputs(images(1, 3, size, size))


@pytest.mark.parametrize("name, kwargs", [
    ("googlenet", {"init_weights": True}),
    ("mobilenet_v3_large", {"width_mult": 0.5, "reduced_tail": True, "dilated": True}),
    ("resnet50", {"replace_stride_with_dilation": [False, True, True], "zero_init_residual": True, "num_classes": 7}),
    ("densenet121", {"drop_rate": 0.3, "num_classes": 5}),
    ("efficientnet_b0", {"dropout": 0.5, "num_classes": 4}),
    ("swin_t", {"num_classes": 3, "dropout": 0.1, "attention_dropout": 0.2}),
])
@pytest.mark.filterwarnings("ignore")
def test_training_draws_the_same_numbers(pair, images, name, kwargs):
    models = pair(name, **kwargs)
    models.assert_equal_outputs(images(2, 3, 64, 64), training=True, tolerance=1e-3)


@pytest.mark.parametrize("size", [32, 40])
def test_vision_transformers_of_other_sizes(size):
    """Small ones with a convolutional stem and a hidden layer in the head; embeddings that fit another image size."""
    import numpy as np

    import flambeau
    import flambeau.vision

    results = []
    for library, vision in ((torch, torchvision), (flambeau, flambeau.vision)):
        vit = vision.models.vision_transformer
        stem = [vit.ConvStemConfig(8, 3, 2), vit.ConvStemConfig(16, 3, 4)]
        library.manual_seed(0)
        model = vit.VisionTransformer(32, 8, 2, 4, 16, 32, num_classes=6, representation_size=12,
                                      conv_stem_configs=stem).eval()
        library.nn.init.normal_(model.heads.head.weight)
        state = vit.interpolate_embeddings(size, 8, model.state_dict())
        model = vit.VisionTransformer(size, 8, 2, 4, 16, 32, num_classes=6, representation_size=12,
                                      conv_stem_configs=stem).eval()
        model.load_state_dict(state)
        image = np.random.default_rng(0).standard_normal((2, 3, size, size), dtype=np.float32)
        results.append(model(library.from_numpy(image)).detach().numpy())
    np.testing.assert_allclose(results[1], results[0], rtol=1e-4, atol=1e-5)


def test_swin_pads_sizes_that_its_windows_do_not_divide(pair, images):
    models = pair("swin_v2_t")
    models.perturb()
    models.assert_equal_outputs(images(1, 3, 68, 100))
