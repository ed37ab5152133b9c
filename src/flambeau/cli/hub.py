"""`flambeau hub check DIR`: whether a folder can be published as a hub repository."""
from __future__ import annotations

import argparse
import ast
import inspect
import os
import sys
import traceback
from types import ModuleType
from typing import Any, Iterator

from .. import hub

DESCRIPTION = """Say whether torch.hub can load models from a folder: whether its hubconf.py runs, its dependencies are
there and complete, and its entry points are documented. The folder's code is run."""
WORDS = ("ok", "warning", "error")

Finding = tuple[str, str]  # one of WORDS, and a sentence


def main(argv: list[str]) -> int:
    """Checks the folder named in argv and prints what it finds; 0, or 1 if there is an error."""
    parser = argparse.ArgumentParser(prog="flambeau hub", description="Tools for torch.hub repositories.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="check")
    check_parser = commands.add_parser("check", help="say whether a folder works as a repository",
                                       description=DESCRIPTION)
    check_parser.add_argument("folder", metavar="DIR")
    check_parser.add_argument("--call", metavar="NAME", action="append", default=[],
                              help="call this entry point without arguments, too (may be repeated)")
    options = parser.parse_args(argv)
    findings = list(check(options.folder, options.call))
    for word, sentence in findings:
        print(f"{word:8} {sentence}")
    errors = sum(word == "error" for word, _ in findings)
    print(f"{options.folder}: " + ("works as a hub repository" if not errors else f"{errors} error(s)"))
    return 1 if errors else 0


def check(folder: str, calls: list[str] | None = None) -> Iterator[Finding]:
    """What is right and wrong with the folder. `calls`: entry points to call without arguments."""
    path = os.path.join(folder, hub.HUBCONF)
    if not os.path.isfile(path):
        yield "error", f"there is no {hub.HUBCONF} in {folder}"
        return
    try:
        with open(path, encoding="utf-8") as file:
            tree = ast.parse(file.read(), path)
        with hub._hubconf(folder) as module:
            yield "ok", f"{hub.HUBCONF} runs"
            yield from _check_dependencies(module, _imported(tree, folder))
            yield from _check_entry_points(module)
            for name in calls or ():
                yield from _check_call(module, name)
    except Exception as error:
        yield "error", f"{hub.HUBCONF} does not run: {_described(error, path)}"


def _described(error: BaseException, path: str) -> str:
    """The error's class and message, and where in the file it came up."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    where = f" (line {lines[-1]})" if lines and not isinstance(error, SyntaxError) else ""
    return f"{type(error).__name__}: {error}{where}"


def _imported(tree: ast.Module, folder: str) -> set[str]:
    """Packages that the file imports at its top level and that are neither Python's nor the folder's own."""
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    own = {name.removesuffix(".py") for name in os.listdir(folder)}
    return names - own - set(sys.stdlib_module_names)


def _check_dependencies(module: ModuleType, imported: set[str]) -> Iterator[Finding]:
    stated = getattr(module, "dependencies", None)
    if stated is None:
        yield "warning", "there is no list `dependencies`: users hear of a missing package from an ImportError only"
        stated = []
    if not isinstance(stated, (list, tuple)) or not all(isinstance(name, str) for name in stated):
        yield "error", f"`dependencies` has to be a list of names of packages, not {stated!r}"
        return
    missing = hub._missing_dependencies(module)
    if missing:
        yield "error", f"dependencies that are not installed: {', '.join(missing)}"
    elif stated:
        yield "ok", f"dependencies: {', '.join(stated)}"
    unstated = sorted(imported - set(stated))
    if unstated:
        yield "warning", f"imported but not among `dependencies`: {', '.join(unstated)}"


def _check_entry_points(module: ModuleType) -> Iterator[Finding]:
    names = hub._entry_points(module)
    if not names:
        yield "error", "there are no entry points: define functions whose names do not begin with an underscore"
    for name in names:
        function = getattr(module, name)
        described = (inspect.getdoc(function) or "").strip().partition("\n")[0]
        yield ("ok" if described else "warning",
               f"entry point {name}{_signature(function)}: {described or 'no docstring for torch.hub.help'}")


def _signature(function: Any) -> str:
    try:
        return str(inspect.signature(function))
    except (TypeError, ValueError):
        return "(...)"


def _check_call(module: ModuleType, name: str) -> Iterator[Finding]:
    try:
        result = hub._entry_point(module, name)()
    except Exception as error:
        yield "error", f"{name}() fails: {_described(error, str(module.__file__))}"
    else:
        yield "ok", f"{name}() gives a {type(result).__name__}"
