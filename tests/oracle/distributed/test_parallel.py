"""DistributedDataParallel (options, hooks, inputs of unequal lengths) and fully_shard (options, meshes) in processes beside PyTorch's."""
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("jax")
pytestmark = pytest.mark.slow

PROGRAMS = Path(__file__).parents[2] / "distributed" / "programs"


def outcomes(launcher, program, size):
    env = {name: value for name, value in os.environ.items() if not name.startswith(("TORCHELASTIC", "PET_"))} | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-m", *launcher, f"--nproc-per-node={size}", str(PROGRAMS / program)], capture_output=True,
                          text=True, timeout=240, env=env)
    assert done.returncode == 0, done.stderr
    lines = sorted(line for line in done.stdout.splitlines() if line[:1].isdigit() and line[1:3] == " {")
    assert len(lines) == size
    return [json.loads(line[2:]) for line in lines]


def is_numbers(value):
    return bool(value) and isinstance(value, list) and isinstance(value[0], list) and isinstance(value[0][0], float)


@pytest.mark.parametrize("program, size", [("options.py", 2), ("sharding.py", 2), ("sharding.py", 4)])
def test_as_pytorchs(program, size):
    for ours, theirs in zip(outcomes(("flambeau", "launch"), program, size), outcomes(("torch.distributed.run",), program, size), strict=True):
        assert ours.keys() == theirs.keys()
        for name, expected in theirs.items():
            if not is_numbers(expected):
                assert ours[name] == expected, name
                continue
            rounds = any(word in name for word in ("fp16", "wrapped", "bfloat16", "output"))  # 16 bits are rounded in another order
            tolerance = 5e-3 if rounds else 1e-5
            for a, b in zip(ours[name], expected, strict=True):
                assert a == pytest.approx(b, rel=tolerance, abs=tolerance), name
