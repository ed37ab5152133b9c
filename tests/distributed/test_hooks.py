"""Communication hooks and joining in a group of one process, which needs no jax; more processes: test_processes.py, tests/oracle/distributed."""
import pytest

import flambeau
from flambeau import distributed as dist
from flambeau.distributed.algorithms import Join
from flambeau.distributed.algorithms.ddp_comm_hooks import default_hooks
from flambeau.nn.parallel import DistributedDataParallel


@pytest.fixture
def model(free_port):
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{free_port}", rank=0, world_size=1)
    flambeau.manual_seed(0)
    yield DistributedDataParallel(flambeau.nn.Sequential(flambeau.nn.Linear(3, 4), flambeau.nn.Linear(4, 2)), bucket_cap_mb_list=[3e-5, 1])
    dist.destroy_process_group()


def gradients(model):
    model.zero_grad()
    model(flambeau.ones(5, 3)).square().sum().backward()
    return [p.grad.clone() for p in model.parameters()]


@pytest.mark.parametrize("hook, tolerance", [(default_hooks.allreduce_hook, 0), (default_hooks.fp16_compress_hook, 1e-3),
                                             (default_hooks.bf16_compress_hook, 1e-2),
                                             (default_hooks.fp16_compress_wrapper(default_hooks.allreduce_hook), 1e-3),
                                             (default_hooks.bf16_compress_wrapper(default_hooks.allreduce_hook), 1e-2)])
def test_hooks_average_gradients(model, hook, tolerance):
    expected = gradients(model)
    model.register_comm_hook(None, hook)
    for ours, there in zip(gradients(model), expected):
        assert (ours - there).abs().max() <= tolerance * there.abs().max()
        assert tolerance == 0 or not ours.equal(there)  # rounded on its way


def test_buckets(model):
    seen = []

    def hook(state, bucket):
        seen.append((bucket.index(), bucket.is_last(), [tuple(g.shape) for g in bucket.gradients()], bucket.buffer().numel()))
        assert all(a is b for a, b in zip(bucket.parameters(), state))
        future = flambeau.futures.Future()
        future.set_result(bucket.buffer() * 0 + bucket.index())
        return future
    parameters = list(model.parameters())[::-1]
    model.register_comm_hook(parameters, lambda state, bucket: hook(state[:2] if bucket.index() == 0 else state[2:], bucket))
    assert [g.unique().tolist() for g in gradients(model)] == [[1.0], [1.0], [0.0], [0.0]]
    assert seen == [(0, False, [(2,), (2, 4)], 10), (1, True, [(4,), (4, 3)], 16)]


def test_errors(model):
    def wrong(state, bucket: int):
        pass
    with pytest.raises(ValueError, match="bucket annotation should be dist.GradBucket"):
        model.register_comm_hook(None, wrong)
    with pytest.raises(TypeError, match="Communication hook must be callable"):
        model.register_comm_hook(None, None)
    with pytest.raises(ValueError, match="requires at least one joinable"):
        Join([])


def test_nothing_changes_where_nobody_ends_early(model):
    expected = gradients(model)
    with model.join():
        assert all(a.equal(b) for a, b in zip(gradients(model), expected))
    with model.join(enable=False):
        gradients(model)
    with pytest.raises(KeyError), model.join():
        raise KeyError
    assert not model._join_config.enable
