"""Dispatch: a functional looks at the type of its first argument and calls the kernel registered for it.

`register` is the one place where kernels are tied to a functional. A kernel works on what it names: an image kernel on
a Tensor (…, C, H, W), a box kernel on a Tensor of boxes with `format`, `canvas_size` and `clamping_mode` as arguments
where it takes them. Unwrapping and wrapping TVTensors, and dropping arguments that a kernel does not take, happens
here.
"""
from __future__ import annotations

import inspect
import sys
from typing import Any, Callable

import flambeau as torch

from .... import tv_tensors
from ..._functional_pil import _is_pil_image

_KERNELS: dict[Callable, dict[Any, Callable]] = {}
_PIL = "PIL image"  # stands for PIL.Image.Image, which may not be imported
_METADATA = ("format", "canvas_size", "clamping_mode")
_BUILTIN = (tv_tensors.Image, tv_tensors.Video, tv_tensors.Mask, tv_tensors.BoundingBoxes, tv_tensors.KeyPoints,
            tv_tensors.TVTensor)


def is_pure_tensor(inpt: Any) -> bool:
    """Whether `inpt` is a Tensor, but no TVTensor."""
    return isinstance(inpt, torch.Tensor) and not isinstance(inpt, tv_tensors.TVTensor)


def _parameters(function: Callable) -> tuple[str, ...]:
    return tuple(inspect.signature(function).parameters)[1:]


def _rewrap(output: Any, like: Any) -> Any:
    """A kernel's result as what its input was: a Tensor, one with a new canvas size, or a tuple of Tensors."""
    if isinstance(output, torch.Tensor):
        return tv_tensors.wrap(output, like=like)
    if len(output) == 2 and isinstance(output[1], tuple):
        return tv_tensors.wrap(output[0], like=like, canvas_size=output[1])
    return type(output)(_rewrap(part, like) for part in output)


def _on_tv_tensor(kernel: Callable, wrap: bool = True) -> Callable:
    """`kernel` on TVTensors: metadata goes in as arguments, and the result becomes a TVTensor again."""
    names = set(_parameters(kernel))

    def call(inpt: Any, **kwargs: Any) -> Any:
        arguments = {name: value for name, value in kwargs.items() if name in names}
        arguments.update((name, getattr(inpt, name)) for name in _METADATA if name in names and hasattr(inpt, name))
        output = kernel(inpt.as_subclass(torch.Tensor), **arguments)
        return _rewrap(output, inpt) if wrap else output

    return call


def register(functional: Callable, *, image: Callable | None = None, video: Callable | None = None,
             pil: Callable | None = None,
             mask: Callable | None = None, boxes: Callable | None = None, keypoints: Callable | None = None,
             wrap: bool = True) -> None:
    """Ties kernels to `functional`; `video` is `image` unless given (False for none). `wrap`: results are of the
    input's type."""
    kernels: dict[Any, Callable] = {}
    if image is not None:
        kernels[torch.Tensor] = lambda inpt, **kwargs: image(inpt, **kwargs)
        kernels[tv_tensors.Image] = _on_tv_tensor(image, wrap)
    video = image if video is None else video
    if video:
        kernels[tv_tensors.Video] = _on_tv_tensor(video, wrap)
        kernels.setdefault(torch.Tensor, lambda inpt, **kwargs: video(inpt, **kwargs))
    if pil is not None:
        names = set(_parameters(pil))
        kernels[_PIL] = lambda inpt, **kwargs: pil(inpt, **{k: v for k, v in kwargs.items() if k in names})
    for kind, kernel in ((tv_tensors.Mask, mask), (tv_tensors.BoundingBoxes, boxes), (tv_tensors.KeyPoints, keypoints)):
        if kernel is not None:
            kernels[kind] = _on_tv_tensor(kernel, wrap)
    _KERNELS[functional] = kernels


def register_kernel(functional: Callable | str, tv_tensor_cls: type) -> Callable[[Callable], Callable]:
    """A decorator that registers a kernel for a TVTensor class of your own on a functional (or its name).

    The kernel gets and returns your class; nothing is unwrapped. Errors: ValueError for other functionals and classes.
    """
    from . import __dict__ as namespace

    if isinstance(functional, str):
        if functional not in namespace:
            raise ValueError(f"Could not find functional with name '{functional}' in "
                             "torchvision.transforms.v2.functional.")
        functional = namespace[functional]
    elif functional not in _KERNELS:
        raise ValueError("Kernels can only be registered on functionals from the torchvision.transforms.v2.functional "
                         f"namespace, but got {functional}.")
    if not (isinstance(tv_tensor_cls, type) and issubclass(tv_tensor_cls, tv_tensors.TVTensor)):
        raise ValueError("Kernels can only be registered for subclasses of torchvision.tv_tensors.TVTensor, "
                         f"but got {tv_tensor_cls}.")
    if tv_tensor_cls in _BUILTIN:
        raise ValueError(f"Kernels cannot be registered for the builtin tv_tensor classes, but got {tv_tensor_cls}")

    def decorate(kernel: Callable) -> Callable:
        if tv_tensor_cls in _KERNELS[functional]:
            raise ValueError(f"Functional {functional} already has a kernel registered for type {tv_tensor_cls}.")
        _KERNELS[functional][tv_tensor_cls] = kernel
        return kernel

    return decorate


def get_kernel(functional: Callable, input_type: type, allow_passthrough: bool = False) -> Callable | None:
    """The kernel of `functional` for this type or the nearest of its bases; None if there is none and that is
    allowed."""
    kernels = _KERNELS.get(functional)
    if not kernels:
        raise ValueError(f"No kernel registered for functional {functional.__name__}.")
    for cls in input_type.__mro__:
        if cls in kernels:
            return kernels[cls]
        if cls is tv_tensors.TVTensor:
            break
    pil = sys.modules.get("PIL.Image")
    if pil is not None and issubclass(input_type, pil.Image) and _PIL in kernels:
        return kernels[_PIL]
    if allow_passthrough:
        return None
    raise TypeError(f"Functional F.{functional.__name__} supports inputs of type {kernels.keys()}, but got "
                    f"{input_type} instead.")


def call(functional: Callable, inpt: Any, **kwargs: Any) -> Any:
    """The functional's result for `inpt`, by the kernel for its type; TypeError if there is none."""
    return get_kernel(functional, type(inpt))(inpt, **kwargs)


def call_if_supported(functional: Callable, inpt: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """`call`, or `inpt` itself if its type has no kernel; positional arguments are those of `functional` after the
    first."""
    kernel = get_kernel(functional, type(inpt), allow_passthrough=True)
    if kernel is None:
        return inpt
    return kernel(inpt, **dict(zip(_parameters(functional), args)), **kwargs)


def with_leading_dimension(kernel: Callable) -> Callable:
    """An image kernel for masks, which may be (H, W)."""
    def on_mask(mask: Any, *args: Any, **kwargs: Any) -> Any:
        if mask.ndim >= 3:
            return kernel(mask, *args, **kwargs)
        return kernel(mask.unsqueeze(0), *args, **kwargs).squeeze(0)

    return on_mask


__all__ = ["_is_pil_image", "call", "call_if_supported", "get_kernel", "is_pure_tensor", "register", "register_kernel",
           "with_leading_dimension"]
