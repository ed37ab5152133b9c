"""Loads torchvision's C++ library beside a CPU build of PyTorch, so that its operators can be compared with.

The wheel is linked against CUDA libraries, of which its CPU half calls nothing: libraries that have the names it asks
for will do, with functions that return 0. They are made with gcc, where it is installed; nm lists the names.
"""
import ctypes
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from importlib.machinery import BuiltinImporter, FrozenImporter, PathFinder
from pathlib import Path
from shutil import which

# Which library has the names that begin so. CUDA's runtime is called as the version that its names carry.
_PREFIXES = {"libc10_cuda.so": ("_ZN3c104cuda", "_ZNK3c104cuda"), "libtorch_cuda.so": ("_ZN2at4cuda",)}
_RUNTIME = ("cuda", "__cuda")
_VARIABLES = "CUDACachingAllocator9allocatorE"  # a name that ends so is no function's

_loaded = []  # kept for as long as the process


def load():
    """Loads stand-ins for what torchvision's library lacks. False where that cannot be done."""
    found = PathFinder.find_spec("torchvision")
    if found is None or sys.platform != "linux" or not which("gcc") or not which("nm"):
        return False
    libraries = {}
    for name, version in _undefined(Path(found.origin).parent):
        library = version if name.startswith(_RUNTIME) else next(
            (library for library, prefixes in _PREFIXES.items() if name.startswith(prefixes)), None)
        if library:
            libraries.setdefault(library, []).append(name)
    with tempfile.TemporaryDirectory() as folder:
        for library in sorted(libraries, key=lambda library: library in _PREFIXES):  # CUDA's runtime first
            path = _build(Path(folder), library, libraries[library])
            _loaded.append(ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL))
    return True


def _undefined(folder):
    """(name, version) of what torchvision's libraries ask others for."""
    for library in ("_C.so", "image.so"):
        listed = subprocess.run(["nm", "-D", "--undefined-only", str(folder / library)], capture_output=True, text=True)
        for line in listed.stdout.splitlines():
            name, _, version = line.split()[-1].partition("@")
            yield name, version


def _build(folder, library, names):
    """A library with these names, under the version that is its own name if it is CUDA's runtime."""
    source, script, made = (folder / f"{library}{suffix}" for suffix in (".c", ".map", ""))
    source.write_text("".join(f"char {name}[64];\n" if name.endswith(_VARIABLES)
                              else f"int {name}(void) {{ return 0; }}\n" for name in sorted(set(names))))
    script.write_text((library if library not in _PREFIXES else "") + " { global: *; };\n")
    subprocess.run(["gcc", "-shared", "-fPIC", "-nostdlib", "-w", "-o", str(made), str(source),
                    f"-Wl,-soname,{library}", f"-Wl,--version-script={script}"], check=True)
    return made


@contextmanager
def only_standard_finders():
    """Imports without the hooks of the environment: one of them may define torchvision's operators itself."""
    before = sys.meta_path[:]
    sys.meta_path[:] = [finder for finder in before if finder in (BuiltinImporter, FrozenImporter, PathFinder)]
    try:
        yield
    finally:
        sys.meta_path[:] = before
