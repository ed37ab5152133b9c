"""Settings for every test."""
import atexit
import os
import shutil
import tempfile

from hypothesis import settings

# The same examples on every machine and run: a test that fails fails for all. No deadline: shared machines stall.
settings.register_profile("flambeau", derandomize=True, deadline=None)
settings.load_profile("flambeau")

if "FLAMBEAU_CACHE_DIR" not in os.environ:  # what tests compile is not for the user's cache
    os.environ["FLAMBEAU_CACHE_DIR"] = tempfile.mkdtemp(prefix="flambeau-test-cache-")
    atexit.register(shutil.rmtree, os.environ["FLAMBEAU_CACHE_DIR"], ignore_errors=True)
