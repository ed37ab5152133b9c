"""Memory: a mapped set stays mapped, whatever number of workers read it; batches and their files do not pile up."""
import gc
import os
from pathlib import Path

import numpy as np
import pytest

import flambeau as torch
from flambeau.utils.data import DataLoader, Dataset

pytestmark = [pytest.mark.filterwarnings("ignore:This DataLoader will create"),
              pytest.mark.skipif(not os.path.exists("/proc/self/smaps_rollup"), reason="needs Linux' /proc")]


ROW = 64 * 1024


class Mapped(Dataset):
    """Rows of a file in memory, and a Python object a row, whose reference counts workers write."""

    def __init__(self, path, rows):
        self.rows = np.memmap(path, np.uint8, "r", shape=(rows, ROW))
        self.names = [f"row {k}" for k in range(rows)]

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        return torch.from_numpy(np.array(self.rows[index])), len(self.names[index])


def own_memory(pids):
    """Bytes that belong to these processes: not what is shared with another one or backed by a file."""
    total = 0
    for pid in pids:
        fields = dict(line.split(":") for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
        total += sum(int(fields[name].split()[0]) for name in ("Private_Dirty", "Swap")) * 1024
    return total


def memory_over_epochs(path, rows, batch_size, epochs):
    """The memory of program and workers near the beginning and near the end of each epoch, while workers are busy."""
    with open(path, "wb") as file:
        file.truncate(rows * ROW)  # holes, which take no disk
    loader = DataLoader(Mapped(path, rows), batch_size=batch_size, num_workers=4, multiprocessing_context="fork",
                        persistent_workers=True)
    sizes = []
    for _ in range(epochs):
        for k, _ in enumerate(loader):
            if k in (0, len(loader) - 8):
                pids = [os.getpid(), *(worker.pid for worker in loader._iterator._workers)]
                gc.collect()
                sizes.append(own_memory(pids))
    return sizes


@pytest.mark.slow  # forked from a process that ran many tests before, workers copy pages of those, too
def test_epochs_over_a_mapped_set_do_not_grow(tmp_path):
    """By more than a twentieth of it; after the first one, in which forked workers get copies of what they touch."""
    sizes = memory_over_epochs(tmp_path / "rows", rows=2000, batch_size=3, epochs=4)
    assert sizes[7] - sizes[4] < 0.05 * 2000 * ROW, sizes


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [3, 16])  # through the socket, and through files in memory
def test_an_epoch_over_a_large_mapped_set_grows_by_less_than_a_twentieth_of_it(tmp_path, batch_size):
    rows = 50_000  # 3 GiB
    first, last = memory_over_epochs(tmp_path / "rows", rows, batch_size, epochs=1)
    assert last - first < 0.05 * rows * ROW


def test_epochs_leave_no_memory_behind():
    loader = DataLoader(torch.zeros(64, 100_000), batch_size=8, num_workers=2, multiprocessing_context="fork")
    sizes = []
    for _ in range(6):
        for batch in loader:
            assert batch.shape == (8, 100_000)
        batch = None
        gc.collect()
        sizes.append(own_memory([os.getpid()]))
    assert sizes[-1] <= 1.05 * sizes[1], sizes
    assert not [fd for fd in os.listdir("/proc/self/fd") if "flambeau-batch" in _target(fd)]


def _target(fd):
    try:
        return os.readlink(f"/proc/self/fd/{fd}")
    except OSError:
        return ""
