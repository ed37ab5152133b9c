"""torchrun's arguments, and what they mean together."""
from __future__ import annotations

import argparse
import os
import re
import signal
from typing import Any

_STREAMS = r"^[0123]$", r"^(\d+:[0123],)*(\d+:[0123])$"
_SIGNALS = ",".join(name for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT") if hasattr(signal, name))


def parser(prog: str) -> argparse.ArgumentParser:
    """torchrun's arguments, as far as they say something here. The environment's PET_NNODES is the default of --nnodes, and so on."""
    options = argparse.ArgumentParser(prog=prog, description="Start a program in several processes that find each other by "
                                      "torch.distributed.init_process_group().")

    def add(name: str, *short: str, **how: Any) -> None:
        under = "--" + name[2:].replace("-", "_")
        options.add_argument(*short, *dict.fromkeys((name, under)), **how)
    add("--nnodes", default="1", help="how many machines; a range MIN:MAX starts with MAX (1)")
    add("--nproc-per-node", default="1", help="processes on this machine; auto: one per GPU, without any as cpu; cpu: one per core; gpu (1)")
    add("--rdzv-backend", default="static", choices=("static", "c10d"),
        help="static: machines are numbered by --node-rank; c10d: in the order in which they come to --rdzv-endpoint")
    add("--rdzv-endpoint", default="", metavar="HOST:PORT", help="where machines meet; one of them is HOST (port 29400 with c10d)")
    add("--rdzv-id", default="none", help="the name of the job, in TORCHELASTIC_RUN_ID")
    add("--rdzv-conf", default="", metavar="KEY=VALUE,…", help="timeout or join_timeout: seconds for machines to come (600); is_host: whether "
        "--rdzv-endpoint is on this machine. Others are for other backends")
    add("--standalone", action="store_true", help="one machine, and a free port")
    add("--max-restarts", type=int, default=0, help="how often to start all processes again after a failure (0)")
    add("--monitor-interval", type=float, default=0.1, help="seconds between two looks at the processes (0.1)")
    add("--start-method", default="spawn", choices=("spawn", "fork", "forkserver"),
        help="how --run-path makes processes in PyTorch; here all are started afresh")
    add("--role", default="default", help="a name for the processes, in ROLE_NAME")
    add("--module", "-m", action="store_true", help="the program is a module, as for python -m")
    add("--no-python", action="store_true", help="the program is not Python; start it itself")
    add("--run-path", action="store_true", help="the program is a Python file, whatever --no-python says")
    add("--log-dir", default=None, help="a folder for the processes' output, one inside for each job (default: a temporary one)")
    add("--redirects", "-r", default="0", help="write to files in --log-dir: 1 stdout, 2 stderr, 3 both (0: neither); 0:1,1:2 for processes 0 and 1")
    add("--tee", "-t", default="0", help="as --redirects, and to the console, too, with the process's name before each line")
    add("--local-ranks-filter", default="", metavar="0,1,…", help="whose output is shown on the console (default: everybody's)")
    add("--node-rank", type=int, default=0, help="the number of this machine (0)")
    add("--master-addr", default=None, help="the address of machine 0 (127.0.0.1)")
    add("--master-port", type=int, default=None, help="a free port of machine 0 (29500; on one machine a free one)")
    add("--local-addr", default=None, help="the address of this machine, where it cannot tell that it is the one of --rdzv-endpoint")
    add("--signals-to-handle", default=_SIGNALS, help=f"at which to end the processes, too ({_SIGNALS})")
    add("--shutdown-timeout", type=int, default=None, metavar="SECONDS",
        help="for processes to end by themselves before they are killed (TORCH_ELASTIC_SHUTDOWN_TIMEOUT, or 30)")
    add("--virtual-local-rank", action="store_true", help="LOCAL_RANK is 0 in all processes, and CUDA_VISIBLE_DEVICES one GPU")
    options.add_argument("program", metavar="PROGRAM", help="what to start in each process")
    options.add_argument("arguments", metavar="ARGUMENTS", nargs=argparse.REMAINDER, help="its arguments")
    _take_defaults_from_environment(options)
    return options


def _take_defaults_from_environment(options: argparse.ArgumentParser) -> None:
    for action in options._actions:
        value = os.environ.get("PET_" + action.dest.upper())
        if value is not None and action.option_strings:
            action.default = bool(int(value)) if action.nargs == 0 else value  # argparse converts texts


def processes(text: str) -> int:
    """How many processes --nproc-per-node means. ValueError if it means nothing, or there is no GPU."""
    from .. import cuda
    if text == "gpu" and not cuda.is_available():
        raise ValueError("Cuda is not available.")
    if text == "gpu" or text == "auto" and cuda.is_available():
        return cuda.device_count()
    if text in ("auto", "cpu"):
        return os.cpu_count() or 1
    count = int(text) if text.isdigit() else 0
    if count < 1:
        raise ValueError(f"Unsupported nproc_per_node value: {text}")
    return count


def machines(text: str) -> int:
    """How many machines --nnodes means: of a range, the most."""
    if not re.fullmatch(r"\d+(:\d+)?", text):
        raise ValueError(f'nnodes={text} is not in "MIN:MAX" format')
    least, _, most = text.partition(":")
    if not 0 < int(least) <= int(most or least):
        raise ValueError(f"min_nodes must be > 0 and <= max_nodes, got min_nodes={least}, max_nodes={most or least}")
    return int(most or least)


def streams(text: str, count: int) -> list[int]:
    """For each process which of its streams --redirects or --tee means: 1 stdout, 2 stderr, 3 both."""
    if re.match(_STREAMS[0], text):
        return [int(text)] * count
    if not re.match(_STREAMS[1], text):
        raise ValueError(f"{text} does not match: <{_STREAMS[0]}> or <{_STREAMS[1]}>")
    given = {int(rank): int(value) for rank, _, value in (pair.partition(":") for pair in text.split(","))}
    return [given.get(rank, 0) for rank in range(count)]


def shown_ranks(text: str, count: int) -> set[int]:
    """Whose output --local-ranks-filter shows."""
    if not text:
        return set(range(count))
    if not re.fullmatch(r"\d+(,\d+)*", text):
        raise ValueError("--local_ranks_filter must be a comma-separated list of integers e.g. --local_ranks_filter=0,1,2")
    return set(map(int, text.split(",")))


def settings(text: str) -> dict[str, str]:
    """What --rdzv-conf says."""
    pairs = [pair.partition("=") for pair in text.split(",") if pair.strip()]
    if not all(equals and key.strip() and value.strip() for key, equals, value in pairs):
        raise ValueError("The rendezvous configuration string must be in format <key1>=<value1>,...,<keyN>=<valueN>.")
    return {key.strip(): value.strip() for key, _, value in pairs}


def signals(text: str) -> list[signal.Signals]:
    """The signals that --signals-to-handle names."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in signal.Signals.__members__]
    if unknown:
        raise ValueError(f"--signals-to-handle: there is no signal {', '.join(unknown)} here")
    return [signal.Signals[name] for name in names]


def patience(seconds: int | None) -> float:
    """How long processes have to end by themselves, in seconds."""
    return float(os.environ.get("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", 30)) if seconds is None else float(seconds)
