"""A device's programs in a profile: each as a whole, with the calls that it computes."""
import pytest

pytest.importorskip("jax")

import flambeau as torch
from flambeau.profiler import profile


def test_programs_of_a_device():
    x = torch.ones(20, 20, device="xla:cpu")
    x.sum().item()
    with profile() as prof:
        for _ in range(3):
            assert (x @ x).relu().sum().item() == 8000
    found = {e.key: e for e in prof.key_averages()}
    assert [found[name].count for name in ("aten::matmul", "aten::relu", "aten::sum")] == [3, 3, 3]
    assert found["aten::matmul"].self_cpu_time_total > found["aten::relu"].self_cpu_time_total > 0
    assert "XLA" in prof.kernel_table()
