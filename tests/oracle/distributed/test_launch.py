"""`flambeau launch` beside torchrun: arguments, what processes are told, exit codes and the report of a failure."""
import os
import re
import subprocess
import sys

import pytest

torch = pytest.importorskip("torch")

from flambeau.distributed.run import parser  # noqa: E402

# What is about PyTorch's own parts: plugins of its logging, binding to the cores beside a GPU, filters of output.
ABSENT = {"--event-log-handler", "--logs-specs", "--numa-binding", "--duplicate-stdout-filters", "--duplicate-stderr-filters"}


def run(launcher, *arguments):
    env = {name: value for name, value in os.environ.items() if not name.startswith(("TORCHELASTIC", "PET_"))} | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-m", *launcher, *map(str, arguments)], capture_output=True, text=True, timeout=100, env=env)
    return done.returncode, done.stdout, done.stderr


OURS, THEIRS = ("flambeau", "launch"), ("torch.distributed.run",)


def test_arguments():
    from torch.distributed.run import get_args_parser

    def described(reader):
        return {name: (action.dest, action.nargs, tuple(action.choices or ())) for action in reader._actions for name in action.option_strings}
    ours, theirs = described(parser("torchrun")), described(get_args_parser())
    missing = {name for name in theirs if name.replace("_", "-") in ABSENT}
    assert {name: theirs[name][:2] for name in theirs.keys() - missing} == {name: ours[name][:2] for name in ours}
    assert ours["--start-method"] == theirs["--start-method"]


def test_what_processes_are_told(tmp_path):
    program = tmp_path / "program.py"
    program.write_text("import os\nnames = ('RANK', 'LOCAL_RANK', 'WORLD_SIZE', 'LOCAL_WORLD_SIZE', 'GROUP_RANK', 'GROUP_WORLD_SIZE', 'ROLE_RANK',\n"
                       "'ROLE_NAME', 'ROLE_WORLD_SIZE', 'TORCHELASTIC_RESTART_COUNT', 'TORCHELASTIC_MAX_RESTARTS', 'TORCHELASTIC_RUN_ID',\n"
                       "'TORCHELASTIC_USE_AGENT_STORE', 'TORCHELASTIC_SIGNALS_TO_HANDLE', 'OMP_NUM_THREADS')\n"
                       "print({name: os.environ[name] for name in names}, os.path.basename(os.environ['TORCHELASTIC_ERROR_FILE']), flush=True)")
    arguments = ("--nproc-per-node=2", "--tee=1", "--role=worker", "--rdzv-id=7", "--rdzv-endpoint=localhost:0", "--rdzv-backend=c10d", program)
    ours, theirs = run(OURS, *arguments), run(THEIRS, *arguments)
    assert ours[0] == theirs[0] == 0, ours
    assert sorted(ours[1].splitlines()) == sorted(theirs[1].splitlines())
    assert len(ours[1].splitlines()) == 2


def test_a_failure(tmp_path):
    program = tmp_path / "program.py"
    program.write_text("import os, sys, time\nif os.environ['RANK'] == '1': sys.exit(7)\ntime.sleep(60)")
    shapes = []
    for launcher in (OURS, THEIRS):
        status, _, errors = run(launcher, "--nproc-per-node=2", "--no-python", sys.executable, program)
        assert status == 1
        root = errors[errors.index("Root Cause"):]
        shapes.append(re.sub(r"\d\d+\S*|traceback : .*", "…", root))
    assert shapes[0] == shapes[1]
