"""Settings for every test."""
from hypothesis import settings

# The same examples on every machine and run: a test that fails fails for all. No deadline: shared machines stall.
settings.register_profile("flambeau", derandomize=True, deadline=None)
settings.load_profile("flambeau")
