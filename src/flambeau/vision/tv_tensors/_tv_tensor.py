"""`TVTensor`: a Tensor that says what its numbers are, so that a transform knows how to treat it.

An operation on one returns a plain Tensor (the result of a sum is no image), except `clone`, `to`, `detach`,
`requires_grad_` and `pin_memory`, and except inside `set_return_type("TVTensor")`.
"""
from __future__ import annotations

from typing import Any

import flambeau as torch

_return_tv_tensors = False


class _ReturnType:
    """Puts the earlier return type back at the end of a `with` block."""

    def __init__(self, to_restore: bool):
        self.to_restore = to_restore

    def __enter__(self) -> _ReturnType:
        return self

    def __exit__(self, *exc: Any) -> None:
        global _return_tv_tensors
        _return_tv_tensors = self.to_restore


def set_return_type(return_type: str) -> _ReturnType:
    """What operations on TVTensors return from now on, or in a `with` block: "Tensor" (the default) or "TVTensor"."""
    global _return_tv_tensors
    kinds = {"tensor": False, "tvtensor": True}
    if return_type.lower() not in kinds:
        raise ValueError(f"return_type must be 'TVTensor' or 'Tensor', got {return_type}")
    earlier, _return_tv_tensors = _return_tv_tensors, kinds[return_type.lower()]
    return _ReturnType(earlier)


def _first(args: Any, cls: type) -> Any:
    """The first instance of `cls` among arguments and sequences of them."""
    for arg in args:
        found = arg if isinstance(arg, cls) else _first(arg, cls) if isinstance(arg, (list, tuple)) else None
        if found is not None:
            return found
    return None


class TVTensor(torch.Tensor):
    """The base of Image, Video, Mask, BoundingBoxes and KeyPoints. `_metadata` names the attributes that a kind
    adds."""

    _metadata: tuple[str, ...] = ()

    @staticmethod
    def _to_tensor(data: Any, dtype: Any = None, device: Any = None, requires_grad: bool | None = None) -> Any:
        if requires_grad is None:
            requires_grad = data.requires_grad if isinstance(data, torch.Tensor) else False
        tensor = torch.as_tensor(data, dtype=dtype, device=device)
        plain = tensor.as_subclass(torch.Tensor) if isinstance(tensor, TVTensor) else tensor
        return plain if plain.requires_grad == requires_grad else plain.requires_grad_(requires_grad)

    @classmethod
    def _with(cls, tensor: Any, **metadata: Any) -> Any:
        """`tensor` as this kind, with these attributes."""
        wrapped = tensor.as_subclass(cls)
        for name, value in metadata.items():
            setattr(wrapped, name, value)
        return wrapped

    @classmethod
    def wrap(cls, tensor: Any, like: TVTensor, **kwargs: Any) -> Any:
        """`tensor` as this kind, with the attributes of `like` except those given."""
        return cls._with(tensor, **{name: kwargs.get(name, getattr(like, name)) for name in cls._metadata})

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Runs `func`; its results are plain Tensors, or of this kind inside set_return_type("TVTensor")."""
        if not all(issubclass(cls, t) for t in types):
            return NotImplemented
        with torch._C.DisableTorchFunctionSubclass():
            output = func(*args, **(kwargs or {}))
        if _return_tv_tensors:
            return cls._wrapped(output, _first((*args, *(kwargs or {}).values()), cls))
        return output.as_subclass(torch.Tensor) if isinstance(output, cls) else output

    @classmethod
    def _wrapped(cls, output: Any, like: Any) -> Any:
        if isinstance(output, (list, tuple)):
            return type(output)(cls._wrapped(part, like) for part in output)
        return cls.wrap(output, like) if isinstance(output, torch.Tensor) else output

    def _keeping(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """The result of a Tensor method, as this kind."""
        return type(self).wrap(getattr(self.as_subclass(torch.Tensor), method)(*args, **kwargs), self)

    def clone(self, *args: Any, **kwargs: Any) -> Any:
        """A copy of the same kind."""
        return self._keeping("clone", *args, **kwargs)

    def to(self, *args: Any, **kwargs: Any) -> Any:
        """In another dtype, of the same kind."""
        return self._keeping("to", *args, **kwargs)

    def detach(self) -> Any:
        """Cut off from the autograd graph, of the same kind."""
        return self._keeping("detach")

    def requires_grad_(self, requires_grad: bool = True) -> Any:
        """Asks for a gradient; returns a tensor of the same kind on the same memory."""
        super().requires_grad_(requires_grad)
        return self

    def pin_memory(self, *args: Any) -> Any:
        """In pinned memory, of the same kind."""
        return self._keeping("pin_memory", *args)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return self.detach().clone().requires_grad_(self.requires_grad)

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        metadata = ", ".join(f"{name}={getattr(self, name)}" for name in self._metadata)
        return f"{super().__repr__()[:-1]}, {metadata})"
