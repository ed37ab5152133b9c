"""Checks and normal forms of the arguments that several geometric kernels share."""
from __future__ import annotations

import numbers
from typing import Any, Sequence

from ..._kernels import geometry
from ...functional import InterpolationMode, _interpolation_modes_from_int, _two_shears


def interpolation_mode(interpolation: Any) -> InterpolationMode:
    """The InterpolationMode of a name, a Pillow number or itself."""
    if isinstance(interpolation, str):
        names = [mode.value for mode in InterpolationMode]
        if interpolation not in names:
            raise ValueError(f"Invalid interpolation mode: '{interpolation}'. Supported string values are: {names}.")
        return InterpolationMode(interpolation)
    if isinstance(interpolation, int):
        return _interpolation_modes_from_int(interpolation)
    if not isinstance(interpolation, InterpolationMode):
        raise ValueError("Argument interpolation should be an `InterpolationMode` or a corresponding Pillow integer "
                         "constant, "
                         f"but got {interpolation}.")
    return interpolation


def affine_arguments(angle: Any, translate: Any, scale: float, shear: Any,
                     center: Any = None) -> tuple[float, list[float], list[float], list[float] | None]:
    """(angle, translate, shear, center) checked, as floats and lists."""
    if not isinstance(angle, (int, float)):
        raise TypeError("Argument angle should be int or float")
    if not isinstance(translate, (list, tuple)):
        raise TypeError("Argument translate should be a sequence")
    if len(translate) != 2:
        raise ValueError("Argument translate should be a sequence of length 2")
    if scale <= 0.0:
        raise ValueError("Argument scale should be positive")
    shear = _two_shears(shear)
    if center is not None and not isinstance(center, (list, tuple)):
        raise TypeError("Argument center should be a sequence")
    return float(angle), list(translate), shear, None if center is None else [float(c) for c in center]


def perspective_coefficients(startpoints: Any, endpoints: Any, coefficients: Any) -> list[float]:
    """The eight coefficients, given or computed from corners; exactly one of the two must be given."""
    if coefficients is not None:
        if startpoints is not None and endpoints is not None:
            raise ValueError("The startpoints/endpoints and the coefficients shouldn't be defined concurrently.")
        if len(coefficients) != 8:
            raise ValueError("Argument coefficients should have 8 float values")
        return coefficients
    if startpoints is None or endpoints is None:
        raise ValueError("Either the startpoints/endpoints or the coefficients must have non `None` values.")
    return geometry.perspective_coefficients(startpoints, endpoints)


def pad_sides(padding: int | Sequence[int]) -> list[int]:
    """[left, right, top, bottom] of one number, two (x, y) or four (left, top, right, bottom)."""
    if isinstance(padding, int):
        return [padding] * 4
    if not isinstance(padding, (tuple, list)):
        raise TypeError(f"`padding` should be an integer or tuple or list of integers, but got {padding}")
    if len(padding) == 1:
        return [padding[0]] * 4
    if len(padding) == 2:
        return [padding[0], padding[0], padding[1], padding[1]]
    if len(padding) != 4:
        raise ValueError(f"Padding must be an int or a 1, 2, or 4 element tuple or list. Found {len(padding)}")
    left, top, right, bottom = padding
    return [left, right, top, bottom]


def pair(size: Any) -> list[int]:
    """[height, width] of a number or a sequence of one or two."""
    if isinstance(size, numbers.Number):
        return [int(size), int(size)]
    return [size[0], size[0]] if len(size) == 1 else list(size)


def center_crop_anchor(crop_height: int, crop_width: int, height: int, width: int) -> tuple[int, int]:
    """(top, left) of a window in the middle."""
    return int(round((height - crop_height) / 2.0)), int(round((width - crop_width) / 2.0))
