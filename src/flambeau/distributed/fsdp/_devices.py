"""Parameters that the devices of one process share: XLA divides programs among them, as the parts of their operands lie.

Nothing is gathered here: XLA does where a program needs more than a device has, and adds gradients up. What a program makes of the
shape of a parameter (its gradient, its new value, an optimizer's state) is divided as the parameter is.
"""
from __future__ import annotations

from contextlib import nullcontext
from typing import Any, Sequence

from ...runtime import resident
from ...tensor.device import check_device
from ...tensor.placement import device_of, transferred
from ...tensor.tensor import Tensor
from ...utils._pytree import tree_map
from ...xla import backend


class DeviceShares:
    """Parameters on a device of a type, shared out among all of that type."""

    reduces = True  # there is one process: nobody to send gradients to
    order = None  # and nothing to send ahead

    def __init__(self, parameters: Sequence[Tensor], kind: str) -> None:
        devices = tuple(check_device(f"{kind}:{i}") for i in range(len(backend.devices(kind))))
        for p in parameters:
            if device_of(p) is not devices[0]:
                raise RuntimeError(f"fully_shard: parameters must be on {devices[0]}, but one of them is on {device_of(p)}")
        self.home = resident.home_of(devices[0])
        self.home.widen(devices)
        self.count = len(devices)
        for p in parameters:
            self.home.divide(tuple(p.shape))
            p._storage.value = resident.moved(p._storage.value, self.home)

    def shared_out(self, inputs: Any, is_root: bool) -> Any:
        """Inputs of the outermost module: each device has a part of the batch, if it can be divided evenly."""
        def divided(t: Any) -> Any:
            if not isinstance(t, Tensor) or device_of(t) is not self.home.device or t.ndim == 0 or t.shape[0] % self.count:
                return t
            return transferred(t, self.home, 0)
        return tree_map(divided, inputs) if is_root else inputs

    def unshard(self) -> None:
        """XLA gathers what a program needs."""

    reshard = unshard_in_backward = unshard
    not_saving = nullcontext
