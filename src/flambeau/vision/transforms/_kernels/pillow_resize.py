"""Pillow's resizing of RGB images, bit for bit, in a fraction of its time: weights in 22-bit fixed point, all channels
of a pixel in one vector, rounded to 8 bits after each axis.
"""
from __future__ import annotations

import ctypes
from functools import lru_cache
from typing import Any, Callable, NamedTuple

import numpy as np

BITS = 22  # of a weight behind the point


def _taps_of(position: str) -> str:
    """Loads what the sum at an output position is of: `length` inputs from the `first` on, by `weights`."""
    return f"""%start_at = getelementptr i64, ptr %start, i64 {position}
  %first = load i64, ptr %start_at
  %count_at = getelementptr i64, ptr %count, i64 {position}
  %length = load i64, ptr %count_at
  %weight_row = mul i64 {position}, %taps
  %weights = getelementptr i32, ptr %weight, i64 %weight_row"""


# rows × n pixels, each a weighted sum of `count` pixels (4 bytes each) from `start` on; 3 bytes each come out, but the
# last store writes one more. Then n rows, each a weighted sum of rows (of `width` bytes), by way of `sums`.
_IR = """
declare <4 x i32> @llvm.smax.v4i32(<4 x i32>, <4 x i32>)
declare <4 x i32> @llvm.smin.v4i32(<4 x i32>, <4 x i32>)
declare i32 @llvm.smax.i32(i32, i32)
declare i32 @llvm.smin.i32(i32, i32)

define void @horizontal(ptr noalias %in, ptr noalias %out, ptr noalias %start, ptr noalias %count, ptr noalias %weight,
                        i64 %rows, i64 %n, i64 %taps, i64 %pitch) {
entry:
  %out_pitch = mul i64 %n, 3
  br label %row
row:
  %y = phi i64 [0, %entry], [%next_y, %row_done]
  %in_offset = mul i64 %y, %pitch
  %source = getelementptr i8, ptr %in, i64 %in_offset
  %out_offset = mul i64 %y, %out_pitch
  %target = getelementptr i8, ptr %out, i64 %out_offset
  br label %pixel
pixel:
  %x = phi i64 [0, %row], [%next_x, %pixel_done]
  TAPS(%x)
  %window = getelementptr <4 x i8>, ptr %source, i64 %first
  br label %tap
tap:
  %k = phi i64 [0, %pixel], [%next_k, %tap]
  %sum = phi <4 x i32> [<i32 HALF, i32 HALF, i32 HALF, i32 HALF>, %pixel], [%next_sum, %tap]
  %pixel_at = getelementptr <4 x i8>, ptr %window, i64 %k
  %bytes = load <4 x i8>, ptr %pixel_at, align 1
  %value = zext <4 x i8> %bytes to <4 x i32>
  %weight_at = getelementptr i32, ptr %weights, i64 %k
  %one = load i32, ptr %weight_at
  %lane = insertelement <4 x i32> poison, i32 %one, i32 0
  %all = shufflevector <4 x i32> %lane, <4 x i32> poison, <4 x i32> zeroinitializer
  %product = mul <4 x i32> %value, %all
  %next_sum = add <4 x i32> %sum, %product
  %next_k = add i64 %k, 1
  %more_taps = icmp ult i64 %next_k, %length
  br i1 %more_taps, label %tap, label %pixel_done
pixel_done:
  %whole = ashr <4 x i32> %next_sum, <i32 BITS, i32 BITS, i32 BITS, i32 BITS>
  %low = call <4 x i32> @llvm.smax.v4i32(<4 x i32> %whole, <4 x i32> zeroinitializer)
  %high = call <4 x i32> @llvm.smin.v4i32(<4 x i32> %low, <4 x i32> <i32 255, i32 255, i32 255, i32 255>)
  %result = trunc <4 x i32> %high to <4 x i8>
  %x3 = mul i64 %x, 3
  %result_at = getelementptr i8, ptr %target, i64 %x3
  store <4 x i8> %result, ptr %result_at, align 1
  %next_x = add i64 %x, 1
  %more_pixels = icmp ult i64 %next_x, %n
  br i1 %more_pixels, label %pixel, label %row_done
row_done:
  %next_y = add i64 %y, 1
  %more_rows = icmp ult i64 %next_y, %rows
  br i1 %more_rows, label %row, label %done
done:
  ret void
}

define void @vertical(ptr noalias %in, ptr noalias %out, ptr noalias %sums, ptr noalias %start, ptr noalias %count,
                      ptr noalias %weight, i64 %n, i64 %taps, i64 %width) {
entry:
  br label %row
row:
  %y = phi i64 [0, %entry], [%next_y, %row_done]
  TAPS(%y)
  %in_offset = mul i64 %first, %width
  %source = getelementptr i8, ptr %in, i64 %in_offset
  %out_offset = mul i64 %y, %width
  %target = getelementptr i8, ptr %out, i64 %out_offset
  br label %clear
clear:
  %i = phi i64 [0, %row], [%next_i, %clear]
  %clear_at = getelementptr i32, ptr %sums, i64 %i
  store i32 HALF, ptr %clear_at
  %next_i = add i64 %i, 1
  %more_clear = icmp ult i64 %next_i, %width
  br i1 %more_clear, label %clear, label %tap
tap:
  %k = phi i64 [0, %clear], [%next_k, %tap_done]
  %weight_at = getelementptr i32, ptr %weights, i64 %k
  %one = load i32, ptr %weight_at
  %tap_offset = mul i64 %k, %width
  %line = getelementptr i8, ptr %source, i64 %tap_offset
  br label %add
add:
  %j = phi i64 [0, %tap], [%next_j, %add]
  %byte_at = getelementptr i8, ptr %line, i64 %j
  %byte = load i8, ptr %byte_at
  %value = zext i8 %byte to i32
  %product = mul i32 %value, %one
  %sum_at = getelementptr i32, ptr %sums, i64 %j
  %sum = load i32, ptr %sum_at
  %next_sum = add i32 %sum, %product
  store i32 %next_sum, ptr %sum_at
  %next_j = add i64 %j, 1
  %more_add = icmp ult i64 %next_j, %width
  br i1 %more_add, label %add, label %tap_done
tap_done:
  %next_k = add i64 %k, 1
  %more_taps = icmp ult i64 %next_k, %length
  br i1 %more_taps, label %tap, label %round
round:
  %r = phi i64 [0, %tap_done], [%next_r, %round]
  %total_at = getelementptr i32, ptr %sums, i64 %r
  %total = load i32, ptr %total_at
  %whole = ashr i32 %total, BITS
  %low = call i32 @llvm.smax.i32(i32 %whole, i32 0)
  %high = call i32 @llvm.smin.i32(i32 %low, i32 255)
  %result = trunc i32 %high to i8
  %result_at = getelementptr i8, ptr %target, i64 %r
  store i8 %result, ptr %result_at
  %next_r = add i64 %r, 1
  %more_round = icmp ult i64 %next_r, %width
  br i1 %more_round, label %round, label %row_done
row_done:
  %next_y = add i64 %y, 1
  %more_rows = icmp ult i64 %next_y, %n
  br i1 %more_rows, label %row, label %done
done:
  ret void
}
""".replace("HALF", str(1 << BITS - 1)).replace("BITS", str(BITS))
_IR = _IR.replace("TAPS(%x)", _taps_of("%x")).replace("TAPS(%y)", _taps_of("%y"))


