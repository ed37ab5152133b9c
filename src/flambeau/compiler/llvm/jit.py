"""IR → object code → loaded functions.

`compile_module` makes object code (bytes that `cache` can keep on disk); `load` links it into the process. What is loaded
stays as long as the `Library` that `load` returned.
"""
from __future__ import annotations

import ctypes
import itertools
import threading
from functools import lru_cache
from typing import Any, Mapping, Sequence

import llvmlite.binding as llvm

from . import ir
from .target import Target, host_target


def optimize(module: ir.Module | str, target: Target, level: int = 2, vectorize: bool = False) -> llvm.ModuleRef:
    """Verifies and optimizes a module (or its text).

    level: LLVM's -O level; 1 is a short list of passes, for kernels that are written as they should run: they come out the
    same in a fraction of the time. vectorize: run the loop and SLP vectorizers, for code that is written for scalars.
    """
    # a context of its own, so that modules can be compiled in parallel
    parsed = llvm.parse_assembly(str(module), llvm.create_context())
    parsed.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=level)
    options.loop_vectorization = options.slp_vectorization = vectorize
    options.loop_unrolling = options.loop_interleaving = vectorize  # hand-written kernels unroll what pays
    builder = llvm.create_pass_builder(target.machine, options)
    if level > 1:
        builder.getModulePassManager().run(parsed, builder)
    else:
        passes = llvm.create_new_module_pass_manager()  # one call for all functions: each waits for the interpreter's lock
        for add in (passes.add_sroa_pass, passes.add_instruction_combine_pass, passes.add_simplify_cfg_pass,
                    passes.add_new_gvn_pass, passes.add_loop_rotate_pass, passes.add_simplify_cfg_pass):
            add()
        passes.run(parsed, builder)
    return parsed


def compile_module(module: ir.Module | str, target: Target | None = None, level: int = 2,
                   vectorize: bool = False) -> bytes:
    """Object code of a module, for this machine unless `target` says otherwise."""
    target = target or host_target()
    return target.machine.emit_object(optimize(module, target, level, vectorize))


def assembly(module: ir.Module | str, target: Target | None = None, level: int = 2, vectorize: bool = False) -> str:
    """The assembly text of what `compile_module` makes."""
    target = target or host_target()
    return target.machine.emit_assembly(optimize(module, target, level, vectorize))


class Library:
    """Loaded object code; `lib["name"]` is a function's address. Unloaded when the object goes: keep it while in use."""

    def __init__(self, tracker: Any):
        self._tracker = tracker

    def __getitem__(self, name: str) -> int:
        return self._tracker[name]

    def function(self, name: str, result: Any, *args: Any) -> Any:
        """A ctypes callable that releases the GIL, for ctypes result and argument types."""
        made: Any = ctypes.CFUNCTYPE(result, *args)(self[name])
        made.library = self
        return made


_names = itertools.count()
_link_lock = threading.Lock()


@lru_cache(None)
def _linker() -> llvm.LLJIT:
    # LLVM's JIT takes the target machine over, so it gets one of its own
    target = host_target()
    machine = llvm.Target.from_triple(target.triple).create_target_machine(
        cpu=target.cpu, features=target.features, opt=3, reloc="pic", codemodel="jitdefault", jit=True)
    return llvm.create_lljit_compiler(machine)


def load(objects: bytes | Sequence[bytes], exports: Sequence[str], values: Mapping[str, int] | None = None) -> Library:
    """Links object code into this process. values: the addresses of symbols; others come from the process (libc, libm)."""
    builder = llvm.JITLibraryBuilder()
    for code in [objects] if isinstance(objects, bytes) else objects:
        builder.add_object_img(code)
    builder.add_current_process()
    for name, value in (values or {}).items():
        builder.import_symbol(name, value)
    for name in exports:
        builder.export_symbol(name)
    with _link_lock:
        return Library(builder.link(_linker(), f"flambeau{next(_names)}"))
