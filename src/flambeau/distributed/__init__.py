"""`torch.distributed`: not available in this build, and says so."""


def is_available() -> bool:
    """False."""
    return False


def is_initialized() -> bool:
    """False."""
    return False
