"""A whole batch of images through a `Compose` at once, with the random numbers that one-by-one work would draw.

A batch-capable transform has a rule here. A rule says, for images of a given kind, how many words of the generator each
image costs, what images come out, and how to compute them on a stack (N, C, H, W). If every transform of a pipeline has
one, the words of all images are drawn together: one row for each image, each transform reading its own columns, which is
the order in which the images would have drawn them one after the other. Otherwise nothing is drawn, and the caller goes
one by one.
"""
from __future__ import annotations

from typing import Any, Callable, NamedTuple, Sequence

import numpy as np

import flambeau as torch
from ...nn import Sequential
from ...utils.data._utils.batch import BatchedSamples

from . import _draws, transforms as T
from ._arrays import as_tensor


class Images(NamedTuple):
    """What a transform gets: PIL images (uint8) or Tensors, all of one shape and dtype."""

    pil: bool
    channels: int
    height: int
    width: int
    dtype: str = "uint8"


class Step(NamedTuple):
    """What a transform does to a stack: `run(stack (N, C, H, W), words (N, number of words)) -> stack`."""

    words: int
    images: Images
    run: Callable[[np.ndarray, np.ndarray], np.ndarray]


def _to_tensor(t: Any, images: Images) -> Step | None:
    if not images.pil or torch.get_default_dtype() != torch.float32:
        return None

    def run(stack: np.ndarray, words: np.ndarray) -> np.ndarray:
        scaled = stack.astype(np.float32, order="C")
        scaled /= np.float32(255)
        return scaled

    return Step(0, images._replace(pil=False, dtype="float32"), run)


def _pil_to_tensor(t: Any, images: Images) -> Step | None:
    return Step(0, images._replace(pil=False), lambda stack, words: stack) if images.pil else None


def _convert_image_dtype(t: Any, images: Images) -> Step | None:
    if images.pil or t.dtype != torch.float32:
        return None
    if images.dtype == "float32":
        return Step(0, images, lambda stack, words: stack)
    return Step(0, images._replace(dtype="float32"), lambda stack, words: stack.astype(np.float32) / np.float32(255))


def _normalize(t: Any, images: Images) -> Step | None:
    if images.pil or images.dtype != "float32":
        return None
    mean, std = (np.array(values, np.float32).reshape(-1, 1, 1) for values in (t.mean, t.std))
    if {mean.size, std.size} - {1, images.channels} or not std.all():
        return None

    def run(stack: np.ndarray, words: np.ndarray) -> np.ndarray:
        stack = np.subtract(stack, mean, out=stack)
        return np.divide(stack, std, out=stack)

    return Step(0, images, run)


def _sides(padding: Any) -> tuple[int, int, int, int] | None:
    """(left, top, right, bottom), if all are whole and non-negative."""
    sides = (padding,) if isinstance(padding, int) else tuple(padding)
    sides = {1: sides * 4, 2: sides * 2, 4: sides}.get(len(sides))
    return sides if sides and all(isinstance(side, int) and side >= 0 for side in sides) else None


def _padded(stack: np.ndarray, sides: tuple[int, int, int, int], fill: float) -> np.ndarray:
    left, top, right, bottom = sides
    n, c, h, w = stack.shape
    out = (np.full if fill else np.zeros)((n, c, h + top + bottom, w + left + right), *([fill] if fill else []), dtype=stack.dtype)
    out[:, :, top:top + h, left:left + w] = stack
    return out


def _pad(t: Any, images: Images) -> Step | None:
    sides = _sides(t.padding)
    if sides is None or t.padding_mode != "constant" or not isinstance(t.fill, int) or not 0 <= t.fill <= 255:
        return None
    left, top, right, bottom = sides
    after = images._replace(height=images.height + top + bottom, width=images.width + left + right)
    return Step(0, after, lambda stack, words: _padded(stack, sides, t.fill))


def _windows(stack: np.ndarray, tops: np.ndarray, lefts: np.ndarray, height: int, width: int) -> np.ndarray:
    """The window of each image at its own place."""
    out = np.empty((*stack.shape[:2], height, width), stack.dtype)
    for k, (top, left) in enumerate(zip(tops.tolist(), lefts.tolist())):
        out[k] = stack[k, :, top:top + height, left:left + width]
    return out


def _random_crop(t: Any, images: Images) -> Step | None:
    height, width = t.size
    before = None
    if t.padding is not None:
        before = _pad(t, images)
        if before is None:
            return None
        images = before.images
    rows, columns = images.height - height + 1, images.width - width + 1
    if rows < 1 or columns < 1:
        return None
    after = images._replace(height=height, width=width)
    moves = (rows, columns) != (1, 1)

    def run(stack: np.ndarray, words: np.ndarray) -> np.ndarray:
        if before is not None:
            stack = before.run(stack, words)
        return _windows(stack, words[:, 0] % rows, words[:, 1] % columns, height, width) if moves else stack

    return Step(2 if moves else 0, after, run)


