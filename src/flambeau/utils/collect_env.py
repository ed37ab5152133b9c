"""`torch.utils.collect_env`: what a report of a bug should say of the machine. `python -m flambeau.utils.collect_env` prints it."""
from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version as installed
from typing import NamedTuple

from .. import version
from ..compiler.llvm.target import host_target
from ..cuda import device_count, get_device_name
from ..misc import get_num_threads

_PACKAGES = ("numpy", "llvmlite", "ml_dtypes", "jax", "jaxlib", "pillow", "safetensors", "onnx", "torch")


class SystemEnv(NamedTuple):
    """What was found. vectors: the instruction set that programs are compiled for; pip_packages: lines "name==version"."""

    flambeau_version: str
    torch_version: str
    os: str
    libc_version: str
    python_version: str
    python_platform: str
    cpu: str
    vectors: str
    cpus: int
    threads: int
    gpus: list[str]
    settings: list[str]
    pip_packages: list[str]


def _packages() -> list[str]:
    found = []
    for name in _PACKAGES:
        try:
            found.append(f"{name}=={installed(name)}")
        except PackageNotFoundError:
            continue
    return found


def get_env_info() -> SystemEnv:
    """Looks at the versions, the machine, and the environment variables that change how programs run."""
    target = host_target()
    settings = [f"{name}={value}" for name, value in sorted(os.environ.items()) if name.startswith(("FLAMBEAU_", "OMP_", "TORCH_"))]
    return SystemEnv(version.flambeau, version.__version__, f"{platform.system()} {platform.release()}", "-".join(platform.libc_ver()),
                     sys.version.replace("\n", " "), platform.platform(), target.cpu, target.isa.name, os.cpu_count() or 1,
                     get_num_threads(), [get_device_name(i) for i in range(device_count())], settings, _packages())


def pretty_str(envinfo: SystemEnv) -> str:
    """One line for each thing that was found."""
    def shown(value: object) -> str:
        return (", ".join(value) or "none") if isinstance(value, list) else str(value)
    return "\n".join([f"{name.replace('_', ' ')}: {shown(value)}" for name, value in envinfo._asdict().items()])


def get_pretty_env_info() -> str:
    """The report as text."""
    return pretty_str(get_env_info())


def main() -> None:
    """Prints the report."""
    print(get_pretty_env_info())


if __name__ == "__main__":
    main()
