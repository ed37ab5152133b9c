"""Tensors on devices: getting there and back, what may meet, what is said of a device. `cuda` is XLA's CPU under another name."""
import copy
import io
import pickle

import numpy as np
import pytest

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn

pytest.importorskip("jax")

XLA = torch.device("xla:cpu", 0)


# ------------------------------------------------------------------ there and back

def test_to_and_back():
    x = torch.arange(6.).reshape(2, 3)
    on = x.to("xla:cpu")
    assert on.device == XLA and x.device.type == "cpu"
    assert on.to(XLA) is on and on.cpu().tolist() == x.tolist() and x.to(on).device == XLA
    assert on.to("cpu", torch.float64).dtype is torch.float64 and on.to(torch.int32).device == XLA
    for made in (on + 1, on.t(), on[0], torch.zeros_like(on), on.new_ones(2), torch.empty(2, device="xla:cpu"), on.sum()):
        assert made.device == XLA
    assert torch.ones_like(on, device="cpu").device.type == "cpu"
    assert repr(on[0]) == "tensor([0., 1., 2.], device='xla:cpu:0')"
    with pytest.raises(TypeError, match=r"can't convert xla:cpu:0 device type tensor to numpy. Use Tensor.cpu\(\)"):
        on.numpy()


def test_gradients_cross_devices():
    x = torch.tensor([1., 2.], requires_grad=True)
    (x.to("xla:cpu") * 3).cpu().square().sum().backward()
    assert x.grad.device.type == "cpu" and x.grad.tolist() == [18, 36]


def test_modules_move_with_their_buffers():
    module = nn.BatchNorm1d(2).to("xla:cpu")
    assert {t.device for t in module.state_dict().values()} == {XLA}
    module(torch.ones(4, 2, device="xla:cpu")).sum().backward()
    assert module.weight.grad.device == XLA and module.num_batches_tracked.item() == 1
    assert copy.deepcopy(module).weight.device == XLA
    assert {t.device.type for t in module.cpu().state_dict().values()} == {"cpu"}


@pytest.mark.parametrize("name", ["SGD", "Adam", "Adafactor", "Muon", "SparseAdam"])
def test_what_optimizers_keep_is_beside_the_parameters(name):
    layer = nn.Embedding(4, 2, sparse=name == "SparseAdam").to("xla:cpu")
    optimizer = getattr(torch.optim, name)(layer.parameters(), lr=0.1, **({"momentum": 0.9} if name == "SGD" else {}))
    before = layer.weight.detach().clone()
    for _ in range(2):
        optimizer.zero_grad()
        layer(torch.tensor([1, 2], device="xla:cpu")).square().sum().backward()
        optimizer.step()
    assert not torch.equal(layer.weight, before)
    kept = [t for t in optimizer.state[layer.weight].values() if isinstance(t, torch.Tensor) and t.ndim]
    assert kept and all(t.device == XLA for t in kept)


def test_lengths_of_packed_sequences_are_the_hosts():
    with pytest.raises(RuntimeError, match="'lengths' argument should be a 1D CPU int64 tensor, but got 1D xla:cpu:0 Long tensor"):
        nn.utils.rnn.pack_padded_sequence(torch.ones(2, 1, 1), torch.tensor([2], device="xla:cpu"))
    packed = nn.utils.rnn.pack_padded_sequence(torch.ones(2, 2, 1), [1, 2], enforce_sorted=False).to("xla:cpu")
    assert packed.data.device == packed.sorted_indices.device == packed.unsorted_indices.device == XLA
    assert packed.batch_sizes.device.type == "cpu"


def test_writes_and_views():
    x = torch.zeros(2, 3, device="xla:cpu")
    view = x[1]
    x[0] = torch.ones(3)  # setting items copies from anywhere
    x[1, [0, 2]] = torch.tensor([5., 6.], device="xla:cpu")
    assert view.tolist() == [5, 0, 6] and x[x > 1].tolist() == [5, 6] and x.nonzero().device == XLA
    assert x.copy_(torch.full((2, 3), 2.)).sum().item() == 12


