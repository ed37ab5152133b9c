"""fully_shard over four devices of the host: the numbers of one device, and a quarter of parameters and state on each."""
import pytest

pytest.importorskip("jax")

BESIDE_ONE = '''
import flambeau as torch
from flambeau import nn
from flambeau.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from flambeau.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from small_training import batch, network, train

x, y = batch("xla:cpu")  # from before the devices become one

def optimizer_of(net):
    return torch.optim.AdamW(net.parameters(), lr=0.01)

def fraction(t):
    """How much of a tensor the first device has."""
    array = t._storage.value.ready()
    assert len(array.sharding.device_set) == 4
    return array.addressable_shards[0].data.size / array.size

one = network("xla:cpu")
losses = train(one, optimizer_of(one), x, y)
net = network("xla:cpu")
fully_shard(net[6])
assert fully_shard(net) is net and isinstance(net, FSDPModule)
assert [fraction(p) for p in net.parameters()] == [.25, .25, .25, .25, .25, .25, 1]  # five biases cannot be divided by four
optimizer = optimizer_of(net)
torch.testing.assert_close(train(net, optimizer, x, y), losses, rtol=1e-5, atol=0)
expected = {name: t.cpu() for name, t in one.state_dict().items()}
for name, t in get_model_state_dict(net, options=StateDictOptions(full_state_dict=True, cpu_offload=True)).items():
    torch.testing.assert_close(t, expected[name], rtol=1e-5, atol=1e-7)
for p in net.parameters():
    part = .25 if p.shape != (5,) else 1
    assert fraction(p) == fraction(p.grad) == fraction(optimizer.state[p]["exp_avg"]) == fraction(optimizer.state[p]["exp_avg_sq"]) == part
odd = net.eval()(torch.ones(3, 3, 8, 8, device="xla:cpu"))  # a batch that cannot be divided
torch.testing.assert_close(odd.cpu(), one.eval()(torch.ones(3, 3, 8, 8, device="xla:cpu")).cpu(), rtol=1e-5, atol=1e-6)
try:
    fully_shard(nn.Linear(2, 2, device="xla:cpu"), mp_policy=MixedPrecisionPolicy(torch.bfloat16))
except ValueError as error:
    assert "use torch.autocast" in str(error)
else:
    raise AssertionError("no error")
print("passed")
'''


@pytest.mark.slow
def test_four_devices_beside_one(on_four_devices):
    assert on_four_devices(BESIDE_ONE) == "passed\n"
