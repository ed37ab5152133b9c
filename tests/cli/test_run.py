"""`flambeau run` compared with `python`: what the program sees, prints and exits with must be the same."""
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
import zipfile

import pytest

PYTHON = [sys.executable]
FLAMBEAU = [sys.executable, "-m", "flambeau", "run"]


def outcome(command, cwd):
    """(standard output, standard error, exit status) of a command."""
    env = {**os.environ, "PYTHONPATH": "", "COLUMNS": "80"}
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL)
    return done.stdout, done.stderr, done.returncode


def assert_same(tmp_path, *arguments):
    """Runs `arguments` with python and with flambeau; returns python's outcome."""
    expected = outcome([*PYTHON, *arguments], tmp_path)
    got = outcome([*FLAMBEAU, *arguments], tmp_path)
    assert got == expected
    return expected


def write(tmp_path, name, source):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(source))
    return path


PROGRAMS = {
    "what it sees": (0, """
        import sys
        print(sys.argv, sys.path[0], __name__, __file__, __spec__, __package__, sorted(globals()))
        print(sys.modules["__main__"].__dict__ is globals(), type(__loader__).__name__, __builtins__)
        import neighbour
     """),
    "exit status": (3, "import sys; sys.exit(3)"),
    "exit without a status": (0, "import sys; print('x'); sys.exit()"),
    "exit with a message": (1, "raise SystemExit('that was it')"),
    "uncaught exception": (1, """
        def f(n):
            try:
                return {}[n]
            except KeyError as error:
                raise ValueError(n) from error

        class A:
            def __init__(self):
                f(1)
        A()
     """),
    "exception in an import": (1, "import broken"),
    "syntax error": (1, "def f(:\n    pass\n"),
    "syntax error in an import": (1, "import unparsable"),
    "not only Exceptions": (1, "class Stop(BaseException): pass\nraise Stop('now')"),
    "KeyboardInterrupt": (-signal.SIGINT, "def f():\n    raise KeyboardInterrupt\nf()"),
    "own excepthook": (1, """
        import sys, traceback
        def hook(kind, value, tb):
            print("hook", kind, value, [f.name for f in traceback.extract_tb(tb)], value.__traceback__ is tb)
        sys.excepthook = hook
        def f(): raise OSError("x")
        f()
     """),
    "order at the end": (1, """
        import atexit, sys, threading, time
        atexit.register(lambda: print("atexit", file=sys.stderr))
        threading.Thread(target=lambda: (time.sleep(0.2), print("thread", file=sys.stderr))).start()
        raise ValueError("main")
     """),
    "warning": (0, "import warnings\ndef f():\n    warnings.warn('careful')\nf()"),
    "no imported annotations": (0, "x: 3 = 1\ndef f(a: 1 + 1): pass\nprint(f.__annotations__)"),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_script(name, tmp_path):
    status, source = PROGRAMS[name]
    write(tmp_path, "neighbour.py", "print('neighbour', __name__)")
    write(tmp_path, "broken.py", "def g():\n    1 / 0\ng()\n")
    write(tmp_path, "unparsable.py", "x = = 1\n")
    write(tmp_path, "program.py", source)
    assert assert_same(tmp_path, "program.py", "a", "--help", "-m")[2] == status


def test_script_elsewhere(tmp_path):
    """A relative path that is not normal, and a link: sys.path[0] is the folder of what is linked to."""
    write(tmp_path, "folder/program.py", "import sys; print(__file__, sys.argv, sys.path[0])")
    (tmp_path / "link.py").symlink_to("folder/program.py")
    assert_same(tmp_path, "./folder/../folder/program.py")
    assert_same(tmp_path, "link.py")


def test_missing_script(tmp_path):
    out, err, status = assert_same(tmp_path, "nowhere.py")
    assert status == 2 and "No such file" in err


def test_folder_and_zip(tmp_path):
    source = "import sys, other as o; print(sys.argv, sys.path[0], __file__, __spec__.name, [__package__], o.__file__)"
    write(tmp_path, "app/__main__.py", source)
    write(tmp_path, "app/other.py", "")
    with zipfile.ZipFile(tmp_path / "app.zip", "w") as archive:
        archive.write(tmp_path / "app/__main__.py", "__main__.py")
        archive.write(tmp_path / "app/other.py", "other.py")
    assert_same(tmp_path, "app", "x")
    assert_same(tmp_path, "app.zip", "x")
    write(tmp_path, "empty/readme.txt", "")
    assert assert_same(tmp_path, "empty")[2] == 1


def test_module(tmp_path):
    show = "import sys; print(sys.argv, sys.path[0], __name__, __spec__.name, __package__, __file__)\n"
    write(tmp_path, "package/__init__.py", "import sys; print(sys.argv)\n")
    write(tmp_path, "package/__main__.py", show)
    write(tmp_path, "package/tool.py", show + "from . import __main__ as m\nsys.exit(len(sys.argv))")
    write(tmp_path, "bare/__init__.py", "")
    assert_same(tmp_path, "-m", "package", "-v")
    assert assert_same(tmp_path, "-m", "package.tool", "-m", "x")[2] == 3
    assert "No module named nowhere" in assert_same(tmp_path, "-m", "nowhere")[1]
    assert "bare.__main__" in assert_same(tmp_path, "-m", "bare")[1]


def test_module_traceback(tmp_path):
    """Python shows two frames of runpy above the module's; we show none."""
    write(tmp_path, "tool.py", "def f():\n    1 / 0\nf()\n")
    expected = outcome([*PYTHON, "-m", "tool"], tmp_path)
    got = outcome([*FLAMBEAU, "-m", "tool"], tmp_path)
    assert got == (expected[0], re.sub(r'  File ".*runpy.*\n(?:    .*\n)?', "", expected[1]), 1)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c(tmp_path):
    write(tmp_path, "program.py", """
        import time
        print("ready", flush=True)
        try:
            time.sleep(30)
        finally:
            print("cleaned up", flush=True)
    """)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # who started the tests in the background ignores it
    with subprocess.Popen([*FLAMBEAU, "program.py"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True) as process:
        signal.signal(signal.SIGINT, before)
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert out == "cleaned up\n"
    assert err.splitlines()[-1] == "KeyboardInterrupt" and err.count("File ") == 1
    assert process.returncode == -signal.SIGINT


def test_subprocesses_are_plain(tmp_path):
    write(tmp_path, "program.py", """
        import subprocess, sys
        code = "import sys; print(any('flambeau' in type(f).__module__ for f in sys.meta_path))"
        print(subprocess.check_output([sys.executable, "-c", code], text=True).strip())
    """)
    assert outcome([*FLAMBEAU, "program.py"], tmp_path) == ("False\n", "", 0)