def _center_crop(t: Any, images: Images) -> Step | None:
    height, width = t.size
    if height > images.height or width > images.width:
        return None
    top, left = int(round((images.height - height) / 2.0)), int(round((images.width - width) / 2.0))
    return Step(0, images._replace(height=height, width=width),
                lambda stack, words: stack[:, :, top:top + height, left:left + width])


def _random_flip(reverse: tuple[Any, ...]) -> Callable[[Any, Images], Step]:
    def rule(t: Any, images: Images) -> Step:
        # the draw (word mod 2^24)·2^-24 is below p exactly when word mod 2^24 is below p·2^24
        limit = float(np.float32(t.p)) * 2.0 ** 24

        def run(stack: np.ndarray, words: np.ndarray) -> np.ndarray:
            chosen = np.flatnonzero((words[:, 0] & np.uint32(0xFFFFFF)) < limit)
            if stack.base is not None or not stack.flags.writeable:
                stack = stack.copy()
            stack[chosen] = stack[chosen][reverse]
            return stack

        return Step(1, images, run)
    return rule


def _grayscale(t: Any, images: Images) -> Step | None:
    if not images.pil or images.channels not in (1, 3) or t.num_output_channels not in (1, 3):
        return None

    def run(stack: np.ndarray, words: np.ndarray) -> np.ndarray:
        if stack.shape[1] == 3:  # Pillow's luma, in 16-bit fixed point
            r, g, b = (stack[:, k].astype(np.uint32) for k in range(3))
            stack = ((r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16).astype(np.uint8)[:, None]
        return np.repeat(stack, t.num_output_channels, 1)

    return Step(0, images._replace(channels=t.num_output_channels), run)


_EVERYTHING = (slice(None),) * 2
RULES: dict[type, Callable[[Any, Images], Step | None]] = {
    T.ToTensor: _to_tensor,
    T.PILToTensor: _pil_to_tensor,
    T.ConvertImageDtype: _convert_image_dtype,
    T.Normalize: _normalize,
    T.Pad: _pad,
    T.RandomCrop: _random_crop,
    T.CenterCrop: _center_crop,
    T.RandomHorizontalFlip: _random_flip((*_EVERYTHING, slice(None), slice(None, None, -1))),
    T.RandomVerticalFlip: _random_flip((*_EVERYTHING, slice(None, None, -1))),
    T.Grayscale: _grayscale,
}


def _parts(transform: Any) -> list[Any]:
    """The transforms of a composition, nested ones included."""
    if type(transform) is T.Compose:
        return [part for t in transform.transforms for part in _parts(t)]
    if type(transform) is Sequential:
        return [part for t in transform for part in _parts(t)]
    return [transform]


def _is_hooked(transform: Any) -> bool:
    """Whether somebody has attached something to a module that only calling it would honour."""
    return bool(getattr(transform, "_forward_hooks", None) or getattr(transform, "_forward_pre_hooks", None)
                or "forward" in vars(transform))


def plan(transform: Any, images: Images) -> list[Step] | None:
    """A step for each transform, or None if one of them has no rule for what it gets, or the result is no Tensor."""
    steps = []
    for part in _parts(transform):
        rule = RULES.get(type(part))
        step = rule(part, images) if rule is not None and not _is_hooked(part) else None
        if step is None:
            return None
        steps.append(step)
        images = step.images
    return None if images.pil else steps


def transform_batch(pixels: np.ndarray, indices: Sequence[int], transform: Any, target: Callable[[int], Any],
                    target_transform: Callable | None) -> BatchedSamples | None:
    """The samples `(transform(image i), target_transform(target(i)))` of uint8 `pixels` (N, H, W) or (N, H, W, C) at
    `indices`, or None if they have to be made one by one."""
    channels = pixels.shape[3] if pixels.ndim == 4 else 1
    steps = plan(transform, Images(True, channels, *pixels.shape[1:3])) if channels in (1, 3) else None
    if steps is None:
        return None
    needed = sum(step.words for step in steps)
    if needed and target_transform is not None:
        return None  # it might draw, too, between the images
    targets = [target(i) for i in indices]
    if target_transform is not None:
        targets = [target_transform(t) for t in targets]
    if set(map(type, targets)) != {int}:
        return None
    picked = pixels[indices]
    stack = picked.transpose(0, 3, 1, 2) if picked.ndim == 4 else picked[:, None]
    words = _draws.words(len(targets) * needed).reshape(len(targets), needed) if needed else np.empty((len(targets), 0), np.uint32)
    column = 0
    for step in steps:
        stack = step.run(stack, words[:, column:column + step.words])
        column += step.words
    images = as_tensor(stack)
    collated = [images, as_tensor(np.array(targets, np.int64))]
    return BatchedSamples(collated, len(targets), lambda k: (images[k], targets[k]))
