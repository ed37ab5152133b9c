"""Which of flambeau's modules stands for which of PyTorch's: files lie where PyTorch's class paths say."""
from __future__ import annotations

ROOTS = {"torch": "flambeau", "torchaudio": "flambeau.audio", "torchtext": "flambeau.text",
         "torchvision": "flambeau.vision"}

# Modules of flambeau that have no counterpart in PyTorch. `torch.tensor` and `torch.ops` are not modules there, either.
ROOMS = frozenset({"addresses", "audio", "autograd.engine", "autograd.function_transforms", "autograd.nested", "autograd.plan", "autograd.recognizer", "cli",
                   "control_flow", "distributed.errors", "distributed.store", "download", "dtypes", "errors", "examples", "hook", "interpret", "ir", "misc",
                   "number_formats", "ops", "optim.elementwise", "primitives", "recording", "replay", "runtime", "safetensors", "summary",
                   "tensor", "text", "vision", "warning", "xla"})

# Packages of flambeau that are one module in PyTorch: what is below them is a room, too.
SINGLE_MODULES = ("compiler", "func", "nn.functional", "overrides", "serialization", "sparse")

# Where PyTorch shows the functions and classes that flambeau defines in rooms; the first that has one names it.
NAMESPACES = ("flambeau", "flambeau.autograd", "flambeau.nn.functional", "flambeau.linalg", "flambeau.fft",
              "flambeau.special", "flambeau.serialization")


def flambeau_name(name: str) -> str | None:
    """flambeau's module for PyTorch's module `name`: torch.nn → flambeau.nn; None if `name` is not PyTorch's."""
    root, _, rest = name.partition(".")
    if root not in ROOTS or root == "torch" and _in_room(rest):
        return None
    return f"{ROOTS[root]}.{rest}" if rest else ROOTS[root]


def _in_room(path: str) -> bool:
    parts = path.split(".")
    prefixes = [".".join(parts[:n]) for n in range(1, len(parts) + 1)]
    return not ROOMS.isdisjoint(prefixes) or any(module in prefixes[:-1] for module in SINGLE_MODULES)


def torch_name(name: str) -> str | None:
    """PyTorch's name of flambeau's module `name`: flambeau.vision.utils → torchvision.utils; None for a room."""
    for torch_root, root in reversed(ROOTS.items()):  # torch last: its root, flambeau, is a prefix of the other
        if name == root or name.startswith(root + "."):
            shown = torch_root + name[len(root):]
            return shown if flambeau_name(shown) == name else None
    return None


def is_room(name: str) -> bool:
    """Whether `name` is one of flambeau's own modules that PyTorch does not have."""
    return name.startswith("flambeau.") and torch_name(name) is None
