"""Calling a module with other parameters than its own."""
from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ...tensor.tensor import Tensor
from ..modules.module import Module


def _owner(module: Module, path: str) -> tuple[Module, str]:
    parent, _, name = path.rpartition(".")
    return module.get_submodule(parent), name


def _swap(module: Module, path: str, tensor: Tensor) -> Tensor | None:
    """Put `tensor` in the place of the parameter or buffer at `path`; returns what was there (None: nothing)."""
    owner, name = _owner(module, path)
    for table in (owner._parameters, owner._buffers):
        if name in table:
            table[name], old = tensor, table[name]
            return old
    old = owner.__dict__.get(name)
    owner.__dict__[name] = tensor
    return old


def _with_tied(module: Module, given: dict[str, Tensor]) -> dict[str, Tensor]:
    """`given`, and the same tensors under all other names of the tensors that they replace."""
    names: dict[Tensor, list[str]] = {}
    for path, tensor in (*module.named_parameters(remove_duplicate=False),
                         *module.named_buffers(remove_duplicate=False)):
        names.setdefault(tensor, []).append(path)
    result = dict(given)
    for tied in names.values():
        values = {id(given[path]): given[path] for path in tied if path in given}
        if len(values) > 1:
            raise ValueError(f"functional_call got multiple values for keys {sorted(tied)}, which are tied. Consider "
                             "using tie_weights=False")
        for value in values.values():
            result.update(dict.fromkeys(tied, value))
    return result


def _check_names(module: Module, given: dict[str, Tensor]) -> None:
    own = {path for path, _ in (*module.named_parameters(remove_duplicate=False),
                                *module.named_buffers(remove_duplicate=False))}
    messages = [f"{kind} key(s): {', '.join(map(repr, paths))}." for kind, paths in
                (("Unexpected", [path for path in given if path not in own]),
                 ("Missing", sorted(own - given.keys()))) if paths]
    if messages:
        raise RuntimeError("Error(s) in reparametrizing for {}:\n\t{}".format(module._get_name(),
                                                                              "\n\t".join(messages)))


@contextmanager
def _reparametrize_module(module: Module, parameters_and_buffers: dict[str, Tensor], tie_weights: bool = False,
                          strict: bool = False) -> Iterator[None]:
    """A context in which the tensors of `module` are those of the dict; afterwards the dict holds what they became."""
    tensors = _with_tied(module, parameters_and_buffers) if tie_weights else parameters_and_buffers
    if strict:
        _check_names(module, tensors)
    before: dict[str, Tensor | None] = {}
    try:
        for path, tensor in tensors.items():
            before[path] = _swap(module, path, tensor)
        yield
    finally:
        for path, tensor in before.items():
            now = _swap(module, path, tensor)
            if path in parameters_and_buffers:
                parameters_and_buffers[path] = now
            if tensor is None:  # there was nothing of that name
                owner, name = _owner(module, path)
                if name in owner.__dict__:
                    del owner.__dict__[name]


def _functional_call(module: Module, parameters_and_buffers: dict[str, Tensor], args: Any = None,
                     kwargs: dict[str, Any] | None = None, *, tie_weights: bool = True, strict: bool = False) -> Any:
    from ..parallel import DataParallel  # that room imports this one
    if isinstance(module, DataParallel):
        raise RuntimeError("The stateless API can't be used with nn.DataParallel module")
    args = () if args is None else args if isinstance(args, tuple) else (args,)
    with _reparametrize_module(module, parameters_and_buffers, tie_weights=tie_weights, strict=strict):
        return module(*args, **(kwargs or {}))


def functional_call(module: Module, parameters_and_buffers: dict[str, Tensor], args: Any = None,
                    kwargs: dict[str, Any] | None = None, *, tie_weights: bool = True, strict: bool = False) -> Any:
    """Deprecated: module(*args, **kwargs) with the tensors of the dict in place of the module's own; `torch.func` has
    it."""
    warnings.warn("`torch.nn.utils.stateless.functional_call` is deprecated as of PyTorch 2.0 and will be removed in a "
                  "future version of PyTorch. Please use `torch.func.functional_call` instead which is a drop-in "
                  "replacement.", FutureWarning, stacklevel=2)
    return _functional_call(module, parameters_and_buffers, args, kwargs, tie_weights=tie_weights, strict=strict)
