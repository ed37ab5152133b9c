"""Storages and shared memory as in PyTorch: the same program gives the same."""
import os
import warnings

import pytest

import flambeau

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("program", [
    "x = torch.arange(6.).reshape(2, 3); s = x[1].untyped_storage(); out = len(s), s.nbytes(), s.size(), s.tolist()",
    "x = torch.arange(6.); s = x[2:].storage(); out = s.tolist(), s.dtype == torch.float32, len(s), s[2], s.nbytes(), s.element_size()",
    "x = torch.arange(6.); s = x.storage(); s[0] = 9; s[1] = 2.5; out = x.tolist()",
    "x = torch.arange(6, dtype=torch.int16); x.untyped_storage()[0] = 7; out = x.tolist()",
    "x = torch.arange(6.); x[3:].untyped_storage().fill_(0); out = x.tolist()",
    "x = torch.arange(3.); y = torch.zeros(3); y.untyped_storage().copy_(x.untyped_storage()); out = y.tolist()",
    "x = torch.arange(3.); c = x.untyped_storage().clone(); x.zero_(); out = c.tolist()",
    "x = torch.arange(3.); out = x.data_ptr() == x.untyped_storage().data_ptr() == x.view(3, 1).storage().data_ptr()",
    "out = torch.is_storage(torch.ones(2).untyped_storage()), torch.is_storage(torch.ones(2))",
    "s = torch.UntypedStorage(4); out = len(s), str(s.device), s.is_cuda, s.is_pinned()",
    "out = repr(torch.arange(3, dtype=torch.uint8).untyped_storage()), repr(torch.arange(2.).storage())",
    "torch.ones(2).untyped_storage()[8]",
    "x = torch.arange(6, dtype=torch.uint8); s = x.untyped_storage()[2:5]; s[0] = 9; x[3] = 7; out = s.tolist(), x.tolist(), len(s), s.nbytes()",
    "x = torch.arange(6, dtype=torch.uint8); s = x.untyped_storage(); s[4:].fill_(1); s[1:3][1] = 8; out = type(s[:0]).__name__, s.tolist(), x.tolist()",
    "torch.ones(2).untyped_storage()[::2]",
    "x = torch.arange(3.); t = torch.asarray(x.untyped_storage(), dtype=torch.float32); t[0] = 5; out = t.tolist(), x.tolist()",
    "x = torch.arange(3.); t = torch.asarray(x.untyped_storage()[4:8], dtype=torch.uint8).view(torch.float32); t[0] = 5; out = t.tolist(), x.tolist()",
    "s = torch.ones(2).untyped_storage(); out = s.untyped() is s",
    "x = torch.ones(2, requires_grad=True); x.untyped_storage().fill_(0); out = x.tolist()",
    "x = torch.ones(2); out = x.is_shared(), x.share_memory_().is_shared(), x[1:].is_shared(), x.untyped_storage().is_shared(), (x + 1).is_shared()",
    "m = torch.nn.Linear(2, 1); m.share_memory(); out = [p.is_shared() for p in m.parameters()]",
])
def test_storage(program):
    def run(module):
        names = {"torch": module}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                exec(program, names)
            except Exception as error:
                return type(error), str(error)
        return names["out"]
    assert run(flambeau) == run(torch)


@pytest.mark.parametrize("program", [
    "s = torch.UntypedStorage.from_file(file, shared=False, nbytes=4); s[0] = 9; out = s.tolist()",
    "s = torch.UntypedStorage.from_file(file); out = s.tolist()",
    "s = torch.UntypedStorage.from_file(file, shared=True, nbytes=8); s[0] = 9; out = s.tolist()",
    "s = torch.UntypedStorage.from_file(file, True, 4); torch.asarray(s[2:], dtype=torch.uint8).fill_(7); out = s.tolist()",
])
def test_files_as_storages(program, tmp_path):
    def run(module):
        file = tmp_path / module.__name__
        file.write_bytes(bytes(range(6)))
        names = {"torch": module, "file": str(file)}
        exec(program, names)
        return names["out"], file.read_bytes()
    assert run(flambeau) == run(torch)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_forked_processes_share_memory():
    x, y = flambeau.zeros(3).share_memory_(), flambeau.zeros(3)
    child = os.fork()
    if child == 0:
        x.add_(5)
        y.add_(5)
        x[0] = 1
        os._exit(x.sum().item() != 11)
    assert os.waitpid(child, 0)[1] == 0
    assert x.tolist() == [1, 5, 5] and y.tolist() == [0, 0, 0]
    x.mul_(2)
    assert x.is_shared() and x.tolist() == [2, 10, 10]
