"""`torch.jit`: scripted code runs as the Python that it is; there is no TorchScript."""
from __future__ import annotations

from typing import Any, Final as Final


def script(obj: Any, optimize: Any = None, _frames_up: int = 0, _rcb: Any = None, example_inputs: Any = None) -> Any:
    """Returns obj: it runs as ordinary Python, and is recorded like everything else."""
    return obj


def script_if_tracing(fn: Any) -> Any:
    """Returns fn."""
    return fn


def ignore(drop: Any = False, **kwargs: Any) -> Any:
    """Returns the function."""
    return drop if callable(drop) else lambda fn: fn


def unused(fn: Any) -> Any:
    """Returns fn."""
    return fn


def export(fn: Any) -> Any:
    """Returns fn."""
    return fn


def interface(obj: Any) -> Any:
    """Returns obj."""
    return obj


def is_scripting() -> bool:
    """False."""
    return False


def is_tracing() -> bool:
    """False."""
    return False


def annotate(the_type: Any, the_value: Any) -> Any:
    """Returns the_value."""
    return the_value


class ScriptModule:
    """The class of scripted modules; no module is one here, so `isinstance` is False."""

    def __init__(self) -> None:
        raise RuntimeError("there is no TorchScript in flambeau: write an nn.Module, it is compiled as it runs")


class ScriptFunction:
    """The class of scripted functions; no function is one here."""

    def __init__(self) -> None:
        raise RuntimeError("there is no TorchScript in flambeau: a plain function is compiled as it runs")