def test_what_makes_tensors_of_tensors_moves_them_to_a_default_device():
    x = torch.ones(2)
    with torch.device(XLA):
        assert torch.as_tensor(x).device == torch.asarray(x).device == XLA and torch.as_tensor(x, device="cpu") is x
    assert torch.as_tensor(x) is x and torch.as_tensor(x.to(XLA)).device == XLA


def test_a_loop_over_slices_compiles_few_programs():
    from flambeau.runtime.resident import MANY, home_of
    x, on = (torch.arange(60., device=where).view(20, 3).requires_grad_() for where in ("cpu", XLA))
    programs = home_of(XLA)._programs
    before = len(programs)
    found = [(on[i:i + 2] + on[:, 1][i] + on[i]).sum().item() for i in range(18)]
    assert found == [(x[i:i + 2] + x[i, 1] + x[i]).sum().item() for i in range(18)]
    assert len(programs) - before <= MANY
    for t in (x, on):
        (t[3:5] * t[18]).sum().backward()
    assert on.grad.device == XLA and on.grad.tolist() == x.grad.tolist()


def test_a_loop_over_places_compiles_few_programs():
    """Reads and writes of memory that is still being computed, at places that change from step to step, with a result looked at."""
    from flambeau.runtime.resident import MANY, home_of
    steps, found = 20, []
    for where in ("cpu", XLA):
        grid, rows, seen = torch.zeros(4, steps + 1, device=where), torch.arange(60., device=where).view(steps, 3), []
        grid[:, 0] = torch.arange(4., device=where)
        before = len(home_of(XLA)._programs)
        for i in range(steps):
            grid[:, i + 1] = grid[:, i] * 0.5 + rows[i].sum()
            rows[i, 1:] = -1
            grid[1, i] += 1
            seen.append(grid[2, i + 1].item())
        found.append((seen, grid.tolist(), rows.tolist()))
    assert found[0] == found[1]
    assert len(home_of(XLA)._programs) - before <= MANY + 2


def test_a_loop_over_recorded_writes_compiles_few_programs():
    """Writes at places that change from step to step, with a gradient through each, and a gradient of the gradient."""
    from flambeau.runtime.resident import MANY, home_of
    steps, found = 20, []
    for where in ("cpu", XLA):
        x = torch.tensor([0.5, 2.0, -1.0], device=where, requires_grad=True)
        grid, seen = torch.zeros(steps, 3, device=where), []
        before = len(home_of(XLA)._programs)
        for i in range(steps):
            grid[i] = x ** 2 * (i + 1)
            seen.append(grid.sum().item())
        made = len(home_of(XLA)._programs) - before
        grad, = torch.autograd.grad((grid ** 2).sum(), x, create_graph=True)
        twice, = torch.autograd.grad(grad.sum(), x)
        found.append((seen, grid.tolist(), grad.tolist(), twice.tolist()))
    assert found[0] == found[1] and grad.grad_fn is not None
    assert made <= MANY + 2


def test_gradients_of_recorded_writes_for_many_cotangents():
    found = []
    for where in ("cpu", XLA):
        x = torch.tensor([1., 2.], device=where, requires_grad=True)
        rows = torch.zeros(8, 2, device=where)
        for i in range(8):
            rows[i] = x ** 2 * i
        many = torch.arange(32., device=where).view(2, 8, 2)
        found.append(torch.autograd.grad(rows, x, many, is_grads_batched=True)[0].tolist())
    assert found[0] == found[1]


def test_batches_are_where_their_samples_are():
    rows, numbers = torch.arange(12.).view(6, 2), torch.arange(6)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(rows.to(XLA), numbers), batch_size=3)
    for (x, y), begin in zip(loader, (0, 3)):
        assert (x.device, y.device) == (XLA, torch.device("cpu"))
        assert x.tolist() == rows[begin:begin + 3].tolist() and y.tolist() == numbers[begin:begin + 3].tolist()
    assert torch.utils.data.default_collate([rows.to(XLA)[1], rows.to(XLA)[2]]).device == XLA
    numbers = ([1, 2], [1., 2.], [True, False], [np.ones(2), np.zeros(2)], [np.float32(1), np.float32(2)])
    assert all(torch.utils.data.default_collate(batch).device.type == "cpu" for batch in numbers)
    with torch.device(XLA):  # numbers and arrays become tensors where tensors are made
        assert all(torch.utils.data.default_collate(batch).device == XLA for batch in numbers)
        assert torch.utils.data.default_collate([rows[1], rows[2]]).device.type == "cpu"


