"""`torch.masked` against PyTorch: dtypes, slices without elements, gradients, errors."""
import pytest

torch = pytest.importorskip("torch")

SOME = "t.tensor([[True, False, True, True], [False] * 4, [False, True, True, False]])"


@pytest.mark.parametrize("mask", ["None", SOME, "t.tensor([True, False, True, True])"])
@pytest.mark.parametrize("dim", ["1", "0", "-1"])
@pytest.mark.parametrize("name", ["sum", "prod", "amax", "amin", "mean", "median", "logsumexp", "var", "std", "norm", "cumsum", "cumprod",
                                  "softmax", "log_softmax", "softmin", "argmax", "argmin"])
def test_along_one_dimension(agree, name, dim, mask):
    for dtype in ("float64", "float32", "int64", "uint8"):
        agree(f"t.masked.{name}(x, dim={dim}, mask={mask})", dtype)
    if not name.startswith(("cum", "soft", "log")):
        agree(f"t.masked.{name}(x, dim={dim}, keepdim=True, dtype=t.float64, mask={mask})", "float32")


@pytest.mark.parametrize("name", ["sum", "prod", "amax", "amin", "mean", "logsumexp", "var", "std", "norm"])
def test_along_several_dimensions(agree, name):
    for dim in ("None", "(0, 1)", "()", "(1, 0)", "(0, 0)", "5"):
        agree(f"t.masked.{name}(x, dim={dim}, mask={SOME})")
        agree(f"t.masked.{name}(x, dim={dim})")


@pytest.mark.parametrize("call", [
    "normalize(x, 2.0, 1, mask=mask)", "normalize(x, 1.0, 0)", "norm(x, float('inf'), 1, mask=mask)", "norm(x, -float('inf'), 1, mask=mask)",
    "norm(x, 0, 1, mask=mask)", "norm(x, 3, 1, mask=mask)", "var(x, 1, False, mask=mask)", "std(x, 1, correction=2, mask=mask)",
    "logaddexp(x, y, input_mask=mask, other_mask=~mask)", "median(x)", "argmax(x, mask=mask)", "argmin(x)",
    "sum(x, mask=mask.long())", "sum(x, mask=mask[None])", "amax(x, mask=mask[:, :2])", "var(x, 1, True, correction=1)",
])
def test_variants(agree, call):
    agree("t.masked." + call)


@pytest.mark.parametrize("name", ["sum", "amax", "prod", "argmin", "mean"])
def test_booleans(agree, name):
    agree(f"t.masked.{name}(mask, 1, mask={SOME})")
