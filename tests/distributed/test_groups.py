"""What needs one process only: rendezvous, its errors, and groups of one, which work without jax."""
import copy
import os
from datetime import timedelta

import pytest

import flambeau as torch
from flambeau import distributed as dist
from flambeau.distributed.device_mesh import init_device_mesh
from flambeau.distributed.fsdp import fully_shard
from flambeau.distributed.tensor import DTensor, Shard, distribute_tensor


@pytest.fixture
def alone(free_port):
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{free_port}", rank=0, world_size=1)
    yield
    if dist.is_initialized():
        dist.destroy_process_group()


@pytest.fixture
def env(monkeypatch, free_port):
    for name, value in dict(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(free_port), RANK="0", WORLD_SIZE="1").items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("TORCHELASTIC_USE_AGENT_STORE", raising=False)
    return monkeypatch


def test_before_and_after(env):
    assert dist.is_available() and not dist.is_initialized()
    for call in (dist.get_rank, dist.get_world_size, dist.get_backend, dist.barrier, lambda: dist.all_reduce(torch.ones(1))):
        with pytest.raises(ValueError, match="Default process group has not been initialized, please make sure to call"):
            call()
    for _ in range(2):  # twice: leaving leaves nothing behind
        dist.init_process_group()
        assert dist.is_initialized() and (dist.get_rank(), dist.get_world_size(), dist.get_backend()) == (0, 1, "gloo")
        with pytest.raises(ValueError, match="trying to initialize the default process group twice!"):
            dist.init_process_group()
        dist.destroy_process_group()


@pytest.mark.parametrize("name", ["RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"])
def test_what_is_missing_in_the_environment(env, name):
    env.delenv(name)
    with pytest.raises(ValueError, match=f"env:// rendezvous: environment variable {name} expected, but not set"):
        dist.init_process_group("gloo")


@pytest.mark.parametrize("rank", ["1", "-1", "7"])
def test_rank_out_of_range(env, rank):
    env.setenv("RANK", rank)
    with pytest.raises(ValueError, match=rf"Invalid rank {rank}, rank should be in the interval \[0, 0\]"):
        dist.init_process_group("gloo")


@pytest.mark.parametrize("arguments, error, words", [
    ({"init_method": "foo://x", "rank": 0, "world_size": 1}, RuntimeError, "No rendezvous handler for foo://"),
    ({"init_method": "tcp://127.0.0.1", "rank": 0, "world_size": 1}, ValueError, "tcp:// rendezvous: port number missing"),
    ({"init_method": "tcp://127.0.0.1:1", "world_size": 1}, ValueError, "tcp:// rendezvous: rank parameter missing"),
    ({"init_method": "tcp://127.0.0.1:1", "rank": 0}, ValueError, "tcp:// rendezvous: world size parameter missing"),
    ({"init_method": "env://", "store": dist.HashStore()}, AssertionError, "Cannot specify both init_method and store"),
    ({"store": dist.HashStore()}, AssertionError, "world_size must be positive if using store"),
    ({"backend": "foo"}, ValueError, "Invalid backend: 'foo'"),
    ({"timeout": 3}, TypeError, "Expected timeout argument to be of type datetime.timedelta"),
])
def test_arguments_that_make_no_sense(arguments, error, words):
    with pytest.raises(error, match=words):
        dist.init_process_group(**arguments)
    assert not dist.is_initialized()


def test_port_in_use(env):
    host = dist.TCPStore("127.0.0.1", int(os.environ["MASTER_PORT"]), is_master=True)
    with pytest.raises(dist.DistNetworkError, match="address already in use"):
        dist.init_process_group("gloo")
    host.shutdown()


def test_others_do_not_come(env):
    env.setenv("WORLD_SIZE", "2")
    with pytest.raises(dist.DistStoreError, match="1/2 clients joined"):
        dist.init_process_group("gloo", timeout=timedelta(milliseconds=100))


def test_ways_to_meet(tmp_path, env):
    for arguments in ({"init_method": f"file://{tmp_path}/store", "rank": 0, "world_size": 1},
                      {"store": dist.HashStore(), "rank": 0, "world_size": 1}, {"init_method": "env://?rank=0&world_size=1"}):
        dist.init_process_group("nccl", **arguments)
        assert dist.get_world_size() == 1 and dist.get_backend() == dist.Backend.NCCL
        dist.destroy_process_group()


