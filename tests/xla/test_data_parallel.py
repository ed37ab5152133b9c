"""DataParallel over four devices of the host: the numbers of one device, wherever the batch is computed."""
import pytest

import flambeau as torch
from flambeau import nn

pytest.importorskip("jax")

BESIDE_ONE = '''
import flambeau as torch
from flambeau import nn

from small_training import batch, network, train

x, y = batch("xla:cpu")

def trained(parallel):
    net = network("xla:cpu")
    model = nn.DataParallel(net) if parallel else net
    return model, train(model, torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9), x, y), net.state_dict()

_, losses, state = trained(False)
model, found, states = trained(True)
assert model.device_ids == [0, 1, 2, 3] and all(name.startswith("module.") for name in model.state_dict())
torch.testing.assert_close(found, losses, rtol=1e-5, atol=0)
for name in state:
    torch.testing.assert_close(states[name], state[name], rtol=1e-4, atol=1e-6)

from flambeau.runtime.resident import _homes
shared = [home for key, home in _homes.items() if isinstance(key, tuple)]
assert len(shared) == 1 and len(shared[0].place.mesh.devices) == 4 and shared[0]._programs, "the batch was not shared"

model = nn.DataParallel(nn.Linear(3, 2).to("xla:cpu"))
for rows in (10, 7):  # as many devices as divide the batch: two, one
    x = torch.randn(rows, 3, device="xla:cpu")
    out = model(x)
    assert out.device == torch.device("xla:cpu:0") and torch.allclose(out, model.module(x), atol=1e-6)

model = nn.DataParallel(nn.Linear(3, 2).to("xla:cpu:1"), device_ids=[0, 1])
try:
    model(torch.ones(4, 3, device="xla:cpu"))
except RuntimeError as error:
    assert "parameters and buffers on device xla:cpu:0 (device_ids[0]) but found one of them on device: xla:cpu:1" in str(error), error
else:
    raise AssertionError("no error")

a, b = torch.ones(2, device="xla:cpu:1"), torch.ones(2, device="xla:cpu:3")
assert a.to("xla:cpu:3").add(b).tolist() == [2, 2]
try:
    a + b
except RuntimeError as error:
    assert "found at least two devices, xla:cpu:1 and xla:cpu:3!" in str(error), error
else:
    raise AssertionError("no error")
print("passed")
'''


@pytest.mark.slow
def test_four_devices_beside_one(on_four_devices):
    assert on_four_devices(BESIDE_ONE) == "passed\n"


def test_without_several_devices_the_module_is_called_as_it_is():
    model = nn.DataParallel(nn.Linear(3, 2))
    x = torch.randn(4, 3)
    assert model.device_ids == [] and torch.equal(model(x), model.module(x)) and list(model.state_dict()) == ["module.weight", "module.bias"]
    assert torch.equal(nn.parallel.data_parallel(model.module, x), model.module(x))
