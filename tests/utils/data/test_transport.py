"""Messages between processes: in one piece or in many, by socket, file or pipe."""

import gc
import os
import socket
import threading
import time

import numpy as np
import pytest

import flambeau as torch
from flambeau.utils.data import DataLoader, TensorDataset
from flambeau.utils.data._utils import pool, transport
from flambeau.utils.data._utils.transport import HEADER, PipeChannel, SocketChannel

CHANNELS = [SocketChannel, PipeChannel]


def never():
    raise AssertionError("the channel is full")


def receive(channel, seconds=5):
    deadline = time.monotonic() + seconds
    while (message := channel.receive()) is None:
        assert time.monotonic() < deadline, "nothing came"
        time.sleep(0.001)
    return message


@pytest.fixture(params=CHANNELS, ids=lambda kind: kind.__name__)
def ends(request):
    parent, worker = request.param.pair(5.0)
    yield parent, worker
    parent.hang_up()
    worker.close()


def test_small_messages_in_order(ends):
    parent, worker = ends
    assert parent.receive() is None
    for k in range(20):
        worker.send((k, {"text": "a" * k}), never)
        parent.send([k], never)
    for k in range(20):
        assert receive(parent) == (k, {"text": "a" * k})
        assert receive(worker) == [k]
    assert parent.receive() is None


@pytest.mark.parametrize("size", [0, 1, 63, 64, 100_000, 5_000_000])
def test_arrays_and_tensors(ends, size):
    parent, worker = ends
    arrays = [np.arange(size, dtype=np.uint8), np.zeros((3, size // 3), np.float32)[:, ::-1], np.array("text")]
    tensor = torch.arange(size, dtype=torch.int16)
    sender = threading.Thread(target=worker.send, args=((arrays, tensor), lambda: time.sleep(0.001)))
    sender.start()
    got, got_tensor = receive(parent)
    sender.join()
    for sent, array in zip(arrays, got):
        assert array.dtype == sent.dtype and np.array_equal(array, sent)
    assert torch.equal(got_tensor, tensor)
    if size:
        got[0][0] = 7
        assert got[0][0] == 7


def test_end_of_a_channel(ends):
    parent, worker = ends
    worker.close()
    with pytest.raises(EOFError):
        receive(parent)


def test_a_message_that_comes_bit_by_bit():
    parent, worker = SocketChannel.pair(1.0)
    raw = socket.socketpair()
    writer = SocketChannel(raw[0], 1.0)
    writer.send({"x": np.arange(1000)}, never)
    data = raw[1].recv(100_000)
    for k in range(0, len(data), 97):
        assert parent.receive() is None
        worker._socket.sendall(data[k : k + 97])
    assert np.array_equal(parent.receive()["x"], np.arange(1000))
    for end in (parent, worker, writer):
        end.close()
    raw[1].close()


@pytest.mark.parametrize("part", [1, HEADER.size - 1, HEADER.size, HEADER.size + 3])
def test_a_message_that_breaks_off(part):
    parent, worker = SocketChannel.pair(1.0)
    raw = socket.socketpair()
    writer = SocketChannel(raw[0], 1.0)
    writer.send(["a message"], never)
    worker._socket.sendall(raw[1].recv(1000)[:part])
    assert parent.receive() is None
    worker.close()
    with pytest.raises(EOFError):
        parent.receive()
    for end in (parent, writer):
        end.close()
    raw[1].close()


def test_a_file_that_breaks_off_is_closed():
    def descriptors():
        """Open sockets, and files that have no name (any more): others, as the compiler's cache, may be open at a moment."""
        found = 0
        for fd in os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else []:
            try:
                target = os.readlink(f"/proc/self/fd/{fd}")
            except FileNotFoundError:  # closed since
                continue
            found += target.startswith(("socket:", "/memfd:")) or target.endswith("(deleted)")
        return found
    gc.collect()  # what other tests have left must not be closed in between
    before = descriptors()
    parent, worker = SocketChannel.pair(1.0)
    worker._send_file(b"\0", [memoryview(bytes(64))], 64, never)
    assert parent.receive() is None
    worker.close()
    with pytest.raises(EOFError):
        parent.receive()
    parent.hang_up()
    assert descriptors() <= before


def test_what_cannot_be_pickled_sends_nothing(ends):
    parent, worker = ends
    with pytest.raises(Exception, match="lambda|pickle"):
        worker.send(lambda: None, never)
    worker.send("next", never)
    assert receive(parent) == "next"


def test_gradients_do_not_cross(ends):
    with pytest.raises(RuntimeError, match="non-leaf tensor which requires_grad"):
        ends[1].send(torch.ones(2, requires_grad=True) * 2, never)


def test_a_full_channel_calls_back():
    parent, worker = SocketChannel.pair(0.05)
    calls = []

    def drain():
        calls.append(parent.receive())

    worker.send("x" * 3_000_000, drain)
    while not any(calls):
        drain()
    assert calls[-1] == "x" * 3_000_000
    parent.hang_up()
    worker.close()


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_workers_through_pipes(monkeypatch, context):
    monkeypatch.setattr(pool, "Channel", PipeChannel)
    x = torch.randn(6, 100_000)
    loader = DataLoader(TensorDataset(x), batch_size=2, num_workers=2, multiprocessing_context=context)
    assert torch.equal(torch.cat([batch for (batch,) in loader]), x)


def test_temporary_files_take_the_place_of_files_in_memory(monkeypatch):
    monkeypatch.delattr(os, "memfd_create", raising=False)
    x = torch.randn(4, 200_000)
    loader = DataLoader(TensorDataset(x), batch_size=2, num_workers=1, multiprocessing_context="fork")
    assert torch.equal(torch.cat([batch for (batch,) in loader]), x)


def test_beyond_the_limit_of_maps_batches_are_copied(monkeypatch):
    monkeypatch.setattr(transport, "MAX_MAPS", len(transport._live_maps) + 1)
    x = torch.arange(400_000).view(4, 100_000)
    loader = DataLoader(TensorDataset(x), num_workers=1, multiprocessing_context="fork")
    batches = [batch for (batch,) in loader]
    assert torch.equal(torch.cat(batches), x)
