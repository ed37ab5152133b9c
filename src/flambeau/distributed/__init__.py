"""`torch.distributed`: several processes, on one machine or many.

`rendezvous.py` is how they find each other, through the stores of `store.py`; `_group.py` what a group of them is;
`_collectives.py`, `_objects.py` and `_points.py` what they tell each other; `_engine.py` what moves the bytes.
"""
# ruff: noqa: F401, F403
from .distributed_c10d import *


def is_available() -> bool:
    """True: groups of one process work everywhere; `init_process_group` of more needs jax, and says so."""
    return True
