"""A module's state as a flat dict of names and tensors: saving it and loading it.

`StateDict` is a base of `Module`. Names are paths ("encoder.0.weight"); a dict's `_metadata` holds the version of each
module's layout, so that a module can load what an older version of it saved.
"""
from __future__ import annotations

import functools
import warnings
import weakref
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, NamedTuple

import flambeau

from ...tensor.tensor import Tensor
from ...utils.hooks import RemovableHandle
from ..parameter import Parameter, is_lazy

_EXTRA_STATE_KEY_SUFFIX = "_extra_state"


class _Keys(NamedTuple):
    missing_keys: list
    unexpected_keys: list


class _IncompatibleKeys(_Keys):
    """What `load_state_dict` returns: names the dict lacks, and names that the module lacks."""

    __slots__ = ()

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return super().__repr__()

    __str__ = __repr__


class _WrappedHook:
    """A hook that may get the module it was registered on as its first argument, without keeping it alive."""

    def __init__(self, hook: Any, module: Any = None):
        self.hook = hook
        functools.update_wrapper(self, hook)
        self.with_module = module is not None
        if self.with_module:
            self.module = weakref.ref(module)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not self.with_module:
            return self.hook(*args, **kwargs)
        module = self.module()
        if module is None:
            raise RuntimeError("You are trying to call the hook of a dead Module!")
        return self.hook(module, *args, **kwargs)

    def __getstate__(self) -> dict:
        state = {"hook": self.hook, "with_module": self.with_module}
        if self.with_module:
            state["module"] = self.module()
        return state

    def __setstate__(self, state: dict) -> None:
        self.hook, self.with_module = state["hook"], state["with_module"]
        if self.with_module:
            if state["module"] is None:
                raise RuntimeError("You are trying to revive the hook of a dead Module!")
            self.module = weakref.ref(state["module"])


def _has_extra_state(module: Any, method: str) -> bool:
    return getattr(type(module), method) is not getattr(StateDict, method)