class Squares(torch.utils.data.Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, i):
        return torch.full((2,), float(i)), i * i


@pytest.mark.filterwarnings("ignore:os.fork.. was called:RuntimeWarning", "ignore:This process .* is multi-threaded:DeprecationWarning")
def test_worker_processes_leave_devices_alone():
    with torch.device(XLA):
        (x, y), = torch.utils.data.DataLoader(Squares(), batch_size=4, num_workers=1, timeout=60)
    assert x.device.type == y.device.type == "cpu" and x[:, 0].tolist() == [0, 1, 2, 3] and y.tolist() == [0, 1, 4, 9]


def test_saved_tensors_come_back_where_they_were_or_are_sent():
    buffer = io.BytesIO()
    x = torch.arange(4., device="xla:cpu")
    torch.save({"x": x, "view": x.view(2, 2).t()}, buffer)
    for where, expected in ((None, "xla:cpu"), ("cpu", "cpu"), ({"xla:cpu:0": "cpu"}, "cpu"), (lambda storage, tag: storage, "cpu")):
        buffer.seek(0)
        found = torch.load(buffer, map_location=where)
        assert {t.device.type for t in found.values()} == {expected} and found["view"].tolist() == [[0, 2], [1, 3]]
    assert pickle.loads(pickle.dumps(x)).device == XLA


def test_default_device():
    with torch.device("xla:cpu"):
        assert torch.zeros(1).device == torch.tensor([1]).device == nn.Linear(1, 1).weight.device == XLA
        assert torch.zeros(1, device="cpu").device.type == "cpu"
    assert torch.zeros(1).device.type == "cpu"
    torch.set_default_device("xla:cpu")
    try:
        assert torch.get_default_device() == XLA == torch.rand(1).device
    finally:
        torch.set_default_device(None)


# ------------------------------------------------------------------ what may not meet

def test_operands_on_different_devices():
    x, y = torch.ones(2, device="xla:cpu"), torch.ones(2)
    assert (x * torch.tensor(2.)).device == XLA  # a number may come from anywhere
    for call in (lambda: x + y, lambda: y + x, lambda: torch.cat([x, y]), lambda: nn.Linear(2, 2)(x)):
        with pytest.raises(RuntimeError, match="Expected all tensors to be on the same device, but found at least two devices") as raised:
            call()
        assert "xla:cpu:0" in str(raised.value) and "cpu" in str(raised.value)


def test_devices_that_are_not_there():
    with pytest.raises(RuntimeError, match="invalid device ordinal: 'xla:cpu:9'"):
        torch.ones(1).to("xla:cpu:9")
    with pytest.raises(RuntimeError, match="Could not put a tensor on 'tpu': no such device was found"):
        torch.ones(1, device="tpu")
    with pytest.raises(RuntimeError, match="Invalid device string: 'xla:cpu:x'"):
        torch.device("xla:cpu:x")


@pytest.mark.parametrize("call, error, words", [
    (lambda x, at: x.scatter(0, at, x[:2]), RuntimeError, "index 9 is out of bounds for dimension 0 with size 3"),
    (lambda x, at: x.index_add(0, at, x[:2]), RuntimeError, "index 9 is out of bounds for dimension 0 with size 3"),
    (lambda x, at: x.gather(0, at), RuntimeError, "index 9 is out of bounds for dimension 0 with size 3"),
    (lambda x, at: x[at], IndexError, "index 9 is out of bounds for dimension 0 with size 3"),
    (lambda x, at: x.index_select(0, at), IndexError, "index out of range in self"),
    (lambda x, at: F.embedding(at, x[:, None]), IndexError, "index out of range in self"),
])
@pytest.mark.parametrize("part", [False, True])
def test_positions_at_hand_are_checked_at_the_call(call, error, words, part):
    x, at = torch.zeros(3, device="xla:cpu"), torch.tensor([0, 9, 5], device="xla:cpu")
    with pytest.raises(error, match=words):
        call(x, at[:2] if part else at[:2].clone().cpu().to("xla:cpu"))


