"""Layers that learn the sizes of their parameters from their first input."""
from __future__ import annotations

from itertools import chain
from typing import Any

import flambeau

from ..parameter import is_lazy


class LazyModuleMixin:
    """Base, before the layer's own class, of lazy layers: their parameters are uninitialised until the first call,
    which gives them shapes (`initialize_parameters`) and turns the layer into an ordinary one (`cls_to_become`).

    Make a dry run, or load a state dict, before handing the parameters to an optimizer.
    """

    cls_to_become: type | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._load_hook = self._register_load_state_dict_pre_hook(self._lazy_load_hook)
        self._initialize_hook = self.register_forward_pre_hook(self._infer_parameters, with_kwargs=True)

    def initialize_parameters(self, *args: Any, **kwargs: Any) -> None:
        """Materialize the parameters and buffers for the arguments of the first call; every lazy layer has its own."""
        raise NotImplementedError(f"initialize_parameters is not implemented for {type(self).__name__}")

    def has_uninitialized_params(self) -> bool:
        """Whether a parameter or buffer still has no shape."""
        return any(map(is_lazy, chain(self._parameters.values(), self._buffers.values())))

    def _lazy_load_hook(self, state_dict: dict, prefix: str, *_: Any) -> None:
        """Before loading: take shapes from the tensors that will be loaded."""
        for name, tensor in chain(self._parameters.items(), self._buffers.items()):
            given = state_dict.get(prefix + name)
            if is_lazy(tensor) and given is not None and not is_lazy(given):
                with flambeau.no_grad():
                    tensor.materialize(given.shape)

    def _infer_parameters(self, module: Any, args: tuple, kwargs: dict | None = None) -> None:
        """Before the first call: initialise, and stop being lazy."""
        with flambeau.no_grad():
            module.initialize_parameters(*args, **(kwargs or {}))
        if module.has_uninitialized_params():
            raise RuntimeError(f"module {self._get_name()} has not been fully initialized")
        for hook in ("_initialize_hook", "_load_hook"):
            getattr(module, hook).remove()
            delattr(module, hook)
        if module.cls_to_become is not None:
            module.__class__ = module.cls_to_become

    def _replicate_for_data_parallel(self) -> Any:
        raise RuntimeError("Modules with uninitialized parameters can't be used with `DataParallel`. Run a dummy "
                           "forward pass to correctly initialize the modules")
