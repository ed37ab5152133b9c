"""The layer over llvmlite: `target` (what machine), `ir` (instructions as text), `emit` (kernels in them), `jit` (text → loaded code),
`vector_math`."""
