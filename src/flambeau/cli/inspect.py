"""`flambeau inspect FILE`: what a checkpoint holds, without running or making anything that it says."""
from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pickle import UnpicklingError
from typing import Any

from ..safetensors import SafetensorError
from ..serialization._allowlist import WeightsOnly
from ..serialization._describe import Description, Inert, Name, StorageInfo, TensorInfo, describe_file

DESCRIPTION = """Show what a checkpoint (.pt, .pth, .th, TorchScript, .safetensors) holds: the tree of objects, each
tensor's dtype, shape and size, and every class or function that it names. Nothing in the file is run."""


def main(argv: list[str]) -> int:
    """Describes the file named in argv on standard output; 0, or 1 with a message if it cannot be read."""
    parser = argparse.ArgumentParser(prog="flambeau inspect", description=DESCRIPTION)
    parser.add_argument("file")
    parser.add_argument("--depth", type=int, default=8, metavar="N", help="levels of the tree to show (8)")
    parser.add_argument("--items", type=int, default=200, metavar="N", help="entries to show of each object (200)")
    parser.add_argument("--records", action="store_true", help="list the records of a zip file, too")
    options = parser.parse_args(argv)
    try:
        description = describe_file(options.file)
    except (OSError, RuntimeError, UnpicklingError, EOFError, SafetensorError) as error:
        print(f"flambeau inspect: {options.file}: {error}", file=sys.stderr)
        return 1
    try:
        for line in report(options.file, description, options.depth, options.items, options.records):
            print(line)
    except BrokenPipeError:
        return 0
    return 0


def report(name: str, description: Description, depth: int = 8, items: int = 200,
           records: bool = False) -> Iterator[str]:
    """The lines of the report. Text from a file must not steer the terminal: what cannot be printed is escaped."""
    for line in _lines(name, description, depth, items, records):
        yield "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)


def _lines(name: str, description: Description, depth: int, items: int, records: bool) -> Iterator[str]:
    tensors = list(_tensors(description.root))
    storages = {t.storage.key: t.storage.nbytes for t in tensors}
    yield f"{name}: {description.format}, {_size(description.nbytes)}"
    elements = sum(t.nbytes // t.itemsize for t in tensors)
    yield f"{len(tensors)} tensors, {elements:,} elements, {_size(sum(storages.values()))} in {len(storages)} storages"
    yield ""
    yield from _tree("", description.root, "", depth, items)
    yield ""
    yield from _globals(description.names)
    if description.format.startswith("TorchScript"):
        yield "torch.serialization.load_torchscript_weights loads its parameters and buffers"
    if records and description.records:
        yield ""
        yield "records:"
        for record, size in description.records:
            yield f"  {size:>12,}  {record}"


def _globals(names: list[str]) -> Iterator[str]:
    """The names in the file, those that weights_only=True would refuse apart."""
    policy = WeightsOnly()
    refused = []
    for name in names:
        try:
            policy.find_global(*name.rpartition(".")[::2])
        except UnpicklingError:
            refused.append(name)
    if names:
        yield f"names: {', '.join(names)}"
    if refused:
        yield f"weights_only=True would refuse: {', '.join(refused)}"
    else:
        yield "weights_only=True loads it: nothing but tensors and plain data"


def _tree(label: str, obj: Any, indent: str, depth: int, items: int, active: frozenset = frozenset()) -> Iterator[str]:
    parts = _parts(obj)
    head = f"{indent}{label}{': ' if label else ''}{_summary(obj)}"
    if parts is None or not parts:
        yield head
        return
    if id(obj) in active:
        yield f"{head} (contains itself)"
        return
    if depth <= 0:
        yield f"{head} …"
        return
    yield head
    for key, value in parts[:items]:
        yield from _tree(_key(key), value, indent + "  ", depth - 1, items, active | {id(obj)})
    if len(parts) > items:
        yield f"{indent}  … {len(parts) - items} more"


def _parts(obj: Any) -> list[tuple[Any, Any]] | None:
    """What to show below an object, or None if one line says it all."""
    if isinstance(obj, dict):
        return list(obj.items())
    if isinstance(obj, Inert):
        return obj.parts()
    if isinstance(obj, TensorInfo):
        return list(obj.attributes.items())
    if isinstance(obj, (list, tuple, set, frozenset)) and not isinstance(obj, StorageInfo):
        return None if len(obj) <= 16 and all(_is_short(v) for v in obj) else list(enumerate(obj))
    return None


def _is_short(value: Any) -> bool:
    return isinstance(value, (int, float, bool, type(None))) or isinstance(value, str) and len(value) <= 40


def _summary(obj: Any) -> str:
    if isinstance(obj, TensorInfo):
        shape = ", ".join(map(str, obj.shape))
        notes = [obj.kind] * (obj.kind != "Tensor") + ["requires_grad"] * (obj.requires_grad and obj.kind == "Tensor")
        notes += [f"on {obj.storage.location}"] * (obj.storage.location != "cpu") + [obj.problem] * bool(obj.problem)
        return f"{obj.dtype}[{shape}]  {_size(obj.nbytes)}{'  ' + ', '.join(notes) if notes else ''}"
    if isinstance(obj, StorageInfo):
        return f"storage {obj.key}: {obj.size} x {obj.dtype}, {_size(obj.nbytes)}"
    if isinstance(obj, Inert):
        return f"{obj.path} (not made)"
    if isinstance(obj, Name):
        return f"{obj.path} (a name)"
    if isinstance(obj, dict):
        return f"{type(obj).__name__} ({len(obj)} items)"
    if isinstance(obj, (list, tuple, set, frozenset)) and _parts(obj) is not None:
        return f"{type(obj).__name__} ({len(obj)} items)"
    text = f"{type(obj).__name__} of {len(obj)} bytes" if isinstance(obj, (bytes, bytearray)) else repr(obj)
    text = " ".join(text.split())
    return text if len(text) <= 100 else text[:100] + "…"


def _key(key: Any) -> str:
    return (key if isinstance(key, str) else _summary(key))[:200]


def _tensors(root: Any) -> Iterator[TensorInfo]:
    """Every tensor once."""
    seen: set[int] = set()
    pending = [root]
    while pending:
        obj = pending.pop()
        if id(obj) in seen:
            continue
        seen.add(id(obj))
        if isinstance(obj, TensorInfo):
            yield obj
        elif isinstance(obj, dict):
            pending.extend(obj.values())
        elif isinstance(obj, Inert):
            pending.extend(value for _, value in obj.parts())
        elif isinstance(obj, (list, tuple, set, frozenset)) and not isinstance(obj, StorageInfo):
            pending.extend(obj)


def _size(n: int) -> str:
    """Bytes in the unit that reads best."""
    for unit in ("B", "KiB", "MiB"):
        if n < 1024:
            return f"{n} {unit}" if unit == "B" else f"{n:.1f} {unit}"
        n /= 1024  # type: ignore[assignment]
    return f"{n:.2f} GiB"
