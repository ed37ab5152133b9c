"""CUDA's switches."""


class _MatmulSwitches:
    """Precision switches of CUDA matrix products."""

    allow_tf32 = False
    allow_fp16_reduced_precision_reduction = True
    allow_bf16_reduced_precision_reduction = True


matmul = _MatmulSwitches()


def is_built() -> bool:
    """False."""
    return False
