"""State dicts of modules and optimizers whose tensors are in parts: made whole to be saved, cut to be loaded.

Every process has to call these functions, with the same model. Names are those of parameters, in optimizers' state dicts, too.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable

from ...dtypes import dtype
from ...nn.modules.module import Module
from ...nn.modules._state_dict import _IncompatibleKeys
from ...nn.parallel.distributed import DistributedDataParallel
from ...ops.creation import empty
from ...optim.optimizer import Optimizer
from ...tensor.tensor import Tensor
from ...utils._pytree import tree_map
from .._collectives import broadcast
from .._objects import broadcast_object_list
from .._world import get_rank, is_initialized
from ..fsdp import FSDPModule
from ..tensor import DTensor, distribute_tensor

__all__ = ["StateDictOptions", "get_model_state_dict", "get_optimizer_state_dict", "get_state_dict", "set_model_state_dict",
           "set_optimizer_state_dict", "set_state_dict"]


@dataclass
class StateDictOptions:
    """full_state_dict: tensors are whole (default: in parts). cpu_offload: they are on the CPU, and with full_state_dict only in
    process 0; the others get empty dicts. strict: names must match exactly when a model's state is set. broadcast_from_rank0: only
    process 0 needs to give the state that is set, whole; the others may give empty dicts.
    """

    full_state_dict: bool = False
    cpu_offload: bool = False
    strict: bool = True
    broadcast_from_rank0: bool = False


# ------------------------------------------------------------------ getting

def get_model_state_dict(model: Module, *, options: StateDictOptions | None = None) -> dict[str, Any]:
    """The model's state dict, as the options say. Names are without DistributedDataParallel's prefix."""
    return _collected(dict(_inner(model).state_dict()), options or StateDictOptions())


def get_optimizer_state_dict(model: Module, optimizers: Optimizer | Iterable[Optimizer], *,
                             options: StateDictOptions | None = None) -> dict[str, Any]:
    """The optimizers' states as one dict, as the options say, with the names of the model's parameters in the places of numbers."""
    names, optimizers = _names(model), _several(optimizers)
    state: dict[str, Any] = {}
    groups: list[dict[str, Any]] = []
    for optimizer in optimizers:
        numbered = [names[id(p)] for group in optimizer.param_groups for p in group["params"]]
        saved = optimizer.state_dict()
        by_number = dict(zip((i for group in saved["param_groups"] for i in group["params"]), numbered))
        state.update((by_number[i], dict(values)) for i, values in saved["state"].items())
        groups += [{**group, "params": [by_number[i] for i in group["params"]]} for group in saved["param_groups"]]
    return _collected({"state": state, "param_groups": groups}, options or StateDictOptions())


def get_state_dict(model: Module, optimizers: Optimizer | Iterable[Optimizer], *,
                   options: StateDictOptions | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
    """(the model's, the optimizers' state dict)."""
    return get_model_state_dict(model, options=options), get_optimizer_state_dict(model, optimizers, options=options)


def _collected(tree: Any, options: StateDictOptions) -> Any:
    """The tree with its tensors whole or on the CPU, as the options say."""
    is_wanted = not (options.full_state_dict and options.cpu_offload and is_initialized()) or get_rank() == 0

    def collect(value: Any) -> Any:
        if options.full_state_dict and isinstance(value, DTensor):
            value = value.full_tensor()  # where it is not wanted, too: everybody has to help
        if not is_wanted:
            return None
        return value.to("cpu") if options.cpu_offload and isinstance(value, Tensor) else value  # type: ignore[attr-defined]
    collected = tree_map(collect, tree)
    return collected if is_wanted else {}


# ------------------------------------------------------------------ setting

def set_model_state_dict(model: Module, model_state_dict: dict[str, Any], *,
                         options: StateDictOptions | None = None) -> _IncompatibleKeys:
    """Loads a state dict of whole tensors or of parts; returns the missing and the unexpected names."""
    options = options or StateDictOptions()
    given = _announced(model_state_dict) if options.broadcast_from_rank0 else model_state_dict
    own = _inner(model).state_dict()
    cut = {name: _cut(value, own.get(name), options) for name, value in given.items()}
    return _inner(model).load_state_dict(cut, strict=options.strict)


def set_optimizer_state_dict(model: Module, optimizers: Optimizer | Iterable[Optimizer], optim_state_dict: dict[str, Any], *,
                             options: StateDictOptions | None = None) -> None:
    """Loads what `get_optimizer_state_dict` gave, of whole tensors or of parts.

    Errors: KeyError for a parameter that the dict does not name.
    """
    options = options or StateDictOptions()
    given = _announced(optim_state_dict) if options.broadcast_from_rank0 else optim_state_dict
    names, optimizers = _names(model), _several(optimizers)
    options_of = {name: group for group in given["param_groups"] for name in group["params"]}
    parameters = {names[id(p)]: p for optimizer in optimizers for group in optimizer.param_groups for p in group["params"]}
    cut = {name: {key: _cut(value, parameters.get(name), options) for key, value in values.items()}
           for name, values in given["state"].items()}
    for optimizer in optimizers:
        groups: list[dict[str, Any]] = []
        state: dict[int, Any] = {}
        count = 0
        for group in optimizer.param_groups:
            own = [names[id(p)] for p in group["params"]]
            state.update({count + i: cut[name] for i, name in enumerate(own) if name in cut})
            groups.append({**options_of[own[0]], "params": list(range(count, count + len(own)))})
            count += len(own)
        optimizer.load_state_dict({"state": state, "param_groups": groups})


def set_state_dict(model: Module, optimizers: Optimizer | Iterable[Optimizer], *, model_state_dict: dict[str, Any],
                   optim_state_dict: dict[str, Any], options: StateDictOptions | None = None) -> _IncompatibleKeys:
    """Loads both state dicts; returns the model's missing and unexpected names."""
    keys = set_model_state_dict(model, model_state_dict, options=options)
    set_optimizer_state_dict(model, optimizers, optim_state_dict, options=options)
    return keys


