"""The text of tensors, with the expected text written out."""
import numpy as np
import pytest

from flambeau.tensor.printing import format_tensor, get_printoptions, printoptions, set_printoptions


def text(values, dtype="float32", name=None, **facts):
    return format_tensor(np.asarray(values, dtype), dtype=name or dtype, **facts)


@pytest.mark.parametrize("values, dtype, expected", [
    (3, "int64", "tensor(3)"),
    (3.5, "float32", "tensor(3.5000)"),
    (2.0, "float32", "tensor(2.)"),
    (True, "bool", "tensor(True)"),
    ([1, -20, 300], "int64", "tensor([  1, -20, 300])"),
    ([True, False], "bool", "tensor([ True, False])"),
    ([1.0, 2.0], "float32", "tensor([1., 2.])"),
    ([0.0, 0.0], "float32", "tensor([0., 0.])"),
    ([1.5, -2.25], "float32", "tensor([ 1.5000, -2.2500])"),
    ([1.0, float("nan"), float("-inf")], "float32", "tensor([1., nan, -inf])"),
    ([float("inf"), 0.0], "float32", "tensor([inf, 0.])"),
    ([1e-5, 1.0], "float32", "tensor([1.0000e-05, 1.0000e+00])"),
    ([1e9], "float32", "tensor([1.0000e+09])"),
    ([1.0, 1001.0], "float32", "tensor([1.0000e+00, 1.0010e+03])"),
    ([1 + 2j, 3 - 0.5j], "complex64", "tensor([1.+2.0000j, 3.-0.5000j])"),
    ([[1, 2], [3, 4]], "int64", "tensor([[1, 2],\n        [3, 4]])"),
    ([[[1], [2]], [[3], [4]]], "int64", "tensor([[[1],\n         [2]],\n\n        [[3],\n         [4]]])"),
    ([], "float32", "tensor([])"),
    ([], "int64", "tensor([], dtype=torch.int64)"),
    (np.zeros((0, 3)), "float32", "tensor([], size=(0, 3))"),
    ([1], "uint8", "tensor([1], dtype=torch.uint8)"),
    ([1.5], "float64", "tensor([1.5000], dtype=torch.float64)"),
])
def test_values(values, dtype, expected):
    assert text(values, dtype) == expected


def test_gradient_facts():
    assert text([1.0], requires_grad=True) == "tensor([1.], requires_grad=True)"
    assert text([1.0], requires_grad=True, grad_fn_name="AddBackward0") == "tensor([1.], grad_fn=<AddBackward0>)"


def test_default_dtype_is_not_shown():
    assert text([1.5], "float64", default_dtype="float64") == "tensor([1.5000])"
    assert text([1.5], "float32", default_dtype="torch.float64") == "tensor([1.5000], dtype=torch.float32)"
    assert text([1j], "complex128", default_dtype="float64") == "tensor([0.+1.j])"


def test_widened_type_keeps_its_name():
    assert text([1.5], "float32", name="bfloat16") == "tensor([1.5000], dtype=torch.bfloat16)"


def test_summary_and_line_breaks():
    assert text(np.arange(1001), "int64") == "tensor([   0,    1,    2,  ...,  998,  999, 1000])"
    assert text(np.arange(18), "int64", prefix="Mine(").splitlines() == [
        "Mine([ 0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14, 15, 16, 17])"]
    assert text(np.arange(20), "int64").splitlines() == [
        "tensor([ 0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14, 15, 16, 17,",
        "        18, 19])"]


def test_summary_reads_only_what_it_shows():
    array = np.broadcast_to(np.float32(0.5), (10**6, 10**6))  # 4 TB if anything touched all of it
    assert text_of_broadcast(array).count("0.5000") == 36


def text_of_broadcast(array):
    return format_tensor(array, dtype="float32")


def test_long_suffix_moves_to_its_own_line():
    assert text(np.arange(16.0) + 0.5, grad_fn_name="ConvolutionBackward0").splitlines()[-1] == \
        "       grad_fn=<ConvolutionBackward0>)"


def test_options():
    with printoptions(precision=2, sci_mode=False):
        assert text([1e-5, 1.0]) == "tensor([0.00, 1.00])"
    with printoptions(profile="short"):
        assert get_printoptions() == {"precision": 2, "threshold": 1000, "edgeitems": 2, "linewidth": 80,
                                      "sci_mode": None}
    with printoptions(edgeitems=0, threshold=2):
        assert text([1.0, 2.0, 3.0]) == "tensor([...], size=(3,))"
    before = get_printoptions()
    set_printoptions(linewidth=20)
    try:
        assert text(np.arange(4.0)) == "tensor([0., 1., 2.,\n        3.])"
    finally:
        set_printoptions(**before)
    assert get_printoptions() == {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80, "sci_mode": None}
