"""Saving to a path: the name always leads to a whole file, the old one or the new one."""
import errno
import os
import random
import signal
import stat
import subprocess
import sys
import time

import pytest

import flambeau as fb
from flambeau.serialization import _atomic, load, save
from flambeau.serialization._atomic import atomic_write

posix = pytest.mark.skipif(os.name != "posix", reason="POSIX permissions, signals and locks")


class FailingFile:
    """A raw file whose n-th write fails (after writing a part), as on a full disk."""

    def __init__(self, file, fail_at, counter):
        self.file, self.fail_at, self.counter = file, fail_at, counter

    def write(self, data):
        self.counter.append(1)
        if len(self.counter) == self.fail_at:
            self.file.write(bytes(data)[:len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        return self.file.write(data)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.file.close()

    def __getattr__(self, name):
        return getattr(self.file, name)


@pytest.mark.parametrize("legacy", [False, True])
def test_the_old_file_survives_a_failure_of_every_write(tmp_path, monkeypatch, legacy):
    path = tmp_path / "model.pt"
    save({"epoch": 1}, path)
    before = path.read_bytes()
    real = _atomic.GrowingFile
    new = {"epoch": 2, "w": fb.ones(10), "b": fb.zeros(3)}
    for n in range(1, 1000):
        count: list = []
        monkeypatch.setattr(_atomic, "GrowingFile", lambda descriptor: FailingFile(real(descriptor), n, count))
        try:
            save(new, path, _use_new_zipfile_serialization=not legacy)
        except OSError as error:
            assert error.errno == errno.ENOSPC
            assert path.read_bytes() == before
            assert os.listdir(tmp_path) == ["model.pt"]
        else:
            break
    assert n > (7 if legacy else 15)  # every write has failed once, then all went well
    assert load(path)["epoch"] == 2


@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_the_old_file_survives_a_failure_of_the_last_steps(tmp_path, monkeypatch, function):
    path = tmp_path / "model.pt"
    save(1, path)

    def fail(*args):
        raise OSError(errno.EIO, "Input/output error")
    monkeypatch.setattr(os, function, fail)
    with pytest.raises(OSError, match="Input/output"):
        save(2, path)
    monkeypatch.undo()
    assert load(path) == 1
    assert os.listdir(tmp_path) == ["model.pt"]


def test_data_are_on_disk_before_the_name_is_taken(tmp_path, monkeypatch):
    calls = []
    for name in ("fsync", "replace"):
        monkeypatch.setattr(os, name, lambda *a, name=name, real=getattr(os, name): (calls.append(name), real(*a))[1])
    save(1, tmp_path / "model.pt")
    assert calls == ["fsync", "replace", "fsync"]  # the file, its name, the folder


@posix
def test_the_disk_works_while_the_file_grows(tmp_path, monkeypatch):
    calls = []
    for name in ("posix_fadvise", "fsync"):
        monkeypatch.setattr(os, name, lambda *a, name=name, real=getattr(os, name): (calls.append((name, *a[1:])),
                                                                                     real(*a))[1])
    monkeypatch.setattr(_atomic, "WRITTEN_BACK", 1000)
    with atomic_write(tmp_path / "x") as f:
        for size in (600, 600, 5000, 10):
            f.write(bytes(size))
    asked = ("posix_fadvise", 0, 1200, os.POSIX_FADV_DONTNEED), ("posix_fadvise", 1200, 5000, os.POSIX_FADV_DONTNEED)
    assert calls == [*asked, ("fsync",), ("fsync",)]
    assert (tmp_path / "x").read_bytes() == bytes(6210)


def test_an_interrupt_leaves_the_old_file(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), atomic_write(path) as f:
        f.write(b"new")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["x"]


KILLED = """
import sys, os
import flambeau as fb
from flambeau.serialization import save
path = sys.argv[1]
tensors = {str(i): fb.full((1 << 18,), float(i)) for i in range(8)}
epoch = 1
while True:
    epoch += 1
    save({"epoch": epoch, "tensors": {k: t + epoch for k, t in tensors.items()}}, path)
    print(epoch, flush=True)
"""


@posix
def test_a_killed_process_leaves_a_whole_file(tmp_path):
    path = tmp_path / "model.pt"
    rng = random.Random(0)
    save({"epoch": 1, "tensors": {}}, path)
    for _ in range(5):
        with subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE) as process:
            finished = int(process.stdout.readline())
            time.sleep(rng.uniform(0.0, 0.1))
            process.send_signal(signal.SIGKILL)
        loaded = load(path)
        assert loaded["epoch"] >= finished
        assert len(loaded["tensors"]) == 8
        for name, t in loaded["tensors"].items():
            assert bool((t == float(name) + loaded["epoch"]).all())


@posix
def test_leftovers_of_dead_processes_are_removed_and_those_of_live_ones_are_not(tmp_path, monkeypatch):
    path = tmp_path / "model.pt"
    old = time.time() - 3600
    dead, other = tmp_path / f".model.pt.{'0' * 12}.tmp", tmp_path / f".other.pt.{'0' * 12}.tmp"
    for leftover in (dead, other):
        leftover.write_bytes(b"half")
        os.utime(leftover, (old, old))
    with atomic_write(path) as f:
        f.write(b"first")
        (live,) = tmp_path.glob(".model.pt.*.tmp")
        assert live != dead
        os.utime(live, (old, old))
        save(2, path)  # by another program at the same time
        assert live.exists()
    assert path.read_bytes() == b"first"
    assert sorted(p.name for p in tmp_path.iterdir()) == [other.name, "model.pt"]


@posix
def test_permissions_are_kept(tmp_path):
    path = tmp_path / "model.pt"
    mask = os.umask(0o027)
    try:
        save(1, path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        os.chmod(path, 0o604)
        save(2, path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o604
    finally:
        os.umask(mask)


@posix
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write everything")
def test_a_file_that_may_not_be_written_is_not_replaced(tmp_path):
    path = tmp_path / "model.pt"
    save(1, path)
    os.chmod(path, 0o400)
    with pytest.raises(PermissionError):
        save(2, path)
    assert load(path) == 1


@posix
def test_a_symbolic_link_stays_one(tmp_path):
    (tmp_path / "real").mkdir()
    target = tmp_path / "real" / "model.pt"
    link = tmp_path / "latest.pt"
    os.symlink(os.path.join("real", "model.pt"), link)
    for value in (1, 2):  # the target does not exist, then it does
        save(value, link)
        assert link.is_symlink()
        assert load(target) == value
    assert os.listdir(tmp_path / "real") == ["model.pt"]


@posix
def test_what_is_no_regular_file_is_written_directly(tmp_path):
    save(1, "/dev/null")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_a_path_without_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(3, "model.pt")
    assert load("model.pt") == 3


def test_a_very_long_name_that_is_not_ascii(tmp_path):
    path = tmp_path / ("é" * 125)
    save(3, path)
    assert load(path) == 3


def test_leftovers_wait_until_they_are_old(tmp_path):
    fresh = tmp_path / f".model.pt.{'1' * 12}.tmp"
    fresh.write_bytes(b"being made")
    save(1, tmp_path / "model.pt")
    assert fresh.exists()
    assert _atomic.LEFTOVER_AGE >= 1
