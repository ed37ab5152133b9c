"""The CPU."""


def get_cpu_capability() -> str:
    """The vector instructions that kernels are compiled for: AVX512, AVX2, NEON or DEFAULT."""
    from ..compiler.llvm.target import host_target
    return {"avx512": "AVX512", "avx2": "AVX2", "neon": "NEON"}.get(host_target().isa.name, "DEFAULT")
