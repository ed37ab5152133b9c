"""`flambeau launch`: what processes are told, exit codes, restarts, and what is left when one fails. Needs no jax."""
import json
import shutil
import signal
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


@pytest.mark.parametrize("how, words", [("sys.exit(7)", "exitcode  : 7"), ("os.kill(os.getpid(), 9)", "Signal 9 (SIGKILL) received by PID")])
def test_exit_codes(program, how, words):
    got, _, errors = launch(1, program(f"import os, sys\n{how}"), options=("--no-python", sys.executable))
    assert got == 1 and words in errors


def test_recorded_exceptions_are_in_the_report(program):
    path = program("from torch.distributed.elastic.multiprocessing.errors import record\n"
                   "@record\ndef main():\n    raise KeyError('lost')\nmain()")
    status, _, errors = launch(1, path)
    report = errors[errors.index("Root Cause"):]
    assert status == 1 and "KeyError: 'lost'" in report and "error.json" in report


def test_a_signal_ends_the_processes_too(program, tmp_path):
    """They get it themselves, and are killed if they take too long."""
    path = program("import os, signal, sys, time\nrank = os.environ['RANK']\n"
                   "def stop(number, frame):\n    sys.stdout.write(f'{rank} {number}\\n'); sys.stdout.flush()\n    rank == '0' and sys.exit()\n"
                   "signal.signal(signal.SIGUSR1, stop)\nsys.stdout.write('ready\\n'); sys.stdout.flush()\nwhile True: time.sleep(0.1)")
    command = [sys.executable, "-m", "flambeau", "launch", "--nproc-per-node=2", "--signals-to-handle=SIGUSR1", "--shutdown-timeout=1",
               "--no-python", sys.executable, str(path)]
    with subprocess.Popen(command, env=environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as launcher:
        assert [launcher.stdout.readline() for _ in range(2)] == ["ready\n"] * 2
        launcher.send_signal(signal.SIGUSR1)
        out, errors = launcher.communicate(timeout=30)
    assert launcher.returncode == 1 and sorted(out.split("\n"))[1:] == ["0 10", "1 10"]
    assert "got signal: SIGUSR1" in errors


def test_restarts(program, tmp_path):
    path = program("import os, sys\nsys.exit(os.environ['TORCHELASTIC_RESTART_COUNT'] != '2')")
    status, _, errors = launch(1, path, options=("--max-restarts=2", "--no-python", sys.executable))
    assert status == 0 and errors.count("Root Cause") == 2 and "1 restart(s) left" in errors
    status, _, errors = launch(1, path, options=("--max_restarts=1", "--no-python", sys.executable))
    assert status == 1 and errors.count("Root Cause") == 2


def test_output_to_files(program, tmp_path):
    path = program("import os, sys\nsys.stdout.write('hello ' + os.environ['RANK'] + '\\n')")
    options = (f"--log-dir={tmp_path}/logs", "--rdzv-id=job", "--master-port=0", "--no-python", sys.executable)

    def logs():
        return {str(file.relative_to(tmp_path / "logs")).partition("/")[2]: file.read_text() for file in tmp_path.glob("logs/job_*/*/*/*")}
    status, out, _ = launch(2, path, options=("--redirects=1", *options))
    assert (status, out) == (0, "")
    assert logs() == {f"attempt_0/{rank}/stdout.log": f"hello {rank}\n" for rank in range(2)}
    shutil.rmtree(tmp_path / "logs")
    status, out, _ = launch(3, path, options=("--tee=0:1,1:3", "--local-ranks-filter=1,2", *options))
    assert status == 0 and sorted(out.splitlines()) == ["[default1]:hello 1", "hello 2"]
    assert logs() == {"attempt_0/0/stdout.log": "hello 0\n", "attempt_0/1/stdout.log": "hello 1\n", "attempt_0/1/stderr.log": ""}


def test_nothing_is_left_in_the_temporary_folder(program, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    assert launch(1, program(""))[0] == 0
    assert not list((tmp_path / "temporary").glob("torchelastic_*"))


def test_arguments_from_the_environment(program, monkeypatch):
    monkeypatch.setenv("PET_NPROC_PER_NODE", "3")
    monkeypatch.setenv("PET_NO_PYTHON", "1")
    monkeypatch.setenv("PET_MAX_RESTARTS", "2")
    options = parser("torchrun").parse_args(["program"])
    assert (options.nproc_per_node, options.no_python, options.max_restarts, options.module) == ("3", True, 2, False)


def test_a_file_by_its_path_and_virtual_local_ranks(program):
    status, out, errors = launch(2, program("import os, sys\nsys.stdout.write('{LOCAL_RANK} {CUDA_VISIBLE_DEVICES}\\n'.format_map(os.environ))"),
                                 options=("--run-path", "--no-python", "--virtual-local-rank"))
    assert status == 0 and sorted(out.splitlines()) == ["0 0", "0 1"], errors


@pytest.mark.parametrize("backend", ["static", "c10d"])
def test_two_machines(program, free_port, backend):
    path = program("import os, sys\nsys.stdout.write('{RANK} {WORLD_SIZE} {GROUP_RANK}\\n'.format_map(os.environ))")
    command = [sys.executable, "-m", "flambeau", "launch", "--nnodes=2", "--nproc-per-node=2", "--no-python"]
    if backend == "static":
        options = [(f"--node-rank={node}", "--master-addr=127.0.0.1", f"--master-port={free_port}") for node in (1, 0)]
    else:
        options = [("--rdzv-backend=c10d", "--rdzv-id=job", f"--rdzv-endpoint=localhost:{free_port}")] * 2
    started = [subprocess.Popen([*command, *each, sys.executable, str(path)], env=environment(), text=True,
                                stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) for each in options]
    outs = [process.communicate(timeout=60)[0] for process in started]
    assert [process.returncode for process in started] == [0, 0]
    ranks = [["2 4 1", "3 4 1"], ["0 4 0", "1 4 0"]]
    found = [sorted(out.splitlines()) for out in outs]
    assert found == ranks if backend == "static" else sorted(found) == sorted(ranks)


@pytest.mark.parametrize("arguments, words", [
    (["--nproc-per-node=0", "x"], "Unsupported nproc_per_node value: 0"),
    (["--nproc_per_node", "many", "x"], "Unsupported nproc_per_node value: many"),
    (["--nnodes=2", "--node-rank=2", "x"], r"Invalid node rank 2, it should be in the interval [0, 1]"),
    (["--nnodes=2", "x"], "--master-addr"),
    (["--nnodes=2:1", "x"], "min_nodes must be > 0 and <= max_nodes"),
    (["--standalone", "--nnodes=2", "x"], "--standalone is for one machine"),
    (["--redirects=4", "x"], "4 does not match: <^[0123]$>"),
    (["--tee=0:1;1:2", "x"], "0:1;1:2 does not match"),
    (["--local-ranks-filter=a", "x"], "--local_ranks_filter must be a comma-separated list of integers"),
    (["--rdzv-conf=timeout", "x"], "must be in format <key1>=<value1>"),
    (["--signals-to-handle=SIGNOT", "x"], "no signal SIGNOT"),
    (["--no-python", "-m", "x"], "'--no-python' flag and the '--module' flag at the same time"),
    (["--nproc-per-node=gpu", "x"], "Cuda is not available."),
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
