"""The layer over llvmlite: `target` (what machine), `emit` (writing IR), `jit` (IR → loaded code), `vector_math`."""
