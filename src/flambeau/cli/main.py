"""The command line: `flambeau run`, `flambeau demo`, `flambeau hub`, `flambeau inspect`, `flambeau launch`,
`flambeau profile`, `flambeau summary`."""
from __future__ import annotations

import argparse
import sys
from typing import Sequence

from .. import version
from .demo import demo
from .run import run

DESCRIPTION = "PyTorch's API on a compiler written in Python: runs programs that import torch, without PyTorch."
RUN = """Run a program as `python` would. For it and everything it imports, `torch` and `torchvision` are flambeau.
Everything after SCRIPT or MODULE is the program's own. Tracebacks show the program's lines; with
FLAMBEAU_TRACEBACK=full in the environment, flambeau's, too."""


def _parser() -> argparse.ArgumentParser:
    api = version.__version__.partition("+")[0]
    parser = argparse.ArgumentParser(prog="flambeau", description=DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"flambeau {version.flambeau} (API of PyTorch {api})")
    commands = parser.add_subparsers(dest="command", required=True, metavar="{run,demo,hub,inspect,launch,profile,summary}")
    run_parser = commands.add_parser("run", help="run a PyTorch program", description=RUN,
                                     usage="flambeau run (SCRIPT | -m MODULE) [ARGUMENTS ...]")
    run_parser.add_argument("script", metavar="SCRIPT", help="a Python file, or a folder or zip file with __main__.py")
    run_parser.add_argument("-m", dest="module", metavar="MODULE", help="run a module by its name, as `python -m` does")
    commands.add_parser("demo", help="train a small network on handwritten digits; --help shows its options")
    commands.add_parser("hub", help="check a folder that is to be a torch.hub repository; --help shows its options")
    commands.add_parser("inspect", help="show what a checkpoint holds, running nothing in it; --help shows its options")
    commands.add_parser("launch", help="start a program in several processes, as torchrun does; --help shows its options")
    commands.add_parser("profile", help="run a program, and tell where its time went; --help shows its options")
    commands.add_parser("summary", help="show the layers, shapes and parameters of a model; --help shows its options")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; the exit status. The arguments of a program that is run are its own and are not parsed here."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = _parser()
    command, rest = arguments[:1], arguments[1:]
    if command == ["demo"]:
        demo(rest)
    elif command == ["hub"]:
        from .hub import main as hub  # loads what `run` does not need

        return hub(rest)
    elif command == ["launch"]:
        from .launch import main as launch

        return launch(rest)
    elif command == ["profile"]:
        from .profile import main as profile

        return profile(rest)
    elif command == ["summary"]:
        from .summary import main as summary

        return summary(rest)
    elif command == ["inspect"]:
        from .inspect import main as inspect  # the readers of files, which the other commands do not need

        return inspect(rest)
    elif command == ["run"] and rest[:1] == ["-m"] and len(rest) > 1:
        run(rest[1], rest[2:], as_module=True)
    elif command == ["run"] and rest and not rest[0].startswith("-"):
        run(rest[0], rest[1:])
    else:  # --help, --version, and mistakes
        parser.parse_args(arguments)
    return 0