class StateDict:
    """The saving and loading side of `Module`."""

    _version = 1  # of the layout of this class's state; loading sees the saved one as local_metadata["version"]

    # ------------------------------------------------------------------ saving

    def state_dict(self, *args: Any, destination: Any = None, prefix: str = "", keep_vars: bool = False) -> dict:
        """The parameters and persistent buffers of this module and those below it, by path.

        destination: an ordered dict to fill, instead of a new one.  prefix: put before every name.
        keep_vars:   give the tensors themselves rather than detached ones (which share their memory all the same).
        """
        if args:
            warnings.warn("Positional args are being deprecated, use kwargs instead. Refer to "
                          "https://pytorch.org/docs/main/generated/torch.nn.Module.html#torch.nn.Module.state_dict for "
                          "details.", FutureWarning, stacklevel=2)
            given = dict(zip(("destination", "prefix", "keep_vars"), args))
            destination = given.get("destination") if destination is None else destination
            prefix = prefix or given.get("prefix", "")
            keep_vars = keep_vars or given.get("keep_vars", False)
        if destination is None:
            destination = OrderedDict()
            destination._metadata = OrderedDict()
        local_metadata = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = local_metadata
        for hook in self._state_dict_pre_hooks.values():
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, module in self._modules.items():
            if module is not None:
                module.state_dict(destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        for hook in self._state_dict_hooks.values():
            result = hook(self, destination, prefix, local_metadata)
            if result is not None:
                if getattr(hook, "_from_public_api", False):
                    raise RuntimeError("state_dict post-hook must return None")
                destination = result
        return destination

    def _save_to_state_dict(self, destination: dict, prefix: str, keep_vars: bool) -> None:
        """Put this module's own tensors, without those of its children, in `destination`."""
        for name, tensor in self._own_state().items():
            destination[prefix + name] = tensor if keep_vars or is_lazy(tensor) else tensor.detach()
        if _has_extra_state(self, "get_extra_state"):
            destination[prefix + _EXTRA_STATE_KEY_SUFFIX] = self.get_extra_state()

    def _own_state(self) -> dict[str, Tensor]:
        state = {name: tensor for name, tensor in self._parameters.items() if tensor is not None}
        hidden = self._non_persistent_buffers_set
        state.update((name, tensor) for name, tensor in self._buffers.items()
                     if tensor is not None and name not in hidden)
        return state

    def get_extra_state(self) -> Any:
        """What else belongs in the state dict, as something that can be pickled; for subclasses, with
        `set_extra_state`."""
        raise RuntimeError("Reached a code path in Module.get_extra_state() that should never be called. A class that "
                           "has extra state defines both get_extra_state and set_extra_state.")

    def set_extra_state(self, state: Any) -> None:
        """Take back what `get_extra_state` gave; called by `load_state_dict`."""
        raise RuntimeError("Reached a code path in Module.set_extra_state() that should never be called. A class that "
                           "has extra state defines both get_extra_state and set_extra_state.")

    # ------------------------------------------------------------------ loading

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True,
                        assign: bool = False) -> _IncompatibleKeys:
        """Copy the tensors of `state_dict` into this module's parameters and buffers.

        strict: names must match exactly; otherwise what does not match is only reported.
        assign: put the given tensors in place of the module's (keeping whether a gradient is required) instead of
        copying. Returns the missing and the unexpected names. Errors: RuntimeError that lists everything that does not
        fit.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
        metadata = getattr(state_dict, "_metadata", None)
        state_dict = OrderedDict(state_dict)
        if metadata is not None:
            state_dict._metadata = metadata
        missing_keys: list[str] = []
        unexpected_keys: list[str] = []
        error_msgs: list[str] = []

        def load(module: Any, state: dict, prefix: str) -> None:
            local_metadata = {} if metadata is None else metadata.get(prefix[:-1], {})
            if assign:
                local_metadata["assign_to_params_buffers"] = assign
            # always strict here: the lists are wanted even where they are no errors
            module._load_from_state_dict(state, prefix, local_metadata, True, missing_keys, unexpected_keys, error_msgs)
            for name, child in module._modules.items():
                if child is not None:
                    below = f"{prefix}{name}."
                    load(child, {key: value for key, value in state.items() if key.startswith(below)}, below)
            for hook in module._load_state_dict_post_hooks.values():
                if hook(module, _IncompatibleKeys(missing_keys, unexpected_keys)) is not None:
                    raise AssertionError("Hooks registered with ``register_load_state_dict_post_hook`` are not "
                                         "expected to return new values, if incompatible_keys need to be modified, it "
                                         "should be done inplace.")

        load(self, state_dict, "")
        if strict:
            for kind, keys in (("Unexpected", unexpected_keys), ("Missing", missing_keys)):
                if keys:
                    quoted = ", ".join(f'"{key}"' for key in keys)
                    error_msgs.insert(0, f"{kind} key(s) in state_dict: {quoted}. ")
        if error_msgs:
            raise RuntimeError("Error(s) in loading state_dict for {}:\n\t{}".format(type(self).__name__,
                                                                                     "\n\t".join(error_msgs)))
        return _IncompatibleKeys(missing_keys, unexpected_keys)

    def _load_from_state_dict(self, state_dict: dict, prefix: str, local_metadata: dict, strict: bool,
                              missing_keys: list, unexpected_keys: list, error_msgs: list) -> None:
        """Load this module's own tensors, without those of its children; say in the three lists what does not fit."""
        for hook in self._load_state_dict_pre_hooks.values():
            hook(state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)
        assign = local_metadata.get("assign_to_params_buffers", False)
        own = self._own_state()
        for name, tensor in own.items():
            key = prefix + name
            if key in state_dict:
                error = self._load_tensor(name, tensor, key, state_dict[key], assign)
                if error:
                    error_msgs.append(error)
            elif strict:
                missing_keys.append(key)
        extra_key = prefix + _EXTRA_STATE_KEY_SUFFIX
        if _has_extra_state(self, "set_extra_state"):
            if extra_key in state_dict:
                self.set_extra_state(state_dict[extra_key])
            elif strict:
                missing_keys.append(extra_key)
        elif strict and extra_key in state_dict:
            unexpected_keys.append(extra_key)
        if strict:
            for key in state_dict:
                if key.startswith(prefix) and key != extra_key:
                    head, dot, _ = key[len(prefix):].partition(".")
                    if head not in (self._modules if dot else own):
                        unexpected_keys.append(key)

    def _load_tensor(self, name: str, tensor: Tensor, key: str, given: Any, assign: bool) -> str | None:
        """Load one tensor; returns what is wrong with it, if anything."""
        if not isinstance(given, Tensor):
            return (f'While copying the parameter named "{key}", expected torch.Tensor or Tensor-like object from '
                    "checkpoint but "
                    f"received {type(given)}")
        if not is_lazy(tensor):
            if tensor.ndim == 0 and given.shape == (1,):
                given = given[0]  # PyTorch before 0.4 had no 0-d tensors
            if given.shape != tensor.shape:
                return (f"size mismatch for {key}: copying a param with shape {given.shape} from checkpoint, the shape "
                        f"in current model is {tensor.shape}.")
        if not assign and tensor.is_meta and not given.is_meta:
            warnings.warn(f"for {key}: copying from a non-meta parameter in the checkpoint to a meta parameter in the current model, which "
                          "is a no-op. (Did you mean to pass `assign=True` to assign items in the state dictionary to their corresponding "
                          "key in the module instead of copying them in place?)", stacklevel=2)
        try:
            with flambeau.no_grad():
                if not assign:
                    tensor.copy_(given)
                else:
                    if isinstance(tensor, Parameter):
                        given = (given.requires_grad_(tensor.requires_grad) if isinstance(given, Parameter)
                                 else Parameter(given, requires_grad=tensor.requires_grad))
                    setattr(self, name, given)
        except Exception as error:
            return (f'While copying the parameter named "{key}", whose dimensions in the model are {tensor.size()} and '
                    "whose dimensions "
                    f"in the checkpoint are {given.size()}, an exception occurred : {error.args}.")
        return None

    # ------------------------------------------------------------------ hooks

    def register_state_dict_pre_hook(self, hook: Any) -> RemovableHandle:
        """hook(module, prefix, keep_vars) runs before `state_dict` collects this module's tensors."""
        return _add(self._state_dict_pre_hooks, hook)

    def register_state_dict_post_hook(self, hook: Any) -> RemovableHandle:
        """hook(module, state_dict, prefix, local_metadata) runs after `state_dict`; it may change the dict in place."""
        hook._from_public_api = True
        return _add(self._state_dict_hooks, hook)

    def _register_state_dict_hook(self, hook: Any) -> RemovableHandle:
        if getattr(hook, "_from_public_api", False):
            raise RuntimeError("Cannot register the same function as the state dict post hook that was previously "
                               "registered via register_state_dict_post_hook")
        return _add(self._state_dict_hooks, hook)

    def register_load_state_dict_pre_hook(self, hook: Any) -> RemovableHandle:
        """hook(module, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs) runs
        before this module's tensors are loaded; it may change its arguments in place."""
        return self._register_load_state_dict_pre_hook(hook, with_module=True)

    def _register_load_state_dict_pre_hook(self, hook: Any, with_module: bool = False) -> RemovableHandle:
        return _add(self._load_state_dict_pre_hooks, _WrappedHook(hook, self if with_module else None))

    def register_load_state_dict_post_hook(self, hook: Any) -> RemovableHandle:
        """hook(module, incompatible_keys) runs after this module and those below are loaded; it may change the two
        lists."""
        return _add(self._load_state_dict_post_hooks, hook)


def _add(hooks: OrderedDict, hook: Any) -> RemovableHandle:
    handle = RemovableHandle(hooks)
    hooks[handle.id] = hook
    return handle
