"""A whole batch of images through a `Compose` at once, with the random numbers that one-by-one work would draw.

A batch-capable transform has a rule here. A rule says, for images of a given kind, how many words of the generator each
image costs, what images come out, and how to compute them on a stack (N, C, H, W). If every transform of a pipeline has
one, the words of all images are drawn together: one row for each image, each transform reading its own columns, which
is the order in which the images would have drawn them one after the other. Otherwise nothing is drawn, and the caller
goes one by one.
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
    """What a transform does to the images of a batch: `run(images, words (N, number of words)) -> images`.

    Images are a sequence of arrays (C, H, W): a stack (N, C, H, W), or a list of views, which crops and flips leave and
    the next computation gathers.
    """

    words: int
    images: Images
    run: Callable[[Any, np.ndarray], Any]


def gather(images: Any, dtype: str) -> np.ndarray:
    """A stack of its own, in this dtype."""
    if isinstance(images, np.ndarray):
        return images.astype(dtype, order="C")
    out = np.empty((len(images), *images[0].shape), dtype)
    for place, image in zip(out, images):
        place[...] = image
    return out


def _keep(images: Any, words: np.ndarray) -> Any:
    return images


def _unit(images: Any, words: np.ndarray) -> np.ndarray:
    scaled = gather(images, "float32")
    scaled /= np.float32(255)
    return scaled


def _to_tensor(t: Any, images: Images) -> Step | None:
    if not images.pil or torch.get_default_dtype() != torch.float32:
        return None
    return Step(0, images._replace(pil=False, dtype="float32"), _unit)


def _pil_to_tensor(t: Any, images: Images) -> Step | None:
    return Step(0, images._replace(pil=False), _keep) if images.pil else None


def _convert_image_dtype(t: Any, images: Images) -> Step | None:
    if images.pil or t.dtype != torch.float32:
        return None
    return Step(0, images._replace(dtype="float32"), _keep if images.dtype == "float32" else _unit)


def _normalize(t: Any, images: Images) -> Step | None:
    if images.pil or images.dtype != "float32":
        return None
    mean, std = (np.array(values, np.float32).reshape(-1, 1, 1) for values in (t.mean, t.std))
    if {mean.size, std.size} - {1, images.channels} or not std.all():
        return None

    def run(stack: Any, words: np.ndarray) -> np.ndarray:
        if not isinstance(stack, np.ndarray):
            stack = gather(stack, "float32")
        stack -= mean
        stack /= std
        return stack

    return Step(0, images, run)


def _sides(padding: Any) -> tuple[int, int, int, int] | None:
    """(left, top, right, bottom), if all are whole and non-negative."""
    sides = (padding,) if isinstance(padding, int) else tuple(padding)
    sides = {1: sides * 4, 2: sides * 2, 4: sides}.get(len(sides))
    return sides if sides and all(isinstance(side, int) and side >= 0 for side in sides) else None


def _pad(t: Any, images: Images) -> Step | None:
    sides = _sides(t.padding)
    if sides is None or t.padding_mode != "constant" or not isinstance(t.fill, int) or not 0 <= t.fill <= 255:
        return None
    left, top, right, bottom = sides
    c, h, w = images[1:4]
    after = images._replace(height=h + top + bottom, width=w + left + right)

    def run(stack: Any, words: np.ndarray) -> np.ndarray:
        out = np.full((len(stack), *after[1:4]), t.fill, images.dtype)
        inner = out[:, :, top:top + h, left:left + w]
        if isinstance(stack, np.ndarray):
            inner[...] = stack
        else:
            for place, image in zip(inner, stack):
                place[...] = image
        return out

    return Step(0, after, run)


def _random_crop(t: Any, images: Images) -> Step | None:
    height, width = t.size
    pad = None
    if t.padding is not None:
        pad = _pad(t, images)
        if pad is None:
            return None
        images = pad.images
    rows, columns = images.height - height + 1, images.width - width + 1
    if rows < 1 or columns < 1:
        return None
    moves = (rows, columns) != (1, 1)

    def run(stack: Any, words: np.ndarray) -> Any:
        if pad is not None:
            stack = pad.run(stack, words)
        if not moves:
            return stack
        tops, lefts = (words[:, 0] % rows).tolist(), (words[:, 1] % columns).tolist()
        return [image[:, i:i + height, j:j + width] for image, i, j in zip(stack, tops, lefts)]

    return Step(2 if moves else 0, images._replace(height=height, width=width), run)


def _center_crop(t: Any, images: Images) -> Step | None:
    height, width = t.size
    if height > images.height or width > images.width:
        return None
    top, left = int(round((images.height - height) / 2.0)), int(round((images.width - width) / 2.0))
    window = (slice(None), slice(top, top + height), slice(left, left + width))
    return Step(0, images._replace(height=height, width=width), lambda stack, words: [image[window] for image in stack])


def _random_flip(reverse: tuple[slice, ...]) -> Callable[[Any, Images], Step]:
    def rule(t: Any, images: Images) -> Step:
        # the draw (word mod 2^24)·2^-24 is below p exactly when word mod 2^24 is below p·2^24
        limit = float(np.float32(t.p)) * 2.0 ** 24

        def run(stack: Any, words: np.ndarray) -> list[np.ndarray]:
            hits = ((words[:, 0] & np.uint32(0xFFFFFF)) < limit).tolist()
            return [image[reverse] if hit else image for image, hit in zip(stack, hits)]

        return Step(1, images, run)
    return rule


def _grayscale(t: Any, images: Images) -> Step | None:
    if not images.pil or images.channels not in (1, 3) or t.num_output_channels not in (1, 3):
        return None

    def run(stack: Any, words: np.ndarray) -> np.ndarray:
        stack = gather(stack, "uint8")
        if images.channels == 3:  # Pillow's luma, in 16-bit fixed point
            r, g, b = (stack[:, k].astype(np.uint32) for k in range(3))
            stack = ((r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16).astype(np.uint8)[:, None]
        return np.repeat(stack, t.num_output_channels, 1)

    return Step(0, images._replace(channels=t.num_output_channels), run)


RULES: dict[type, Callable[[Any, Images], Step | None]] = {
    T.ToTensor: _to_tensor,
    T.PILToTensor: _pil_to_tensor,
    T.ConvertImageDtype: _convert_image_dtype,
    T.Normalize: _normalize,
    T.Pad: _pad,
    T.RandomCrop: _random_crop,
    T.CenterCrop: _center_crop,
    T.RandomHorizontalFlip: _random_flip((slice(None), slice(None), slice(None, None, -1))),
    T.RandomVerticalFlip: _random_flip((slice(None), slice(None, None, -1))),
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


def _build(parts: list[Any], images: Images) -> list[Step] | None:
    steps = []
    for part in parts:
        rule = RULES.get(type(part))
        step = rule(part, images) if rule is not None and not _is_hooked(part) else None
        if step is None:
            return None
        steps.append(step)
        images = step.images
    return None if images.pil else steps


def _state(part: Any) -> dict[str, Any]:
    """What a plan depends on, so that a change of it is noticed."""
    return {name: list(value) if isinstance(value, list) else value for name, value in vars(part).items()}


def _unchanged(part: Any, state: dict[str, Any]) -> bool:
    try:
        return vars(part) == state
    except (ValueError, RuntimeError):  # another array or tensor than before: whether it is equal has no one answer
        return False


_plans: dict[int, tuple[Any, ...]] = {}  # by id of the transform, which the entry keeps alive


def plan(transform: Any, images: Images) -> list[Step] | None:
    """A step for each transform, or None if one of them has no rule for what it gets, or the result is no Tensor."""
    parts = _parts(transform)
    known = _plans.get(id(transform))
    if known is not None and known[1] == images and len(known[2]) == len(parts) and all(
            part is kept and _unchanged(part, state) for part, (kept, state) in zip(parts, known[2])):
        return known[3]
    if len(_plans) >= 16:
        _plans.clear()
    steps = _build(parts, images)
    _plans[id(transform)] = transform, images, [(part, _state(part)) for part in parts], steps
    return steps


def transform_batch(pixels: np.ndarray, indices: Sequence[int], transform: Any, target: Callable[[int], Any],
                    target_transform: Callable | None) -> BatchedSamples | None:
    """The samples `(transform(image i), target_transform(target(i)))` of uint8 `pixels` (N, H, W) or (N, H, W, C) at
    `indices`, or None if they have to be made one by one."""
    channels = pixels.shape[3] if pixels.ndim == 4 else 1
    known = transform is not None and channels in (1, 3)
    steps = plan(transform, Images(True, channels, *pixels.shape[1:3])) if known else None
    if steps is None:
        return None
    needed = sum([step.words for step in steps])
    if needed and target_transform is not None:
        return None  # it might draw, too, between the images
    targets = [target(i) for i in indices]
    if target_transform is not None:
        targets = [target_transform(t) for t in targets]
    if set(map(type, targets)) != {int}:
        return None
    picked = pixels[indices]
    stack = picked.transpose(0, 3, 1, 2) if picked.ndim == 4 else picked[:, None]
    words = _draws.words(len(targets) * needed).reshape(len(targets), needed) if needed else _NO_WORDS
    column = 0
    for step in steps:
        stack = step.run(stack, words[:, column:column + step.words])
        column += step.words
    images = as_tensor(gather(stack, steps[-1].images.dtype) if isinstance(stack, list) else stack)
    return BatchedSamples([images, as_tensor(np.array(targets, np.int64))], len(targets),
                          lambda k: (images[k], targets[k]))


_NO_WORDS = np.empty((0, 0), np.uint32)
