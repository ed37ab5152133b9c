"""Devices named in files: which tag a storage is saved with, and where a tagged storage is put (`map_location`)."""
from __future__ import annotations

from typing import Any, Callable

from ..tensor.device import CPU, META, device
from ..tensor.placement import value_device
from ..tensor.storage import Storage
from ..xla import backend

# (priority, tagger(storage) -> tag or None, deserializer(storage, tag) -> storage or None), lowest priority first
_packages: list[tuple[int, Callable[[Any], str | None], Callable[[Any, str], Any]]] = []


def register_package(priority: int, tagger: Callable[[Any], str | None],
                     deserializer: Callable[[Any, str], Any]) -> None:
    """Adds a kind of device to saving and loading.

    tagger(storage) returns the tag to save with it, or None if it is not its device's. deserializer(storage, location)
    returns the storage put where `location` says, or None if that is not its device. The lowest is asked first.
    """
    _packages.append((priority, tagger, deserializer))
    _packages.sort(key=lambda package: package[0])


def location_tag(storage: Any) -> str:
    """The tag that a storage is saved with: the name of its device."""
    for _, tagger, _ in _packages:
        location = tagger(storage)
        if location:
            return location
    raise RuntimeError(f"don't know how to determine data location of {type(storage).__name__}")


def default_restore_location(storage: Any, location: str) -> Any:
    """The storage put where its tag says.

    Raises RuntimeError for a device that this machine does not have; its words say how to load to the CPU.
    """
    for _, _, deserializer in _packages:
        result = deserializer(storage, location)
        if result is not None:
            return result
    raise RuntimeError(f"don't know how to restore data location of {type(storage).__name__} (tagged with {location})")


def _device_tag(storage: Any) -> str | None:
    where = value_device(storage.value) if isinstance(storage, Storage) else CPU
    return None if where is CPU else str(where)


def _on_device(storage: Any, location: str) -> Any:
    """The storage on a device of XLA's, where that is what the tag names and it is there, or on the meta device."""
    if location == "meta":
        return storage.to(device=META)
    kind = next((kind for kind in backend.PLATFORMS if location.startswith(kind)), "")
    return storage.to(device=location) if backend.devices(kind) else None


def _absent_device(storage: Any, location: str) -> Any:
    kind = location.partition(":")[0]
    if kind not in ("cuda", "mps", "xpu", "hpu"):
        return None
    raise RuntimeError(
        f"Attempting to deserialize object on a {kind.upper()} device but torch.{kind}.is_available() is False. If "
        "you are running on a CPU-only machine, please use torch.load with map_location=torch.device('cpu') to map "
        "your storages to the CPU."
    )


register_package(10, lambda storage: "cpu", lambda storage, location: storage.cpu() if location == "cpu" else None)
register_package(20, lambda storage: None, _absent_device)
register_package(5, _device_tag, _on_device)


def restorer(map_location: Any) -> Callable[[Any, str], Any]:
    """`map_location` of `load` as a function (storage, location) -> storage.

    None: each storage where it was. A string or device: all storages there. A dict: from tags to tags. A function:
    asked first; None from it means "as saved".
    """
    if map_location is None:
        return default_restore_location
    if isinstance(map_location, dict):
        return lambda storage, location: default_restore_location(storage, map_location.get(location, location))
    if isinstance(map_location, (str, bytes, device)):
        place = str(device(map_location if not isinstance(map_location, bytes) else map_location.decode("ascii")))
        place = "cpu" if place.startswith("cpu") else place
        return lambda storage, location: default_restore_location(storage, place)

    def ask(storage: Any, location: str) -> Any:
        result = map_location(storage, location)
        return default_restore_location(storage, location) if result is None else result
    return ask
