"""What the tests of devices share. They are skipped where jax is not installed."""
import os
import subprocess
import sys
from pathlib import Path

import pytest

SUPPORT = Path(__file__).parents[1] / "support"  # on pytest's path, and on that of its child processes


@pytest.fixture
def cuda(monkeypatch):
    """XLA's CPU in the place of a GPU, so that `torch.cuda` has something to talk to."""
    from flambeau.tensor import device
    from flambeau.xla import backend
    monkeypatch.setitem(backend.PLATFORMS, "cuda", "cpu")
    monkeypatch.setitem(backend._PLUGINS, "cuda", ("jax",))
    monkeypatch.setattr(device, "_present", dict(device._present))
    backend.devices.cache_clear()
    yield
    backend.devices.cache_clear()


@pytest.fixture
def on_four_devices():
    """Runs a program in a process of its own in which XLA's CPU counts as four devices; returns what it prints."""
    def run(program: str) -> str:
        environment = {**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=4", "OMP_NUM_THREADS": "1",
                       "PYTHONPATH": os.pathsep.join(filter(None, [str(SUPPORT), os.environ.get("PYTHONPATH")]))}
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, timeout=240)
        assert done.returncode == 0, done.stderr
        return done.stdout
    return run
