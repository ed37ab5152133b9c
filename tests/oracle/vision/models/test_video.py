"""Models of video and optical flow: state, initialisation and outputs are torchvision's."""
import pytest

torch = pytest.importorskip("torch")
torchvision = pytest.importorskip("torchvision")

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
