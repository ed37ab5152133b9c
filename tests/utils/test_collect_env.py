"""The report on the machine."""
import subprocess
import sys

import numpy

from flambeau.compiler.llvm.target import ISAS
from flambeau.utils.collect_env import get_env_info


def test_what_it_says(monkeypatch):
    monkeypatch.setenv("FLAMBEAU_EXECUTOR", "native")
    info = get_env_info()
    assert f"numpy=={numpy.__version__}" in info.pip_packages
    assert info.vectors in ISAS
    assert "FLAMBEAU_EXECUTOR=native" in info.settings


def test_as_a_program():
    out = subprocess.run([sys.executable, "-m", "flambeau.utils.collect_env"], capture_output=True, text=True, check=True).stdout
    assert "flambeau version: " in out and "vectors: " in out