def test_a_computed_index_out_of_range_is_told_when_the_host_looks():
    x = torch.zeros(3, device="xla:cpu")
    picked = x[torch.tensor([0, 8], device="xla:cpu") + 1]
    with pytest.raises(IndexError, match="index 9 is out of bounds for dimension 0 with size 3") as raised:
        picked.tolist()
    assert "xla:cpu:0 ran earlier" in str(raised.value)
    assert x.tolist() == [0, 0, 0]  # told once


# ------------------------------------------------------------------ torch.cuda

def test_without_a_gpu():
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    assert torch.cuda.device_count() == 0 and torch.cuda.memory_allocated() == 0 and torch.accelerator.current_accelerator() is None
    torch.cuda.manual_seed_all(0)
    torch.cuda.empty_cache()
    assert torch.cuda.get_arch_list() == [] and torch.cuda.get_gencode_flags() == "" and torch.cuda.default_generators == ()
    with pytest.raises(TypeError, match="type torch.cuda.FloatTensor not available. Torch not compiled with CUDA enabled."):
        torch.cuda.FloatTensor(3)
    for call in (torch.ones(1).cuda, torch.cuda.synchronize, torch.cuda.current_device, lambda: torch.cuda.get_device_name(0)):
        with pytest.raises(AssertionError, match="Torch not compiled with CUDA enabled"):
            call()
    with pytest.raises(RuntimeError, match="Cannot access accelerator device when none is available"):
        torch.accelerator.synchronize()


def test_queries(cuda):
    assert torch.cuda.is_available() and torch.cuda.is_initialized() and torch.accelerator.is_available()
    assert torch.cuda.device_count() == torch.accelerator.device_count() >= 1
    assert torch.cuda.current_device() == 0 and torch.accelerator.current_accelerator() == torch.device("cuda")
    properties = torch.cuda.get_device_properties(0)
    assert properties.name == torch.cuda.get_device_name() and properties.major == torch.cuda.get_device_capability()[0]
    free, total = torch.cuda.mem_get_info()
    assert free <= total and isinstance(torch.cuda.memory_stats(), dict)
    assert torch.cuda.max_memory_reserved() >= torch.cuda.memory_reserved() >= 0
    with pytest.raises(RuntimeError, match="CUDA error: invalid device ordinal"):
        torch.cuda.set_device(99)
    with pytest.raises(ValueError, match="Expected a cuda device, but got: cpu"):
        torch.cuda.get_device_name("cpu")


def test_tensors_on_cuda(cuda):
    x = torch.ones(2, 3).cuda()
    assert x.is_cuda and x.get_device() == 0 and x.device == torch.device("cuda:0") == torch.zeros(1, device=0).device
    assert nn.Linear(3, 2).cuda()(x).is_cuda and not x.cpu().is_cuda
    with pytest.raises(RuntimeError, match="found at least two devices, cuda:0 and cpu!"):
        x + torch.ones(2, 3)
    with torch.cuda.device(0), torch.cuda.device_of(x), torch.cuda.device(-1):
        assert torch.cuda.current_device() == 0


def test_events_and_streams(cuda):
    x = torch.ones(64, 64, device="cuda")
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    with pytest.raises(ValueError, match="must be recorded"):
        start.elapsed_time(end)
    start.record()
    product = x @ x
    end.record()
    end.synchronize()
    assert end.query() and start.elapsed_time(end) > 0 > end.elapsed_time(start)
    with pytest.raises(ValueError, match="enable_timing=True"):
        torch.cuda.Event().elapsed_time(end)
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        product += 1
    stream.wait_event(stream.record_event())
    stream.synchronize()
    assert stream.query() and stream == torch.cuda.current_stream() == torch.cuda.default_stream()
    assert product[0, 0].item() == 65