@dataclass
class _Announced:
    """A tensor that process 0 has."""

    shape: tuple[int, ...]
    dtype: dtype


def _announced(tree: Any) -> Any:
    """Process 0's tree in all processes; in the others, tensors are announced only."""
    if not is_initialized():
        return tree
    box = [tree_map(lambda v: _Announced(tuple(v.shape), v.dtype) if isinstance(v, Tensor) else v, tree)]
    broadcast_object_list(box, src=0)
    return tree if get_rank() == 0 else box[0]


def _cut(value: Any, like: Any, options: StateDictOptions) -> Any:
    """A value for the place of `like`: in parts as that is, if it is a tensor of its shape."""
    if isinstance(value, _Announced):
        value = empty(value.shape, dtype=value.dtype)
    if not isinstance(value, Tensor) or isinstance(value, DTensor):
        return value
    from_first = options.broadcast_from_rank0 and is_initialized()
    if isinstance(like, DTensor) and value.shape == like.shape:
        return distribute_tensor(value, like.device_mesh, like.placements, src_data_rank=0 if from_first else None)
    if from_first:
        value = value.clone()  # type: ignore[attr-defined]
        broadcast(value, src=0)
    return value


# ------------------------------------------------------------------ names

def _inner(model: Module) -> Module:
    return model.module if isinstance(model, DistributedDataParallel) else model


def _names(model: Module) -> dict[int, str]:
    """The names of parameters by their identity, when they are in parts."""
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.reshard()
    return {id(p): name for name, p in _inner(model).named_parameters()}


def _several(optimizers: Optimizer | Iterable[Optimizer]) -> list[Optimizer]:
    return [optimizers] if isinstance(optimizers, Optimizer) else list(optimizers)