@lru_cache(None)
def _functions() -> tuple[Any, Any]:
    """(horizontal, vertical), which release the GIL."""
    from ....compiler.cache import compile_cached
    from ....compiler.llvm import jit
    from ....compiler.llvm.target import host_target

    library = jit.load(compile_cached(_IR, host_target(), vectorize=True), ["horizontal", "vertical"])
    p, n = ctypes.c_void_p, ctypes.c_int64
    return (library.function("horizontal", None, p, p, p, p, p, n, n, n, n),
            library.function("vertical", None, p, p, p, p, p, p, n, n, n))


def _triangle(x: np.ndarray) -> np.ndarray:
    return np.maximum(1.0 - x, 0.0)


def _keys(x: np.ndarray) -> np.ndarray:
    a = -0.5
    near, far = ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0, (((x - 5.0) * x + 8.0) * x - 4.0) * a
    return np.where(x < 1.0, near, np.where(x < 2.0, far, 0.0))


# Filters of Pillow's `Image.Resampling` by number: (function of the distance, where it ends)
FILTERS: dict[int, tuple[Callable[[np.ndarray], np.ndarray], float]] = {2: (_triangle, 1.0), 3: (_keys, 2.0)}


class _Taps(NamedTuple):
    """For each output position: the first input position, how many there are, their weights (size, taps)."""

    start: np.ndarray
    count: np.ndarray
    weight: np.ndarray