@pytest.mark.parametrize("kind", ["cuda", "xla:cpu"])
def test_streams_of_any_device(cuda, kind):
    stream = torch.Stream(kind, priority=-1)
    assert stream.device == torch.device(kind, 0) and stream.device_index == 0 and stream.stream_id == 0 and not stream.is_capturing()
    start, end = torch.Event(kind, enable_timing=True), torch.Event(stream.device, enable_timing=True)
    with stream:
        start.record()
        kept = torch.ones(64, 64, device=kind) @ torch.ones(64, 64, device=kind)
        end.record(stream)
    stream.wait_event(end)
    stream.wait_stream(torch.Stream(kind))
    assert end.query() and start.elapsed_time(end) > 0 and kept[0, 0].item() == 64
    assert repr(stream) == f"torch.Stream device_type={kind}, device_index=0, stream_id=0"
    assert repr(stream.record_event()) == f"torch.Event device_type={kind}, device_index=0, event_flag=0, event_id=0"


def test_the_accelerators_stream(cuda):
    stream = torch.accelerator.current_stream()
    assert isinstance(torch.cuda.Stream(), torch.Stream) and isinstance(torch.cuda.Event(), torch.Event)
    assert stream == torch.Stream() == torch.cuda.current_stream() == torch.Stream(0) != torch.Stream("cpu")
    torch.accelerator.set_stream(stream)
    with torch.accelerator.device_index(0), torch.cuda.stream(torch.cuda.Stream()):
        assert torch.accelerator.current_device_idx() == 0
    assert torch.float16 in torch.accelerator.get_device_capability()["supported_dtypes"]
    assert torch.cuda.Event().device == stream.device and torch.cuda.Stream().record_event().device == stream.device


def test_streams_of_the_cpu():
    stream, event = torch.Stream("cpu"), torch.Event("cpu")
    assert stream.query() and event.query() and stream.device_type == 0 and stream.device_index == -1
    assert stream == torch.Stream(device="cpu") and hash(stream) == hash(torch.Stream("cpu")) and stream != 3
    for call in (stream.record_event, event.record):
        with pytest.raises(RuntimeError, match="cpu backend doesn't support events"):
            call()
    with pytest.raises(ValueError, match="must be recorded"):
        torch.Event("cpu", enable_timing=True).elapsed_time(torch.Event("cpu", enable_timing=True))


def test_legacy_types_of_gpus(cuda):
    x = torch.cuda.FloatTensor([1.5, 2])
    assert x.is_cuda and x.type() == "torch.cuda.FloatTensor" and x.type(torch.cuda.LongTensor).type() == "torch.cuda.LongTensor"
    assert isinstance(x, torch.cuda.FloatTensor) and not isinstance(x, (torch.FloatTensor, torch.cuda.DoubleTensor))
    assert x.type("torch.DoubleTensor").device.type == "cpu" and torch.ones(1).type("torch.cuda.HalfTensor").is_cuda
    assert len(torch.cuda.default_generators) == torch.cuda.device_count() and "XLA" in torch.cuda.memory_summary()


def test_old_names_of_counters(cuda):
    for old, new in (("memory_cached", "memory_reserved"), ("max_memory_cached", "max_memory_reserved")):
        with pytest.warns(FutureWarning, match=f"renamed to `torch.cuda.{new}`"):
            assert getattr(torch.cuda, old)() == getattr(torch.cuda, new)()
    for old in ("reset_max_memory_allocated", "reset_max_memory_cached"):
        with pytest.warns(FutureWarning, match="resets /all/ peak memory stats"):
            getattr(torch.cuda, old)()


def test_cuda_synchronize_raises_what_the_device_met(cuda):
    x = torch.zeros(3, device="cuda")
    kept = x[torch.tensor([6], device="cuda") + 1]
    with pytest.raises(IndexError, match="index 7 is out of bounds"):
        torch.cuda.synchronize()
    assert kept.shape == (1,)
