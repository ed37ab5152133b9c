"""Mixed precision on devices, and the switches of what float32 products are rounded to."""
import pytest

import flambeau as torch
from flambeau import nn

pytest.importorskip("jax")

from flambeau.xla import precision  # noqa: E402


@pytest.fixture
def switches():
    yield
    precision._current = precision.Precision()


def test_autocast_is_of_one_device_type():
    x, y = torch.ones(2, 2, device="xla:cpu"), torch.ones(2, 2)
    with torch.autocast("xla:cpu"):
        product = x @ x
        assert product.dtype is torch.bfloat16 and product.softmax(-1).dtype is torch.float32 and (y @ y).dtype is torch.float32
    with torch.autocast("cpu"):
        assert (x @ x).dtype is torch.float32 and (y @ y).dtype is torch.bfloat16
    with torch.autocast("xla:cpu", torch.float16):
        assert (x @ x).dtype is torch.float16


def test_autocast_on_cuda_takes_float16(cuda):
    x = torch.ones(2, 2, device="cuda")
    with torch.autocast("cuda"):
        assert (x @ x).dtype is torch.float16
    assert not torch.cuda.amp.amp_definitely_not_available()


def test_half_precision_is_rounded_once():
    """Products of bfloat16 are added up in float32: 256 ones and a half are not swallowed one by one."""
    x = torch.ones(1, 512, dtype=torch.bfloat16, device="xla:cpu")
    assert (x @ x.t()).item() == 512
    assert x.sum().item() == 512


def test_grad_scaler():
    model = nn.Linear(4, 2).to("xla:cpu")
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    scaler = torch.amp.GradScaler("xla:cpu", init_scale=8.0, growth_interval=2)
    x = torch.ones(3, 4, device="xla:cpu")
    scales = []
    for factor in (1, 1, float("inf"), 1):
        before = model.weight.detach().clone()
        optimizer.zero_grad()
        with torch.autocast("xla:cpu", torch.float16):
            loss = model(x).float().square().mean() * factor
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        scales.append(scaler.get_scale())
        assert torch.equal(model.weight, before) == (factor != 1)
    assert scales == [8, 16, 8, 8] and scaler._scale.device.type == "xla:cpu"


def test_switches(switches):
    assert torch.get_float32_matmul_precision() == "highest"
    assert torch.backends.cuda.matmul.allow_tf32 is False and torch.backends.cudnn.allow_tf32 is True
    torch.backends.cuda.matmul.allow_tf32 = True
    assert torch.get_float32_matmul_precision() == "high" and torch.backends.cuda.matmul.fp32_precision == "tf32"
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    assert torch.backends.cuda.matmul.allow_tf32 is False and precision.current() == ("highest", "highest")
    with pytest.raises(RuntimeError, match="Invalid precision: half"):
        torch.backends.cuda.matmul.fp32_precision = "half"


@pytest.mark.parametrize("name, expected", [("highest", "HIGHEST"), ("high", "HIGH"), ("medium", "DEFAULT")])
def test_switches_reach_the_compiler(switches, name, expected):
    import jax
    import numpy as np
    from flambeau.xla.lowering import Context
    from flambeau.xla.rules.contraction import _dot
    torch.set_float32_matmul_precision(name)
    context, x = Context("cuda", precision.current()), np.ones((2, 2), np.float32)
    text = str(jax.make_jaxpr(lambda a: _dot(context, a, a, (1,), (0,), (), ()))(x))
    assert f"Precision.{expected}" in text or f"precision={expected}" in text, text


def test_a_program_is_compiled_again_when_a_switch_is_turned(switches):
    from flambeau.runtime.resident import home_of
    x = torch.ones(3, 3, device="xla:cpu")
    found = set()
    for name in ("highest", "medium", "highest"):
        torch.set_float32_matmul_precision(name)
        assert (x @ x).tolist() == [[3.] * 3] * 3
        program = next(reversed(home_of(x.device)._programs.values()))
        found.add(id(program))
    assert len(found) == 1 and len(program.parts[0].functions) == 2
