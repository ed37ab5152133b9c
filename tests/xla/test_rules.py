"""Every primitive has a rule for devices, and each rule computes what the interpreter's kernel does."""
import pkgutil
from importlib import import_module

import pytest

import flambeau.primitives
from flambeau.primitives import PRIMITIVES

lowering = pytest.importorskip("flambeau.xla.lowering", exc_type=ImportError)

for module in pkgutil.iter_modules(flambeau.primitives.__path__):  # each enters its primitives when it is imported
    import_module(f"flambeau.primitives.{module.name}")


def spelt_out():
    return {name for name, p in PRIMITIVES.items() if p.definition is not None}


def test_every_primitive_has_a_rule():
    known = lowering.rules().keys() | lowering.host_calls() | spelt_out()
    assert not PRIMITIVES.keys() - known, "primitives without a rule in xla/rules"


def test_no_rule_without_a_primitive():
    assert not (lowering.rules().keys() | lowering.host_calls()) - PRIMITIVES.keys()


def test_a_primitive_is_computed_in_one_place():
    assert not lowering.rules().keys() & lowering.host_calls()
