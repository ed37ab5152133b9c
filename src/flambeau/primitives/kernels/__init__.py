"""NumPy kernels of special functions: float64 arrays in, float64 arrays out, from published formulas."""
