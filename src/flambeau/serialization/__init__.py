"""torch.serialization: `save` and `load` of PyTorch's files, safe by default.

Read `_save.py` and `_load.py` first. `_archive.py`, `_legacy.py` and `_tar.py` are the containers, `_machine.py` runs
pickles without running code, `_allowlist.py` says what `weights_only=True` allows, `_atomic.py` makes saving durable.
"""
from ._safe_globals import add_safe_globals, clear_safe_globals, get_safe_globals, safe_globals
from ._load import get_unsafe_globals_in_checkpoint, load
from ._location import default_restore_location, location_tag, register_package
from ._options import (
    LoadEndianness,
    SourceChangeWarning,
    get_crc32_options,
    get_default_load_endianness,
    get_default_mmap_options,
    set_crc32_options,
    set_default_load_endianness,
    set_default_mmap_options,
    skip_data,
)
from ._save import save
from ._torchscript import load_torchscript_weights

__all__ = [
    "LoadEndianness",
    "SourceChangeWarning",
    "add_safe_globals",
    "clear_safe_globals",
    "default_restore_location",
    "get_crc32_options",
    "get_default_load_endianness",
    "get_default_mmap_options",
    "get_safe_globals",
    "get_unsafe_globals_in_checkpoint",
    "load",
    "load_torchscript_weights",
    "location_tag",
    "register_package",
    "safe_globals",
    "save",
    "set_crc32_options",
    "set_default_load_endianness",
    "set_default_mmap_options",
    "skip_data",
]