def test_collectives_of_one(alone):
    for op in (dist.ReduceOp.SUM, dist.ReduceOp.AVG, dist.ReduceOp.MAX):
        x = torch.tensor([1., 2.])
        dist.all_reduce(x, op)
        assert x.tolist() == [1, 2]
    work = dist.all_reduce(x, async_op=True)
    assert work.wait() and work.is_completed() and work.is_success()
    gathered = [torch.zeros(2)]
    dist.all_gather(gathered, x)
    assert gathered[0].tolist() == [1, 2]
    gathered[0] += 1  # its memory is its own
    assert x.tolist() == [1, 2]
    out = torch.zeros(2)
    dist.scatter(out, [x], src=0)
    dist.reduce_scatter(out, [x])
    dist.all_to_all_single(out, x)
    assert out.tolist() == [1, 2]
    objects = [None]
    dist.all_gather_object(objects, "a")
    assert objects == ["a"]
    dist.barrier()
    dist.monitored_barrier()
    group = dist.new_group([0])
    assert dist.get_rank(group) == 0 and dist.get_pg_count() == 2


def test_wrong_arguments_of_collectives(alone):
    x = torch.ones(1)
    for call, error, words in (
            (lambda: dist.all_reduce(3), TypeError, "Expected parameter `tensor` of type torch.Tensor"),
            (lambda: dist.all_gather(x, x), TypeError, r"Expected parameter `tensor_list` of type List\[torch.Tensor\]"),
            (lambda: dist.all_gather([x, x], x), ValueError, "as many tensors as the group has processes"),
            (lambda: dist.all_gather([torch.ones(2)], x), RuntimeError, "tensor sizes must match"),
            (lambda: dist.all_gather([x.double()], x), ValueError, "different dtypes"),
            (lambda: dist.broadcast(x, 4), ValueError, "Global rank 4 is not part of group"),
            (lambda: dist.broadcast(x, 0, group_src=0), ValueError, "Can't specify both"),
            (lambda: dist.scatter(x), ValueError, "Argument ``scatter_list`` must be specified on source rank."),
            (lambda: dist.gather(x), ValueError, "Argument ``gather_list`` must be specified on destination rank."),
            (lambda: dist.send(x, 0), ValueError, "destination rank should not be the same as the rank of the current process"),
            (lambda: dist.all_reduce(x, "sum"), TypeError, "ReduceOp"),
            (lambda: dist.all_reduce(x, dist.ReduceOp.BAND), RuntimeError, "non-integral dtype"),
            (lambda: dist.all_reduce(x.to(torch.complex64), dist.ReduceOp.MAX), ValueError,
             "all_reduce does not support RedOpType.MAX on complex tensors"),
            (lambda: dist.all_to_all_single(x, x, [2]), RuntimeError, "Split sizes"),
            (lambda: dist.reduce_scatter_tensor(torch.ones(2), torch.ones(3)), ValueError, "output size times world size"),
            (lambda: dist.new_group([0, 5]), ValueError, "less or equal to the world size"),
            (lambda: dist.new_group([3]), ValueError, "within the world_size"),
            (lambda: dist.new_subgroups(2), ValueError, "must not exceed the world size"),
            (lambda: dist.batch_isend_irecv([]), ValueError, "p2p_op_list"),
            (lambda: dist.P2POp(dist.all_reduce, x, 0), ValueError, "Invalid ``op``")):
        with pytest.raises(error, match=words):
            call()


def test_outside_of_a_group(alone):
    with pytest.warns(UserWarning, match="Running all_reduce on global rank 0 which does not belong to the given group"):
        assert dist.all_reduce(torch.ones(1), group=dist.GroupMember.NON_GROUP_MEMBER) is None
    assert dist.get_rank(dist.GroupMember.NON_GROUP_MEMBER) == -1


def test_autograd_does_not_see_collectives(alone):
    x = torch.ones(2, requires_grad=True)
    dist.all_reduce(x)
    (x * 3).sum().backward()
    assert x.is_leaf and x.grad.tolist() == [3, 3]


def test_names_and_texts(alone):
    assert repr(dist.ReduceOp.SUM) == "<RedOpType.SUM: 0>" and str(dist.ReduceOp.MAX) == "RedOpType.MAX"
    assert repr(dist.get_backend()) == "'gloo'"
    assert issubclass(dist.DistBackendError, dist.DistError) and issubclass(dist.DistError, RuntimeError)
    assert dist.distributed_c10d.all_reduce is dist.all_reduce and dist.default_pg_timeout == timedelta(minutes=30)
    assert repr(dist.P2POp).startswith("<class")


def test_data_parallel_in_one_process(alone):
    module = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    parallel = torch.nn.parallel.DistributedDataParallel(module)
    assert parallel.module is module and all(name.startswith("module.") for name in parallel.state_dict())
    assert repr(parallel).startswith("DistributedDataParallel(\n  (module): Sequential(")
    parallel(torch.ones(4, 2)).sum().backward()
    assert module[0].weight.grad is not None
    with pytest.raises(RuntimeError, match="doesn't have any parameter that requires a gradient"):
        torch.nn.parallel.DistributedDataParallel(torch.nn.ReLU())
    with pytest.raises(ValueError, match="device_ids and output_device arguments only work with"):
        torch.nn.parallel.DistributedDataParallel(module, device_ids=[0])


