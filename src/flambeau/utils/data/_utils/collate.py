"""Collation: from a list of samples to one batch of the same structure, with tensors at its leaves.

`default_collate_fn_map` says what becomes of each type of leaf; users add their own types to it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

import numpy as np

import flambeau as torch
from flambeau.utils.data._utils import arrays

default_collate_err_msg_format = (
    "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {}"
)

CollateFnMap = dict[type | tuple[type, ...], Callable]


def _is_namedtuple(value: Any) -> bool:
    return isinstance(value, tuple) and hasattr(value, "_fields")


def _holds_text_or_objects(dtype: np.dtype) -> bool:
    return dtype.kind in "SaUO"


def mapping_like(like: Mapping, values: dict) -> Mapping:
    """`values` as a mapping of `like`'s type and with its other attributes; a dict where that type refuses."""
    try:
        if isinstance(like, MutableMapping):
            clone = copy.copy(like)
            clone.update(values)
            return clone
        return type(like)(values)
    except TypeError:
        return values


def sequence_like(like: Sequence, values: list) -> Sequence:
    """`values` as a sequence of `like`'s type and with its other attributes; a list where that type refuses."""
    try:
        if isinstance(like, MutableSequence):
            clone = copy.copy(like)
            for i, value in enumerate(values):
                clone[i] = value
            return clone
        return type(like)(values)
    except TypeError:
        return values


def default_convert(data: Any) -> Any:
    """NumPy arrays and scalars, anywhere inside mappings and sequences, as tensors; everything else as it is.

    What the loader does with a sample when it does not make batches. Tuples become lists; arrays of strings and
    of objects stay.
    """
    if isinstance(data, torch.Tensor) or isinstance(data, (str, bytes)):
        return data
    if isinstance(data, np.ndarray):
        return data if _holds_text_or_objects(data.dtype) else torch.as_tensor(data)
    if isinstance(data, np.generic):
        return torch.as_tensor(data)
    if isinstance(data, Mapping):
        return mapping_like(data, {key: default_convert(data[key]) for key in data})
    if isinstance(data, Sequence):
        values = [default_convert(value) for value in data]
        if _is_namedtuple(data):
            return type(data)(*values)
        return values if isinstance(data, tuple) else sequence_like(data, values)
    return data


def collate(batch: Sequence, *, collate_fn_map: CollateFnMap | None = None) -> Any:
    """One batch from a list of samples, by the type of the first one.

    Leaves go to the function that `collate_fn_map` has for their type, or else for the first of its types that they
    are an instance of; it is called as `fn(list_of_leaves, collate_fn_map=collate_fn_map)`.
    Mappings and sequences are collated entry by entry and keep their type, but for tuples, which become lists.

    Errors: TypeError for a leaf without a function; RuntimeError for sequences of different lengths.
    """
    elem = batch[0]
    kind = type(elem)
    if collate_fn_map is not None:
        if kind in collate_fn_map:
            return collate_fn_map[kind](batch, collate_fn_map=collate_fn_map)
        for registered, function in collate_fn_map.items():
            if isinstance(elem, registered):
                return function(batch, collate_fn_map=collate_fn_map)

    if isinstance(elem, Mapping):
        return mapping_like(
            elem, {key: collate([sample[key] for sample in batch], collate_fn_map=collate_fn_map) for key in elem}
        )
    if not isinstance(elem, Sequence):
        raise TypeError(default_collate_err_msg_format.format(kind))
    if _is_namedtuple(elem):
        return kind(*(collate(column, collate_fn_map=collate_fn_map) for column in zip(*batch)))
    if any(len(sample) != len(elem) for sample in batch):
        raise RuntimeError("each element in list of batch should be of equal size")
    columns = [collate(column, collate_fn_map=collate_fn_map) for column in zip(*batch)]
    return columns if isinstance(elem, tuple) else sequence_like(elem, columns)


def collate_tensor_fn(batch: Sequence[torch.Tensor], *, collate_fn_map: CollateFnMap | None = None) -> torch.Tensor:
    """Tensors of one shape, stacked along a new first axis."""
    stacked = arrays.stack_tensors(batch)
    return torch.stack(list(batch), 0) if stacked is None else stacked


def collate_numpy_array_fn(batch: Sequence[np.ndarray], *, collate_fn_map: CollateFnMap | None = None) -> Any:
    """Arrays of one shape, as one tensor."""
    if _holds_text_or_objects(batch[0].dtype):
        raise TypeError(default_collate_err_msg_format.format(batch[0].dtype))
    if collate_fn_map and collate_fn_map.get(torch.Tensor) is collate_tensor_fn:
        stacked = arrays.stack(batch) if all(isinstance(array, np.ndarray) for array in batch) else None
        if stacked is not None:
            return arrays.placed(stacked)
    return collate([torch.as_tensor(array) for array in batch], collate_fn_map=collate_fn_map)


def collate_numpy_scalar_fn(batch: Sequence[np.generic], *, collate_fn_map: CollateFnMap | None = None) -> torch.Tensor:
    """NumPy scalars, as a 1-D tensor of their dtype."""
    return torch.as_tensor(batch)


def collate_float_fn(batch: Sequence[float], *, collate_fn_map: CollateFnMap | None = None) -> torch.Tensor:
    """Python floats, as a 1-D float64 tensor."""
    values = np.array(batch)
    return arrays.placed(arrays.tensor_of(values)) if values.dtype == np.float64 else torch.tensor(batch, dtype=torch.float64)


def collate_int_fn(batch: Sequence[int], *, collate_fn_map: CollateFnMap | None = None) -> torch.Tensor:
    """Python ints, as a 1-D int64 tensor (bools: bool)."""
    values = np.array(batch)
    return arrays.placed(arrays.tensor_of(values)) if values.dtype in (np.int64, np.bool_) else torch.tensor(batch)


def collate_str_fn(batch: Sequence, *, collate_fn_map: CollateFnMap | None = None) -> Sequence:
    """Strings and bytes stay a list."""
    return batch


default_collate_fn_map: CollateFnMap = {
    torch.Tensor: collate_tensor_fn,
    np.ndarray: collate_numpy_array_fn,
    (np.bool_, np.number, np.object_): collate_numpy_scalar_fn,
    float: collate_float_fn,
    int: collate_int_fn,
    str: collate_str_fn,
    bytes: collate_str_fn,
}


def default_collate(batch: Sequence) -> Any:
    """A batch from a list of samples of one structure: what the loader does unless given a `collate_fn`.

    tensors (…) and NumPy arrays → tensor (N, …); float → float64, int → int64, bool → bool, NumPy scalars → their
    dtype, (N,) each; str and bytes → a list; mappings and sequences → the same with batches inside (tuple → list).

    Errors: TypeError for other types; RuntimeError for samples of different shapes or lengths.
    """
    return collate(batch, collate_fn_map=default_collate_fn_map)


def collates_as_default(collate_fn: Callable) -> bool:
    """Whether `collate_fn` is `default_collate`, and its way with tensors has not been replaced."""
    return collate_fn is default_collate and default_collate_fn_map.get(torch.Tensor) is collate_tensor_fn
