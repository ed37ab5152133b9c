"""What needs one process only: rendezvous, its errors, and groups of one, which work without jax."""
import os
from datetime import timedelta

import pytest

import flambeau as torch
from flambeau import distributed as dist


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
