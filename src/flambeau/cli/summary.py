"""`flambeau summary model.py:Model --input 1,3,224,224`: the layers of a model."""
from __future__ import annotations

import argparse
import importlib
import os
import runpy
import sys
from typing import Any

from ..hook import install

DESCRIPTION = """Show the layers of a model, their shapes, parameters and multiply-adds, and the memory that they take.
The file or module is run, with `torch` being flambeau; the model runs on zeros, of which nothing is computed."""


def main(argv: list[str]) -> int:
    """Prints the summary of the model named in argv; 0, or 1 with a message if there is no such model."""
    parser = argparse.ArgumentParser(prog="flambeau summary", description=DESCRIPTION)
    parser.add_argument("model", metavar="FILE.py:NAME",
                        help="a class or function to call without arguments, or a model; MODULE:NAME works, too")
    parser.add_argument("--input", metavar="SIZES", action="append", type=_sizes, default=[],
                        help="the input's shape, such as 1,3,224,224; once for each input. Without it, parameters only")
    parser.add_argument("--dtype", default="float32", help="the dtype of the inputs (float32)")
    parser.add_argument("--depth", type=int, default=3, metavar="N", help="levels of modules to show (3)")
    options = parser.parse_args(argv)
    place, _, name = options.model.rpartition(":")
    if not place:
        parser.error(f"{options.model}: FILE.py:NAME or MODULE:NAME expected")
    install()
    from .. import dtypes
    from ..nn import Module
    from ..summary import summary  # loads the networks, which other commands do not need

    try:
        model = _find(place, name)
        if not isinstance(model, Module):
            model = model()
        if not isinstance(model, Module):
            raise TypeError(f"{name} gives a {type(model).__name__}, not a torch.nn.Module")
        print(summary(model, options.input or None, depth=options.depth, dtype=getattr(dtypes, options.dtype)))
    except Exception as error:
        print(f"flambeau summary: {options.model}: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def _find(place: str, name: str) -> Any:
    """The attribute `name` of a file or module."""
    if place.endswith(".py"):
        sys.path.insert(0, os.path.dirname(os.path.abspath(place)))
        found = runpy.run_path(place, run_name="<summary>")
        if name not in found:
            raise AttributeError(f"{place} has no {name}")
        return found[name]
    return getattr(importlib.import_module(place), name)
