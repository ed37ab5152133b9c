"""Switches of attention's kernels and of cuDNN: what is set is found, and what is left decides whether attention runs."""
import pytest

import flambeau as torch
from flambeau.nn.attention import SDPBackend, sdpa_kernel

switches = torch.backends.cuda


@pytest.fixture(autouse=True)
def restored():
    yield
    for enable in (switches.enable_math_sdp, switches.enable_flash_sdp, switches.enable_mem_efficient_sdp, switches.enable_cudnn_sdp):
        enable(True)


@pytest.mark.parametrize("math", [True, False])
@pytest.mark.parametrize("flash", [True, False])
@pytest.mark.parametrize("mem_efficient", [True, False])
def test_attention_needs_a_kernel_of_the_cpu(math, flash, mem_efficient):
    switches.enable_math_sdp(math)
    switches.enable_flash_sdp(flash)
    switches.enable_mem_efficient_sdp(mem_efficient)
    assert (switches.math_sdp_enabled(), switches.flash_sdp_enabled(), switches.mem_efficient_sdp_enabled()) == (math, flash, mem_efficient)
    q = torch.ones(1, 2, 4, 8)
    if math or flash:
        assert torch.nn.functional.scaled_dot_product_attention(q, q, q).shape == q.shape
    else:
        with pytest.raises(RuntimeError, match="No viable backend"):
            torch.nn.functional.scaled_dot_product_attention(q, q, q)


def test_a_block_with_one_kernel():
    switches.enable_cudnn_sdp(False)
    with sdpa_kernel(SDPBackend.MATH):
        assert switches.math_sdp_enabled() and not switches.flash_sdp_enabled()
    assert switches.flash_sdp_enabled() and not switches.cudnn_sdp_enabled()


def test_only_truths():
    with pytest.raises(RuntimeError, match="expects a bool, but got int"):
        switches.enable_flash_sdp(1)


def test_flags_of_cudnn():
    cudnn = torch.backends.cudnn
    before = cudnn.enabled, cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32
    with cudnn.flags(enabled=False, benchmark=True, allow_tf32=False):
        assert (cudnn.enabled, cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32) == (False, True, False, False)
        assert cudnn.set_flags(_deterministic=True)[3] is False and cudnn.deterministic
    assert (cudnn.enabled, cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32) == before
    assert not cudnn.is_acceptable(torch.ones(1))
