"""The machine that code is made for: its ISA, vector width and register count.

`host_target()` describes this machine, or what the environment variable FLAMBEAU_TARGET forces: `baseline` (any CPU of
this architecture: SSE2 or NEON), `avx2` or `avx512`. Code for an ISA that the machine lacks can be made, and read as
assembly, with `make_target`.
"""
from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import llvmlite.binding as llvm


@dataclass(frozen=True)
class Isa:
    """What the code generator's tables need to know of an instruction set.

    vector_bytes: width of a vector register; registers: how many there are; fma: fused multiply-add in one instruction;
    masked: loads and stores under a mask are instructions (else LLVM makes a branch for each lane);
    folds_broadcast: an arithmetic instruction can broadcast a scalar operand from memory, so it needs no register.
    converts_half: float16 and float32 are converted by instructions. scales: x·2^n is an instruction. multiplies: multiply-adds of
    whole vectors that begin in a cycle.
    """

    name: str
    vector_bytes: int
    registers: int
    fma: bool
    masked: bool
    folds_broadcast: bool
    converts_half: bool
    scales: bool = False
    multiplies: int = 2

    def lanes(self, itemsize: int) -> int:
        """Elements of this size in a vector register."""
        return self.vector_bytes // itemsize


ISAS = {isa.name: isa for isa in (
    Isa("avx512", 64, 32, fma=True, masked=True, folds_broadcast=True, converts_half=True, scales=True),
    Isa("avx2", 32, 16, fma=True, masked=True, folds_broadcast=False, converts_half=True),
    Isa("sse2", 16, 16, fma=False, masked=False, folds_broadcast=False, converts_half=False),
    Isa("neon", 16, 32, fma=True, masked=False, folds_broadcast=False, converts_half=True),
    Isa("generic", 16, 16, fma=False, masked=False, folds_broadcast=False, converts_half=False),
)}

# the LLVM name of the least CPU of each x86-64 level
_X86_LEVELS = {"baseline": ("sse2", "x86-64"), "avx2": ("avx2", "x86-64-v3"), "avx512": ("avx512", "x86-64-v4")}


_HALVED = frozenset({"znver4"})  # CPUs that do 512-bit arithmetic in two halves


@dataclass(frozen=True)
class Target:
    """An ISA with the CPU name and feature string that LLVM wants, and the triple."""

    isa: Isa
    cpu: str
    features: str
    triple: str

    @property
    def key(self) -> str:
        """Text that differs when code made for one target must not run on another."""
        return f"{self.triple}/{self.cpu}/{self.features}"

    @cached_property
    def machine(self) -> llvm.TargetMachine:
        """A fresh-options LLVM target machine (position independent, default code model of the JIT)."""
        return llvm.Target.from_triple(self.triple).create_target_machine(
            cpu=self.cpu, features=self.features, opt=3, reloc="pic", codemodel="jitdefault", jit=True)

    @cached_property
    def data_layout(self) -> str:
        return str(self.machine.target_data)


@lru_cache(None)
def initialize() -> None:
    """Makes LLVM's native code generator ready, once."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()


def _host_isa(triple: str, features: dict) -> Isa:
    arch = triple.split("-")[0]
    if arch in ("x86_64", "amd64"):
        if all(features.get(f) for f in ("avx512f", "avx512vl", "avx512bw", "avx512dq")):
            return ISAS["avx512"]
        return ISAS["avx2" if all(features.get(f) for f in ("avx2", "fma", "f16c")) else "sse2"]
    return ISAS["neon" if arch in ("aarch64", "arm64") else "generic"]


def make_target(name: str) -> Target:
    """The target called `host`, `baseline`, `avx2` or `avx512` on this architecture. Raises ValueError for another."""
    initialize()
    triple = llvm.get_process_triple()
    if name == "host":
        found = llvm.get_host_cpu_features()
        isa = _host_isa(triple, found)
        if isa.name == "avx512" and llvm.get_host_cpu_name() in _HALVED:
            isa = replace(isa, multiplies=1)
        # some CPUs are tuned to split 512-bit vectors in two; ours are 512 bits wide on purpose
        features = found.flatten() + (",-prefer-256-bit" if isa.name == "avx512" else "")
        return Target(isa, llvm.get_host_cpu_name(), features, triple)
    x86 = triple.startswith(("x86_64", "amd64"))
    if name == "baseline" and not x86:
        return Target(_host_isa(triple, {}), "generic", "", triple)
    if name not in _X86_LEVELS or not x86:
        raise ValueError(f"FLAMBEAU_TARGET is {name!r}; on {triple} it can be "
                         f"{', '.join(['host', 'baseline'] + ['avx2', 'avx512'] * x86)}")
    level, cpu = _X86_LEVELS[name]
    return Target(ISAS[level], cpu, "-prefer-256-bit" if level == "avx512" else "", triple)


@lru_cache(None)
def host_target() -> Target:
    """This machine, or what FLAMBEAU_TARGET asks for. Raises RuntimeError if the machine lacks what it asks for."""
    host = make_target("host")
    name = os.environ.get("FLAMBEAU_TARGET") or "host"
    forced = make_target(name)
    if forced.isa.vector_bytes > host.isa.vector_bytes:
        raise RuntimeError(f"FLAMBEAU_TARGET is {name!r}, but this CPU ({host.cpu}) has {host.isa.name} at most")
    return forced
