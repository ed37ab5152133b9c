"""Devices of XLA's: skipped where jax is not installed."""
import pytest

pytest.importorskip("jax")
