"""The README's program runs, and continuous integration finds the README's commands."""
import re
import subprocess
import sys
from pathlib import Path

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_program():
    program, = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"tensor\(-?\d\.\d+, grad_fn=<MeanBackward0>\)\n", done.stdout)


def test_commands():
    blocks = dict(re.findall(r"<!-- ci: (\w+) -->\n```sh\n(.*?)```", README, re.DOTALL))
    assert "flambeau demo" in blocks["demo"] and "pytest" in blocks["test"]
    assert all(block.startswith("python3 -m venv .venv\n.venv/bin/pip install ") for block in blocks.values())
