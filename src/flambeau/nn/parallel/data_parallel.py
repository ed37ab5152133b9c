"""One module over the devices of one machine: a batch is shared among them, and XLA divides the module's programs accordingly.

Where PyTorch calls a replica of the module on each device, here one recorded program runs on all of them: `forward` sees the whole
batch, XLA adds the gradients up, and what looks at a whole batch (batch normalisation, dropout) does.
"""
from __future__ import annotations

from typing import Any

from ...tensor.device import check_device, device
from ...tensor.placement import device_of, transferred
from ...tensor.tensor import Tensor
from ...utils._pytree import tree_leaves, tree_map
from ...xla import backend
from ..modules.module import Module


class DataParallel(Module):
    """Calls `module` with each batch, of which every device gets an equal share along `dim`.

    device_ids: the devices (all GPUs by default, or all devices of the type that the module is on); the module's parameters must be
    on the first of them, and gradients are added up there. output_device: where outputs are gathered (the first device by default).
    As many devices take part as divide the batch. Without GPUs the module is called as it is. The state dict has the prefix "module.".

    Errors: RuntimeError if a parameter or buffer is not on the first device.
    """

    def __init__(self, module: Module, device_ids: Any = None, output_device: Any = None, dim: int = 0) -> None:
        super().__init__()
        self.module = module
        devices = _devices(module, device_ids)
        self.device_ids: list = [d.index for d in devices]
        self._devices = devices
        if devices:
            self.dim = dim
            self.output_device = devices[0] if output_device is None else _device(output_device, devices[0].type)
            self.src_device_obj = devices[0]

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        if len(self._devices) < 2:
            return self.module(*inputs, **kwargs)
        for t in (*self.module.parameters(), *self.module.buffers()):
            if device_of(t) is not self._devices[0]:
                raise RuntimeError(f"module must have its parameters and buffers on device {self._devices[0]} (device_ids[0]) but found one "
                                   f"of them on device: {device_of(t)}")
        n = _sharing(inputs, kwargs, self.dim, len(self._devices))
        if n < 2:
            return self.module(*inputs, **kwargs)
        return _run(self.module, self._devices[:n], self.output_device, self.dim, inputs, kwargs)


def _device(which: Any, kind: str) -> device:
    return check_device(f"{kind}:{which}" if isinstance(which, int) else which)


def _devices(module: Module, device_ids: Any) -> list[device]:
    """The devices given; by default all of the type that the module is on (GPUs if that is the CPU)."""
    found = next((device_of(t).type for t in (*module.parameters(), *module.buffers())), "cpu")
    kind = "cuda" if found == "cpu" else found
    if device_ids is None:
        device_ids = range(len(backend.devices(kind)))
    return [_device(which, kind) for which in device_ids] if backend.devices(kind) else []


def _sharing(inputs: tuple, kwargs: dict, dim: int, most: int) -> int:
    """How many devices, at most, can share the batch evenly."""
    sizes = {t.shape[dim] for t in tree_leaves((inputs, kwargs)) if isinstance(t, Tensor) and t.ndim > dim}
    return next((n for n in range(most, 1, -1) if sizes and all(size and size % n == 0 for size in sizes)), 1)


def _run(module: Module, devices: list[device], output_device: device, dim: int, inputs: tuple, kwargs: dict) -> Any:
    from ...func import functional_call
    from ...runtime import resident
    from ...tensor.placement import moved
    home = resident.several(tuple(devices))

    def shared(t: Any) -> Any:
        return transferred(t, home, dim if t.ndim > dim else None) if isinstance(t, Tensor) else t

    def gathered(t: Any) -> Any:
        if not isinstance(t, Tensor):
            return t
        split = dim if t.ndim > dim and t.shape[dim] % len(devices) == 0 else None
        return transferred(t, resident.home_of(output_device), split)
    parameters = {name: transferred(p, home) for name, p in module.named_parameters()}
    buffers = {name: transferred(b, home) for name, b in module.named_buffers()}
    with resident.working_as(home):
        outputs = functional_call(module, {**parameters, **buffers}, tree_map(shared, inputs), tree_map(shared, kwargs))
    for name, buffer in module.named_buffers():
        if buffers[name]._storage.version:
            buffer.copy_(moved(buffers[name].detach(), devices[0]))
    return tree_map(gathered, outputs)


def data_parallel(module: Module, inputs: Any, device_ids: Any = None, output_device: Any = None, dim: int = 0,
                  module_kwargs: dict | None = None) -> Any:
    """The output of DataParallel(module) on `inputs`, a tuple or one tensor."""
    if not isinstance(inputs, tuple):
        inputs = (inputs,) if inputs is not None else ()
    return DataParallel(module, device_ids, output_device, dim)(*inputs, **(module_kwargs or {}))
