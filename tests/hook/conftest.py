import subprocess
import sys
import textwrap

import pytest


@pytest.fixture
def run_program(tmp_path):
    """Runs a program in a fresh process, with `flambeau run` unless `plain`; its output lines. It must succeed."""
    def run(source, plain=False):
        path = tmp_path / "program.py"
        path.write_text(textwrap.dedent(source))
        command = [sys.executable] if plain else [sys.executable, "-m", "flambeau", "run"]
        done = subprocess.run([*command, str(path)], cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return run
