"""What samples contain, and arguments that several transforms share."""
from __future__ import annotations

import collections.abc
import numbers
from collections.abc import Sequence
from typing import Any, Callable

import flambeau as torch

from ... import tv_tensors
from .._functional_pil import _is_pil_image
from ..transforms import _check_sequence_input, _setup_angle, _setup_size
from .functional import get_dimensions, get_size, is_pure_tensor

__all__ = ["_check_sequence_input", "_setup_angle", "_setup_size", "check_type", "get_bounding_boxes", "get_keypoints",
           "has_all", "has_any", "is_pure_tensor", "query_chw", "query_size"]

_IMAGES = (is_pure_tensor, tv_tensors.Image, _is_pil_image, tv_tensors.Video)


def _setup_number_or_seq(arg: Any, name: str) -> list[float]:
    """[float, float] of a number or a sequence of one or two."""
    if not isinstance(arg, (int, float, Sequence)):
        raise TypeError(f"{name} should be a number or a sequence of numbers. Got {type(arg)}")
    if isinstance(arg, (int, float)):
        return [float(arg), float(arg)]
    if len(arg) not in (1, 2):
        raise ValueError(f"If {name} is a sequence its length should be 1 or 2. Got {len(arg)}")
    for element in arg:
        if not isinstance(element, (int, float)):
            raise ValueError(f"{name} should be a sequence of numbers. Got {type(element)}")
    return [float(arg[0]), float(arg[-1])]


def _setup_fill_arg(fill: Any) -> dict[Any, Any]:
    """Fills by input type; "others" is the rest. A dict stays one."""
    if isinstance(fill, dict):
        return {kind: _setup_fill_arg(value)["others"] for kind, value in fill.items()}
    if fill is not None and not isinstance(fill, (numbers.Number, tuple, list)):
        raise TypeError("Got inappropriate fill arg, only Numbers, tuples, lists and dicts are allowed.")
    return {"others": fill if fill is None or isinstance(fill, (int, float)) else [float(v) for v in fill]}


def _get_fill(fills: dict[Any, Any], kind: type) -> Any:
    """The fill for an input of this type; None (which is 0) if the dict names neither it nor "others"."""
    return fills[kind] if kind in fills else fills.get("others")


def _check_padding_arg(padding: Any) -> None:
    fits = isinstance(padding, int) or (isinstance(padding, (tuple, list)) and len(padding) in (1, 2, 4)
                                        and all(isinstance(p, int) for p in padding))
    if not fits:
        raise ValueError(f"Padding must be an int or a 1, 2, or 4 element of tuple or list, got {padding}.")


def _check_padding_mode_arg(padding_mode: str) -> None:
    if padding_mode not in ("constant", "edge", "reflect", "symmetric"):
        raise ValueError("Padding mode should be either constant, edge, reflect or symmetric")


def _find_labels_default_heuristic(inputs: Any) -> Any:
    """The labels of a sample: its second part, or in that (or the sample itself) the key that says "label"."""
    if isinstance(inputs, (tuple, list)):
        inputs = inputs[1]
    if is_pure_tensor(inputs):
        return inputs
    if not isinstance(inputs, collections.abc.Mapping):
        raise ValueError("When using the default labels_getter, the input passed to forward must be a dictionary or a "
                         "two-tuple "
                         f"whose second item is a dictionary or a tensor, but got {inputs} instead.")
    for fits in (lambda key: key.lower() == "labels", lambda key: "label" in key.lower()):
        for key in inputs:
            if fits(key):
                return inputs[key]
    raise ValueError("Could not infer where the labels are in the sample. Try passing a callable as the labels_getter "
                     "parameter?"
                     "If there are no labels in the sample by design, pass labels_getter=None.")


def _parse_labels_getter(labels_getter: Any) -> Callable[[Any], Any]:
    if labels_getter == "default":
        return _find_labels_default_heuristic
    if callable(labels_getter):
        return labels_getter
    if labels_getter is None:
        return lambda _: None
    raise ValueError(f"labels_getter should either be 'default', a callable, or None, but got {labels_getter}.")


def check_type(obj: Any, types_or_checks: tuple[Any, ...]) -> bool:
    """Whether `obj` is of one of the types, or passes one of the checks."""
    return any(isinstance(obj, one) if isinstance(one, type) else one(obj) for one in types_or_checks)


def has_any(flat_inputs: list[Any], *types_or_checks: Any) -> bool:
    """Whether an input is of one of the types."""
    return any(check_type(inpt, types_or_checks) for inpt in flat_inputs)


def has_all(flat_inputs: list[Any], *types_or_checks: Any) -> bool:
    """Whether each of the types occurs among the inputs."""
    return all(has_any(flat_inputs, one) for one in types_or_checks)


def get_bounding_boxes(flat_inputs: list[Any]) -> Any:
    """The first BoundingBoxes of a sample; ValueError if there are none."""
    return _first(flat_inputs, tv_tensors.BoundingBoxes, "No bounding boxes were found in the sample")


def get_keypoints(flat_inputs: list[Any]) -> Any:
    """The first KeyPoints of a sample; ValueError if there are none."""
    return _first(flat_inputs, tv_tensors.KeyPoints, "No keypoints were found in the sample")


def _first(flat_inputs: list[Any], kind: type, message: str) -> Any:
    for inpt in flat_inputs:
        if isinstance(inpt, kind):
            return inpt
    raise ValueError(message)


def _listed(sizes: set[tuple[int, ...]]) -> str:
    names = [str(size) for size in sorted(sizes)]
    return " and ".join(names) if len(names) < 3 else f"{', '.join(names[:-1])}, and {names[-1]}"


def query_chw(flat_inputs: list[Any]) -> tuple[int, int, int]:
    """(channels, height, width) of the images and videos of a sample. Errors: TypeError if none, ValueError if they
    differ."""
    found = {tuple(get_dimensions(inpt)) for inpt in flat_inputs if check_type(inpt, _IMAGES)}
    if not found:
        raise TypeError("No image or video was found in the sample")
    if len(found) > 1:
        raise ValueError(f"Found multiple CxHxW dimensions in the sample: {_listed(found)}")
    return found.pop()


def query_size(flat_inputs: list[Any]) -> tuple[int, int]:
    """(height, width) of everything in a sample that has one. Errors: TypeError if nothing, ValueError if they
    differ."""
    kinds = (*_IMAGES, tv_tensors.Mask, tv_tensors.BoundingBoxes, tv_tensors.KeyPoints)
    found = {tuple(get_size(inpt)) for inpt in flat_inputs if check_type(inpt, kinds)}
    if not found:
        raise TypeError("No image, video, mask, bounding box of keypoint was found in the sample")
    if len(found) > 1:
        raise ValueError(f"Found multiple HxW dimensions in the sample: {_listed(found)}")
    return found.pop()


def _labels_of(getter: Callable[[Any], Any], inputs: Any) -> tuple[Any, ...] | None:
    """The label Tensors that the getter finds, as a tuple; ValueError if they are something else."""
    labels = getter(inputs)
    if labels is None:
        return None
    entries = labels if isinstance(labels, (tuple, list)) else (labels,)
    for entry in entries:
        if not isinstance(entry, torch.Tensor):
            raise ValueError(f"The labels in the input to forward() must be a tensor or None, got {type(entry)} "
                             "instead.")
    return tuple(entries)
