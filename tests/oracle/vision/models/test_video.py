"""Models of video and optical flow: state, initialisation and outputs are torchvision's."""
import numpy as np
import pytest

torch = pytest.importorskip("torch")
torchvision = pytest.importorskip("torchvision")

import flambeau
import flambeau.vision

slow = pytest.mark.slow


@pytest.mark.parametrize("name, shape", [
    ("mc3_18", (1, 3, 4, 32, 32)), pytest.param("r3d_18", (1, 3, 4, 32, 32), marks=slow),
    pytest.param("r2plus1d_18", (1, 3, 4, 32, 32), marks=slow), pytest.param("s3d", (1, 3, 14, 224, 224), marks=slow),
    pytest.param("swin3d_t", (1, 3, 7, 62, 90), marks=slow), pytest.param("swin3d_s", (1, 3, 4, 32, 32), marks=slow),
    pytest.param("swin3d_b", (1, 3, 4, 32, 32), marks=slow)])
def test_video(pair, images, name, shape):
    models = pair(name)
    models.perturb()
    models.assert_equal_outputs(images(*shape))


@pytest.mark.parametrize("name", [pytest.param("raft_large", marks=slow), "raft_small"])
def test_flow(pair, images, name):
    models = pair(name)
    first = images(1, 3, 128, 136)
    models.assert_equal_outputs(first, first[..., ::-1].copy(), 3)


@pytest.mark.parametrize("name", ["mvit_v1_b", pytest.param("mvit_v2_s", marks=slow)])
def test_state_of_multiscale_transformers(pair, name):
    pair(name)


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_small_multiscale_transformers(images, first, training):
    """Both versions' blocks, on a clip that a test has time for."""
    clip = images(2, 3, 4, 32, 48)
    results = []
    for library, vision in ((torch, torchvision), (flambeau, flambeau.vision)):
        mvit = vision.models.video.mvit
        space = [3, 3, 3]
        blocks = [(1, 8, 16, [], space, [], [1, 4, 4]), (2, 16, 16, space, space, [1, 2, 2], [1, 2, 2]),
                  (2, 16, 24, space, space, [1, 1, 1], [1, 1, 1])]
        library.manual_seed(0)
        model = mvit.MViT((32, 48), 4, [mvit.MSBlockConfig(*block) for block in blocks], residual_pool=not first,
                          residual_with_cls_embed=training, rel_pos_embed=not first, proj_after_attn=not first,
                          num_classes=5, attention_dropout=0.1, stochastic_depth_prob=0.3)
        state = {key: value.numpy().copy() for key, value in model.state_dict().items()}
        results.append((repr(model), state, model.train(training)(library.from_numpy(clip)).detach().numpy()))
    (shown, wanted, out), (ours, got, our_out) = results
    assert ours == shown and list(got) == list(wanted)
    for key, value in wanted.items():
        np.testing.assert_allclose(got[key], value, rtol=1e-5, atol=1e-6, err_msg=key)
    np.testing.assert_allclose(our_out, out, rtol=1e-3, atol=1e-5)
