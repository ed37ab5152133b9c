"""`flambeau launch`: what processes are told, exit codes, restarts, and what is left when one fails. Needs no jax."""
import json
import socket
import subprocess
import sys
import time

import pytest

from flambeau.distributed.run import main, parser
from processes import environment, launch

NAMES = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_RANK", "ROLE_RANK", "MASTER_ADDR", "MASTER_PORT",
         "TORCHELASTIC_RESTART_COUNT", "OMP_NUM_THREADS")


@pytest.fixture
def program(tmp_path):
    def write(text):
        path = tmp_path / "program.py"
        path.write_text(text)
        return path
    return write


# Processes share a pipe: each writes its whole line at once.
SAY = f"import json, os, sys\nsys.stdout.write(json.dumps([sys.argv[1:], {{name: os.environ.get(name) for name in {NAMES}}}]) + '\\n')"


def test_what_processes_are_told(program):
    status, out, errors = launch(3, program(SAY), "--epochs", 2, "-m", options=("--no-python", sys.executable))
    assert status == 0, errors
    said = sorted((json.loads(line) for line in out.splitlines()), key=lambda each: each[1]["RANK"])
    assert [arguments for arguments, _ in said] == [["--epochs", "2", "-m"]] * 3
    for rank, (_, env) in enumerate(said):
        port = env.pop("MASTER_PORT")
        assert port.isdigit() and port == said[0][1].get("MASTER_PORT", port)
        assert env == {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "3", "LOCAL_WORLD_SIZE": "3", "GROUP_RANK": "0",
                       "ROLE_RANK": str(rank), "MASTER_ADDR": "127.0.0.1", "TORCHELASTIC_RESTART_COUNT": "0",
                       "OMP_NUM_THREADS": "1"}


def test_programs_that_import_torch_and_meet(program):
    path = program("import torch.distributed as dist\ndist.init_process_group()\nprint('torch', dist.get_world_size())")
    status, out, errors = launch(1, path, options=("--standalone",))
    assert (status, out) == (0, "torch 1\n"), errors


def test_a_failure_ends_the_others_and_is_reported(program):
    path = program("import os, sys, time\nif os.environ['RANK'] == '1': raise ValueError('that was it')\ntime.sleep(60)")
    begin = time.monotonic()
    status, out, errors = launch(2, path, options=("--no-python", sys.executable))
    assert status == 1 and time.monotonic() - begin < 30
    assert "ValueError: that was it" in errors  # its own traceback
    assert "Root Cause (first observed failure)" in errors and "rank      : 1 (local_rank: 1)" in errors
    assert "exitcode  : 1 (pid: " in errors


@pytest.mark.parametrize("how, status, words", [("sys.exit(7)", 7, "exitcode  : 7"),
                                                ("os.kill(os.getpid(), 9)", 137, "Signal 9 (SIGKILL) received by PID")])
def test_exit_codes(program, how, status, words):
    got, _, errors = launch(1, program(f"import os, sys\n{how}"), options=("--no-python", sys.executable))
    assert got == status and words in errors


def test_restarts(program, tmp_path):
    path = program("import os, sys\nsys.exit(os.environ['TORCHELASTIC_RESTART_COUNT'] != '2')")
    status, _, errors = launch(1, path, options=("--max-restarts=2", "--no-python", sys.executable))
    assert status == 0 and errors.count("Root Cause") == 2 and "1 restart(s) left" in errors
    status, _, errors = launch(1, path, options=("--max_restarts=1", "--no-python", sys.executable))
    assert status == 1 and errors.count("Root Cause") == 2


def test_output_to_files(program, tmp_path):
    status, out, _ = launch(2, program("print('hello')"),
                            options=("--redirects=1", f"--log-dir={tmp_path}/logs", "--no-python", sys.executable))
    assert (status, out) == (0, "")
    assert [(tmp_path / "logs" / "attempt_0" / rank / "stdout.log").read_text() for rank in "01"] == ["hello\n"] * 2


def test_two_machines(program, free_port):
    path = program("import os, sys\nsys.stdout.write('{RANK} {WORLD_SIZE} {GROUP_RANK}\\n'.format_map(os.environ))")
    command = [sys.executable, "-m", "flambeau", "launch", "--nnodes=2", "--nproc-per-node=2", "--master-addr=127.0.0.1",
               f"--master-port={free_port}", "--no-python"]
    started = [subprocess.Popen([*command, f"--node-rank={node}", sys.executable, str(path)], env=environment(), text=True,
                                stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) for node in (1, 0)]
    outs = [process.communicate(timeout=60)[0] for process in started]
    assert [process.returncode for process in started] == [0, 0]
    assert [sorted(out.splitlines()) for out in outs] == [["2 4 1", "3 4 1"], ["0 4 0", "1 4 0"]]


@pytest.mark.parametrize("arguments, words", [
    (["--nproc-per-node=0", "x"], "Unsupported nproc_per_node value: 0"),
    (["--nproc_per_node", "many", "x"], "Unsupported nproc_per_node value: many"),
    (["--nnodes=2", "--node-rank=2", "x"], r"Invalid node rank 2, it should be in the interval [0, 1]"),
    (["--nnodes=2", "x"], "--master-addr"),
    (["--standalone", "--nnodes=2", "x"], "--standalone is for one machine"),
    (["--redirects=3", "x"], "--redirects needs a --log-dir"),
])
def test_options_that_make_no_sense(arguments, words, capsys):
    assert main(arguments) == 1
    assert words in capsys.readouterr().err


def test_port_in_use(free_port, capsys):
    with socket.socket() as taken:
        taken.bind(("", free_port))
        taken.listen()
        assert main([f"--master-port={free_port}", "x"]) == 1
    assert "address already in use" in capsys.readouterr().err


def test_arguments_of_torchrun():
    options = parser("torchrun").parse_args(["--nnodes=1:2", "--rdzv-endpoint=host:1234", "--rdzv_backend=c10d", "--role=r",
                                             "-m", "package.module", "--lr", "1"])
    assert (options.nnodes, options.rdzv_endpoint, options.module) == ("1:2", "host:1234", True)
    assert (options.program, options.arguments) == ("package.module", ["--lr", "1"])
