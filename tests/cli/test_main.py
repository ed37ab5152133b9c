"""The command line itself."""
import shutil
import subprocess
import sys
import sysconfig

import pytest

from flambeau import version
from flambeau.cli.main import main


def test_version(capsys):
    with pytest.raises(SystemExit) as exit:
        main(["--version"])
    assert exit.value.code == 0
    assert capsys.readouterr().out == f"flambeau {version.flambeau} (API of PyTorch 2.13.0)\n"


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["run", "-h"]])
def test_help(arguments, capsys):
    with pytest.raises(SystemExit) as exit:
        main(arguments)
    assert exit.value.code == 0
    assert "flambeau" in capsys.readouterr().out


@pytest.mark.parametrize("arguments, message", [
    ([], "arguments are required: {run,demo,"),
    (["frobnicate"], "invalid choice: 'frobnicate'"),
    (["run"], "arguments are required: SCRIPT"),
    (["run", "-m"], "expected one argument"),
    (["run", "--fast", "x.py"], "unrecognized arguments: --fast"),
])
def test_mistakes(arguments, message, capsys):
    with pytest.raises(SystemExit) as exit:
        main(arguments)
    assert exit.value.code == 2
    assert message in capsys.readouterr().err


def test_console_script_runs():
    command = shutil.which("flambeau", path=sysconfig.get_path("scripts"))
    assert command, "the package is not installed with its console script"
    out = subprocess.run([command, "--version"], capture_output=True, text=True, timeout=60)
    same = subprocess.run([sys.executable, "-m", "flambeau", "--version"], capture_output=True, text=True, timeout=60)
    assert out.stdout == same.stdout != "" and out.returncode == 0
