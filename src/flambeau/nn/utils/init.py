"""Modules without initial values."""
from __future__ import annotations

from inspect import signature
from typing import Any

import flambeau

from ..modules.module import Module


def skip_init(module_cls: type, *args: Any, **kwargs: Any) -> Module:
    """module_cls(*args, **kwargs), whose parameters hold any values: the random generator is as it was before.

    For modules that are about to be filled from a state dict. module_cls must accept `device`.
    """
    if not issubclass(module_cls, Module):
        raise RuntimeError(f"Expected a Module; got {module_cls}")
    if "device" not in signature(module_cls).parameters:
        raise RuntimeError("Module must support a 'device' arg to skip initialization")
    state = flambeau.get_rng_state()
    try:
        return module_cls(*args, **kwargs)
    finally:
        flambeau.set_rng_state(state)
