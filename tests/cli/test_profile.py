"""`flambeau profile`: the program's own output and exit code, the table, the trace."""
import json
import os
import subprocess
import sys

import pytest

PROGRAM = """import sys
import torch

x = torch.ones(64, 64)
for _ in range(6):
    y = x @ x
    total = torch.linalg.svdvals(y).sum()
    total.item()
print("arguments", sys.argv[1:], round(total.item()))
sys.exit(len(sys.argv))
"""


def profile(tmp_path, *arguments):
    (tmp_path / "program.py").write_text(PROGRAM)
    return subprocess.run([sys.executable, "-m", "flambeau", "profile", *arguments], cwd=tmp_path, capture_output=True, text=True,
                          env={**os.environ, "OMP_NUM_THREADS": "1"})


def test_a_program(tmp_path):
    done = profile(tmp_path, "--trace", "trace.json", "program.py", "--rows", "5")
    assert done.returncode == 3 and done.stdout == "arguments ['--rows', '5'] 4096\n"
    assert done.stderr.startswith("kernel") and "of peak" in done.stderr
    rows = {(words[0], by) for words in map(str.split, done.stderr.splitlines()) for by in ("native", "NumPy", "host") if by in words}
    assert {("dot", "native"), ("dot", "NumPy"), ("linalg_singular_values", "host"), ("linalg_singular_values", "NumPy")} <= rows
    assert "program.py:6" in done.stderr and "program.py:7" in done.stderr
    assert "waiting for the compiler" in done.stderr and "GFLOP/s" in done.stderr.splitlines()[-1]
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    assert {"native", "host"} <= {e["args"]["by"] for e in events if e.get("cat") == "kernel"}


def test_a_program_that_fails_and_one_that_is_not_there(tmp_path):
    (tmp_path / "fails.py").write_text("import torch\ntorch.ones(3).sum().item()\nraise ValueError('no')\n")
    done = profile(tmp_path, "--rows", "1", "fails.py")
    assert done.returncode == 1 and "ValueError: no" in done.stderr and "kernel" in done.stderr
    assert profile(tmp_path, "missing.py").returncode == 2


@pytest.mark.parametrize("arguments,word", [(["--help"], "--trace"), ([], "SCRIPT")])
def test_usage(tmp_path, arguments, word):
    done = profile(tmp_path, *arguments)
    assert word in done.stdout + done.stderr and done.returncode == (0 if arguments else 2)
