"""`flambeau run`: what `python script.py` and `python -m module` do, after the import hook is installed.

The program must not see the difference: `sys.argv`, `sys.path[0]` and `__main__` are what Python would have set, and
an exception shows the program's frames only. Exceptions are left to the interpreter, so that exit codes,
`sys.excepthook`, Ctrl-C (death by SIGINT) and the order of shutdown are its own.
"""
from __future__ import annotations

import builtins
import importlib.machinery
import io
import os
import pkgutil
import runpy
import sys
from types import CodeType, ModuleType, TracebackType
from typing import Any, Sequence

from ..errors import without_own_frames
from ..hook import install
from ..hook.names import flambeau_name


def run(target: str, arguments: Sequence[str], as_module: bool = False) -> None:
    """Runs the script (or, with `as_module`, the module) `target` as `__main__` with `arguments`."""
    install()
    sys.argv = ["-m" if as_module else target, *arguments]  # "-m" is what packages see that are imported on the way
    try:
        code, main = _load_module(target) if as_module else _load_script(target)
        if as_module:
            sys.argv[0] = str(main.__file__)
        sys.modules["__main__"] = main
        exec(code, vars(main))
    except SystemExit:
        raise
    except BaseException as error:
        _show_only_users_frames(error)
        raise


def _load_script(path: str) -> tuple[CodeType, ModuleType]:
    """Code and `__main__` of a Python file, or of the `__main__.py` in a folder or zip file."""
    if pkgutil.get_importer(path) is not None:
        folder = os.path.abspath(path)
        _set_first_path(folder)
        spec = importlib.machinery.PathFinder.find_spec("__main__", [folder])
        if spec is None or spec.loader is None:
            sys.exit(f"{sys.executable}: can't find '__main__' module in {folder!r}")
        return spec.loader.get_code("__main__"), _main_module(spec.origin, spec.loader, spec)  # type: ignore[attr-defined]
    file = os.path.join(os.getcwd(), path)  # not normalized: Python does not, either
    try:
        with io.open_code(file) as source:
            text = source.read()
    except OSError as error:
        print(f"{sys.executable}: can't open file {file!r}: [Errno {error.errno}] {error.strerror}", file=sys.stderr)
        sys.exit(2)
    _set_first_path(os.path.dirname(os.path.realpath(file)))
    code = compile(text, file, "exec", dont_inherit=True)
    return code, _main_module(file, importlib.machinery.SourceFileLoader("__main__", file), None)


def _load_module(name: str) -> tuple[CodeType, ModuleType]:
    """Code and `__main__` of a module, or of the `__main__` module of a package."""
    _set_first_path(os.getcwd())
    try:
        _, spec, code = runpy._get_module_details(flambeau_name(name) or name, _NotRunnable)  # type: ignore[attr-defined]
    except _NotRunnable as error:
        sys.exit(f"{sys.executable}: {error}")
    return code, _main_module(spec.origin, spec.loader, spec)


class _NotRunnable(Exception):
    """There is no such module, or it cannot be run."""


def _set_first_path(folder: str) -> None:
    if not getattr(sys.flags, "safe_path", False):  # then Python has put no folder of its own in front
        sys.path[0] = folder


def _main_module(file: str | None, loader: Any, spec: importlib.machinery.ModuleSpec | None) -> ModuleType:
    main = ModuleType("__main__")
    vars(main).update(__file__=file, __loader__=loader, __spec__=spec, __package__=spec.parent if spec else None,
                      __cached__=spec.cached if spec else None, __builtins__=builtins)
    if sys.version_info < (3, 14):
        main.__annotations__ = {}
    return main


def _show_only_users_frames(error: BaseException) -> None:
    """Has the interpreter, when it reports `error`, leave out the frames above the program's, and flambeau's below.

    FLAMBEAU_TRACEBACK=full keeps the latter.
    """
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename in _OWN_FILES:
        frames = frames.tb_next
    if os.environ.get("FLAMBEAU_TRACEBACK") != "full":
        frames = without_own_frames(error, frames)
        _trim_causes(error)
    report = sys.excepthook  # the program's own, if it has set one

    def excepthook(kind: type[BaseException], value: BaseException, traceback: TracebackType | None) -> None:
        sys.excepthook = report
        if value is error:
            sys.last_traceback = traceback = frames
            value = value.with_traceback(frames)
        report(kind, value, traceback)

    sys.excepthook = excepthook


def _trim_causes(error: BaseException) -> None:
    """Leaves flambeau's frames out of the errors that `error` came from."""
    seen = {id(error)}
    todo = [error.__cause__, error.__context__]
    while todo:
        cause = todo.pop()
        if cause is not None and id(cause) not in seen:
            seen.add(id(cause))
            cause.__traceback__ = without_own_frames(cause, cause.__traceback__)
            todo += [cause.__cause__, cause.__context__]


_OWN_FILES = {run.__code__.co_filename, runpy.run_path.__code__.co_filename,
              "<frozen importlib._bootstrap>", "<frozen importlib._bootstrap_external>"}