def test_sharding_in_one_process(alone):
    """Without other processes the parts are all there is; nothing needs jax."""
    torch.manual_seed(0)
    x, plain = torch.randn(4, 3), torch.nn.Linear(3, 5)
    module = torch.nn.Linear(3, 5)
    module.load_state_dict(plain.state_dict())
    assert fully_shard(module, reshard_after_forward=True) is module
    pair = torch.optim.Adam(plain.parameters()), torch.optim.Adam(module.parameters())
    for _ in range(2):
        for each, optimizer in zip((plain, module), pair):
            each(x).square().sum().backward()
            optimizer.step()
    assert torch.equal(module.weight.full_tensor(), plain.weight) and torch.equal(module.weight.grad.to_local(), plain.weight.grad)
    assert repr(module.bias).startswith("DTensor(local_tensor=tensor([") and repr(module).startswith("FSDPLinear(in_features=3")
    assert isinstance(pair[1].state[module.bias]["exp_avg"], DTensor)
    seen = []
    module.weight.register_post_accumulate_grad_hook(lambda p: seen.append(p is module.weight))
    module.weight.register_hook(lambda g: g.mul_(2))
    module.zero_grad()
    module(x).sum().backward()
    assert seen == [True] and torch.allclose(module.weight.grad.to_local()[0], 2 * x.sum(0))


@pytest.mark.parametrize("name", ["ASGD", "Adadelta", "Adagrad", "Adamax", "NAdam", "RAdam", "RMSprop", "Rprop", "SGD"])
def test_optimizers_of_parts(alone, name):
    torch.manual_seed(0)
    plain, module, x = torch.nn.Linear(3, 4), torch.nn.Linear(3, 4), torch.randn(5, 3)
    module.load_state_dict(plain.state_dict())
    fully_shard(module)
    pair = [(m, getattr(torch.optim, name)(m.parameters(), lr=0.01)) for m in (plain, module)]
    for step in range(3):
        for m, optimizer in pair:
            optimizer.zero_grad(set_to_none=step == 1)
            m(x).square().sum().backward()
            optimizer.step()
            optimizer.load_state_dict(optimizer.state_dict())
    assert torch.equal(module.weight.full_tensor(), plain.weight) and torch.equal(module.bias.full_tensor(), plain.bias)


def test_mistakes_with_sharding(alone):
    scalar, tied = torch.nn.Module(), torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    scalar.p = torch.nn.Parameter(torch.tensor(2.))
    tied[1].weight = tied[0].weight
    fully_shard(tied[0])
    mesh = init_device_mesh("cpu", (1,), mesh_dim_names=("part",))
    assert repr(mesh) == "DeviceMesh((part=1), 'cpu', stride=(1,))" and mesh["part"] == mesh and mesh.get_local_rank("part") == 0
    for call, error, words in (
            (lambda: fully_shard(scalar), ValueError, "doesn't support scalar parameters. Change p to a 1D tensor"),
            (lambda: fully_shard(tied), ValueError, "1.weight is also a parameter of a module inside that has been shared out before"),
            (lambda: fully_shard(tied[0]), AssertionError, "can only be applied to a module once"),
            (lambda: fully_shard(tied[1], reshard_after_forward=2), ValueError, "reshard_after_forward should be a bool or None"),
            (lambda: copy.deepcopy(tied[0]), AssertionError, "FSDP does not support deepcopy"),
            (lambda: tied[0].bias.detach().numpy(), RuntimeError, "not all in this process"),
            (lambda: tied[0].bias.copy_(torch.zeros(2)), RuntimeError, "got mixed torch.Tensor and DTensor"),
            (lambda: distribute_tensor(torch.ones(2), mesh, [Shard(1)]), ValueError, r"placements must be \[Shard\(0\)\]"),
            (lambda: distribute_tensor(torch.ones(()), mesh, [Shard(0)]), RuntimeError, "without dimensions"),
            (lambda: mesh["all"], KeyError, "Invalid mesh_dim_name 'all'"),
            (lambda: init_device_mesh("cpu", (2,)), RuntimeError, "Mesh should not be bigger than default world size 1"),
            (lambda: init_device_mesh("cpu", (1,), mesh_dim_names=("a", "b")), RuntimeError, "should have same length"),
            (lambda: torch.nn.utils.parameters_to_vector(tied[0].parameters()), RuntimeError, "no views of a DTensor")):
        with pytest.raises(error, match=words):
            call()
    x = tied[0](torch.ones(1, 2))
    with pytest.raises(RuntimeError, match="gradients of gradients"):
        x.sum().backward(create_graph=True)