@lru_cache(256)
def _taps(n: int, size: int, resample: int) -> _Taps:
    """Of a filter stretched by the reduction factor."""
    function, reach = FILTERS[resample]
    scale = n / size
    stretch = max(scale, 1.0)
    support = reach * stretch
    center = (np.arange(size) + 0.5) * scale
    start = np.maximum((center - support + 0.5).astype(np.int64), 0)
    count = np.minimum((center + support + 0.5).astype(np.int64), n) - start
    k = np.arange(count.max())
    weight = function(np.abs((k + start[:, None] - center[:, None] + 0.5) * (1.0 / stretch)))
    weight = np.where(k < count[:, None], weight, 0.0)
    total = np.zeros(size)
    for column in weight.T:  # one after the other, as Pillow adds them
        total = total + column
    weight = weight / np.where(total == 0.0, 1.0, total)[:, None] * (1 << BITS)
    return _Taps(start, count, np.ascontiguousarray(np.trunc(weight + np.copysign(0.5, weight)).astype(np.int32)))


class _ArrowArray(ctypes.Structure):
    """The Arrow C data interface, as far as the address of a child's values."""


_ArrowArray._fields_ = [("length", ctypes.c_int64), ("null_count", ctypes.c_int64), ("offset", ctypes.c_int64),
                        ("n_buffers", ctypes.c_int64), ("n_children", ctypes.c_int64),
                        ("buffers", ctypes.POINTER(ctypes.c_void_p)),
                        ("children", ctypes.POINTER(ctypes.POINTER(_ArrowArray)))]


def _memory(image: Any) -> tuple[int, Any]:
    """(address of an RGB image's pixels, 4 bytes each, row after row; what keeps them there)."""
    try:
        _, capsule = image.__arrow_c_array__()
    except (AttributeError, ValueError):  # an older Pillow, or an image in several blocks of memory
        pixels = image.tobytes("raw", "RGBX")
        return np.frombuffer(pixels, np.uint8).ctypes.data, pixels
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    array = ctypes.cast(pointer(capsule, b"arrow_array"), ctypes.POINTER(_ArrowArray)).contents
    return array.children[0].contents.buffers[1], (image, capsule)


def _vertical_first(image: Any, height: int, width: int) -> bool:
    """Pillow's order of the axes since 13.0, where the height shrinks by more than twice what the width does."""
    shrinks = image.height - height
    return shrinks > 0 and shrinks > 2 * (image.width - width)


def _horizontal_first(image: Any, height: int, width: int) -> bool:
    return False  # Pillow's order before 13.0


def _resized(image: Any, height: int, width: int, resample: int, vertical_first: Callable[..., bool]) -> np.ndarray:
    horizontal, vertical = _functions()
    across, down = _taps(image.width, width, resample), _taps(image.height, height, resample)
    address, keep = _memory(image)

    def sum_pixels(source: int, target: np.ndarray, rows: int) -> None:
        horizontal(source, target.ctypes.data, *(part.ctypes.data for part in across), rows, width,
                   across.weight.shape[1], image.width * 4)

    def sum_rows(source: int, target: np.ndarray, row: int) -> None:
        sums = np.empty(row, np.int32)
        vertical(source, target.ctypes.data, sums.ctypes.data, *(part.ctypes.data for part in down),
                 height, down.weight.shape[1], row)

    result = np.empty(height * width * 3 + 1, np.uint8)
    if vertical_first(image, height, width):
        low = np.empty(height * image.width * 4, np.uint8)
        sum_rows(address, low, image.width * 4)
        sum_pixels(low.ctypes.data, result, height)
    else:
        narrow = np.empty(image.height * width * 3 + 1, np.uint8)
        sum_pixels(address, narrow, image.height)
        sum_rows(narrow.ctypes.data, result, width * 3)
    del keep
    return result[:-1].reshape(height, width, 3)


@lru_cache(None)
def _order() -> Callable[..., bool] | None:
    """The order that the installed Pillow is found to have; None if it is another, or rounds in another way."""
    from PIL import Image

    noise = np.random.default_rng(0).integers(0, 256, (37, 41, 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    for order in (_vertical_first, _horizontal_first):
        if all(np.array_equal(_resized(image, *size, resample, order), image.resize(size[::-1], resample))
               for size in ((9, 40), (30, 12), (50, 60), (5, 50)) for resample in FILTERS):
            return order
    return None


def is_available() -> bool:
    """Whether `resize` gives what the installed Pillow gives, which is tried out."""
    return _order() is not None


def resize(image: Any, height: int, width: int, resample: int) -> np.ndarray:
    """`numpy.asarray(image.resize((width, height), resample))` of an RGB image, for a filter in FILTERS."""
    order = _order()
    assert order is not None, "ask is_available() first"
    return _resized(image, height, width, resample, order)
