"""Recording and running: values, the trace, programs and their cache. Knows graphs, not tensors."""
