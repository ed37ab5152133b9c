"""Loop nests: `contraction` (what is computed), `schedule` (in which order), `contraction_kernel` (the code)."""
