"""`torch.testing.assert_close` fails where it must, and says where; `nn.attention.sdpa_kernel` chooses among kernels."""
import pytest

import flambeau as torch


def test_close_and_not():
    torch.testing.assert_close({"a": [torch.ones(2), 1.0]}, {"a": [torch.ones(2) + 1e-7, 1.0]})
    with pytest.raises(AssertionError, match=r"Mismatched elements: 1 / 2 \(50.0%\)\n.*index \(1,\)(.|\n)*item \['a'\]\[0\]"):
        torch.testing.assert_close({"a": [torch.ones(2), 1.0]}, {"a": [torch.tensor([1.0, 2.0]), 1.0]})
    with pytest.raises(AssertionError, match="dtype"):
        torch.testing.assert_close(torch.ones(2), torch.ones(2).double())
    torch.testing.assert_close(torch.ones(2), torch.ones(2).double(), check_dtype=False)


def test_made_tensors_keep_to_their_interval():
    x = torch.testing.make_tensor((50,), dtype=torch.int16, device="cpu", low=2, high=4)
    assert set(x.tolist()) == {2, 3}
    assert not torch.testing.make_tensor(2, 3, dtype=torch.float64, device="cpu", noncontiguous=True).is_contiguous()


def test_attention_kernels():
    from flambeau.nn.attention import SDPBackend, sdpa_kernel
    q = torch.ones(1, 1, 2, 2)
    with sdpa_kernel([SDPBackend.CUDNN_ATTENTION, SDPBackend.MATH]):
        assert torch.nn.functional.scaled_dot_product_attention(q, q, q).tolist() == q.tolist()
    with sdpa_kernel(SDPBackend.CUDNN_ATTENTION), pytest.raises(RuntimeError, match="No viable backend"):
        torch.nn.functional.scaled_dot_product_attention(q, q, q)
    torch.nn.functional.scaled_dot_product_attention(q, q, q)
    assert repr(SDPBackend.MATH) == "<SDPBackend.MATH: 0>" and str(SDPBackend.MATH) == "SDPBackend.MATH"
    with pytest.raises(AssertionError, match="instance of SDPBackend"), sdpa_kernel("math"):
        pass
