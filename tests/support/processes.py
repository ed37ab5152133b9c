"""Starts the programs of these tests in several processes."""
import os
import subprocess
import sys
from pathlib import Path

PROGRAMS = Path(__file__).parents[1] / "distributed" / "programs"
LIMIT = 150  # seconds after which a hanging test is ended


def environment(**added):
    """Without what a surrounding launcher may have said."""
    said = {"RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"}
    env = {name: value for name, value in os.environ.items() if name not in said and not name.startswith("TORCHELASTIC")}
    return {**env, "OMP_NUM_THREADS": "1", **added}


def launch(processes, program, *arguments, options=()):
    """(exit status, standard output, standard error) of `flambeau launch`. program: one of `programs`, or a path."""
    command = [sys.executable, "-m", "flambeau", "launch", f"--nproc-per-node={processes}", *options,
               str(PROGRAMS / program), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, env=environment(), stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout, done.stderr


def start(processes, program, *arguments, port):
    """Starts the processes themselves, without a launcher, which would end the others when one fails. A list of
    (exit status, standard output and error)."""
    started = []
    for rank in range(processes):
        env = environment(RANK=str(rank), WORLD_SIZE=str(processes), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
        started.append(subprocess.Popen([sys.executable, "-m", "flambeau", "run", str(PROGRAMS / program), *map(str, arguments)],
                                        env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        text=True))
    try:
        texts = [process.communicate(timeout=LIMIT)[0] for process in started]
    finally:
        for process in started:
            process.kill()
    return [(process.returncode, text) for process, text in zip(started, texts)]


def passed(outcome, processes):
    """Asserts that all processes came to their end and said so."""
    status, out, errors = outcome
    assert status == 0, errors
    assert out.count("passed") == processes, (out, errors)
