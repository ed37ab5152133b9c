"""`torchvision`'s API on flambeau: data sets, transforms, models, image reading and drawing. `import flambeau.vision`,
or `import torchvision` under `flambeau run`."""
from __future__ import annotations

from ..version import torchvision as __version__
from . import datasets, io, transforms, utils

_LAZY = frozenset(("models", "ops"))  # load when they are first used: many programs need data sets and transforms only

_image_backend = "PIL"
_video_backend = "pyav"


def set_image_backend(backend: str) -> None:
    """Which package reads images for `datasets.folder.default_loader`: "PIL" or "accimage". ValueError for others."""
    global _image_backend
    if backend not in ("PIL", "accimage"):
        raise ValueError(f"Invalid backend '{backend}'. Options are 'PIL' and 'accimage'")
    _image_backend = backend


def get_image_backend() -> str:
    """Which package reads images."""
    return _image_backend


def set_video_backend(backend: str) -> None:
    """Accepted for compatibility; there is one video backend."""


def get_video_backend() -> str:
    """The name of the video backend, "pyav"."""
    return _video_backend


def disable_beta_transforms_warning() -> None:
    """Accepted for compatibility; `transforms.v2` warns of nothing."""


def __getattr__(name: str):
    if name in _LAZY:
        from importlib import import_module

        return import_module("." + name, __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name)


__all__ = ["datasets", "disable_beta_transforms_warning", "get_image_backend", "get_video_backend", "io",
           "models", "ops", "set_image_backend", "set_video_backend", "transforms", "utils"]
