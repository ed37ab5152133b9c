"""Compiled code of the tests goes to a directory of its own."""
import os
import tempfile

_directory = tempfile.TemporaryDirectory(prefix="flambeau-cache-")
os.environ.setdefault("FLAMBEAU_CACHE_DIR", _directory.name)
