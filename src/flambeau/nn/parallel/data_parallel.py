"""One module, replicated over the GPUs of one machine. There are none here, so a batch goes to the module itself, as in
PyTorch on a machine without GPUs."""
from __future__ import annotations

from typing import Any

from ..modules.module import Module


class DataParallel(Module):
    """Calls `module` with each batch. device_ids, output_device: GPUs, of which there are none.

    Its state dict has the prefix "module.", as in programs for many GPUs.
    """

    def __init__(self, module: Module, device_ids: Any = None, output_device: Any = None, dim: int = 0) -> None:
        super().__init__()
        self.module = module
        self.device_ids: list = []

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        return self.module(*inputs, **kwargs)


def data_parallel(module: Module, inputs: Any, device_ids: Any = None, output_device: Any = None, dim: int = 0,
                  module_kwargs: dict | None = None) -> Any:
    """The output of DataParallel(module) on `inputs`, a tuple or one tensor."""
    if not isinstance(inputs, tuple):
        inputs = (inputs,) if inputs is not None else ()
    return module(*inputs, **(module_kwargs or {}))
