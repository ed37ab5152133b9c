"""DistributedDataParallel in two processes beside PyTorch's: options, hooks, inputs of unequal lengths."""
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("jax")
pytestmark = pytest.mark.slow

PROGRAM = Path(__file__).parents[2] / "distributed" / "programs" / "options.py"


def outcomes(launcher):
    env = {name: value for name, value in os.environ.items() if not name.startswith(("TORCHELASTIC", "PET_"))} | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-m", *launcher, "--nproc-per-node=2", str(PROGRAM)], capture_output=True, text=True,
                          timeout=240, env=env)
    assert done.returncode == 0, done.stderr
    lines = sorted(line for line in done.stdout.splitlines() if line[:2] in ("0 ", "1 "))
    return [json.loads(line[2:]) for line in lines]


def test_options_hooks_and_unequal_inputs():
    for ours, theirs in zip(outcomes(("flambeau", "launch")), outcomes(("torch.distributed.run",)), strict=True):
        assert ours.keys() == theirs.keys()
        for name, expected in theirs.items():
            if not (expected and isinstance(expected, list) and isinstance(expected[0], list) and isinstance(expected[0][0], float)):
                assert ours[name] == expected, name
                continue
            tolerance = 2e-3 if name in ("fp16", "wrapped") else 1e-5  # sums of 16 bits are rounded in another order
            for a, b in zip(ours[name], expected, strict=True):
                assert a == pytest.approx(b, rel=tolerance, abs=tolerance), name
