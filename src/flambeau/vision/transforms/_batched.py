"""A whole batch of images through a `Compose` at once, with the random numbers that one-by-one work would draw.

A batch-capable transform has a rule here. A rule says, for images of a given kind, how many words of the generator each
image costs, what images come out, and how to compute them on a stack (N, C, H, W). If every transform of a pipeline has
one, the words of all images are drawn together: one row for each image, each transform reading its own columns, which
is the order in which the images would have drawn them one after the other. Otherwise nothing is drawn, and the caller
goes one by one.
"""
from __future__ import annotations

import functools
from types import SimpleNamespace
from typing import Any, Callable, NamedTuple, Sequence

import numpy as np

import flambeau as torch
from ...nn import Sequential
from ...utils.data._utils.arrays import tensor_of
from ...utils.data._utils.batch import BatchedSamples

from . import _draws, transforms as T


class Images(NamedTuple):
    """What a transform gets: images of one kind ("pil", which is uint8, "tensor", or "Image"), shape and dtype."""

    kind: str
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


def _unit_by_product(images: Any, words: np.ndarray) -> np.ndarray:
    scaled = gather(images, "float32")
    scaled *= np.float32(1 / 255)
    return scaled


def _as_float(images: Any, words: np.ndarray) -> np.ndarray:
    return gather(images, "float32")


def _to_tensor(t: Any, images: Images) -> Step | None:
    if images.kind != "pil" or torch.get_default_dtype() != torch.float32:
        return None
    return Step(0, images._replace(kind="tensor", dtype="float32"), _unit)


def _pil_to_tensor(t: Any, images: Images) -> Step | None:
    return Step(0, images._replace(kind="tensor"), _keep) if images.kind == "pil" else None


def _to_image(t: Any, images: Images) -> Step:
    return Step(0, images._replace(kind="Image"), _keep)


def _to_pure_tensor(t: Any, images: Images) -> Step:
    return Step(0, images if images.kind == "pil" else images._replace(kind="tensor"), _keep)


def _convert_image_dtype(t: Any, images: Images) -> Step | None:
    if images.kind != "tensor" or t.dtype != torch.float32:
        return None
    return Step(0, images._replace(dtype="float32"), _keep if images.dtype == "float32" else _unit)


def _to_dtype(t: Any, images: Images) -> Step | None:
    if images.kind == "pil":
        return Step(0, images, _keep)  # which it leaves alone
    if not isinstance(t.dtype, torch.dtype) or t.dtype != torch.float32:
        return None
    run = _keep if images.dtype == "float32" else _unit_by_product if getattr(t, "scale", True) else _as_float
    return Step(0, images._replace(dtype="float32"), run)


def _normalize(t: Any, images: Images) -> Step | None:
    if images.kind == "pil" or images.dtype != "float32":
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
    pad = None
    if t.padding is not None:
        pad = _pad(t, images)
        if pad is None:
            return None
    return _random_window(t.size, pad.images if pad else images, pad, both_axes=True)


def _random_crop_v2(t: Any, images: Images) -> Step | None:
    """As `_random_crop`, but only an axis that the crop shortens costs a word."""
    pad = None
    if t.padding is not None:
        left, right, top, bottom = t.padding
        sides = (left, top, right, bottom)
        pad = _pad(SimpleNamespace(padding=sides, padding_mode=t.padding_mode, fill=t.fill), images)
        if pad is None:
            return None
    return _random_window(t.size, pad.images if pad else images, pad, both_axes=False)


def _random_window(size: Any, images: Images, pad: Step | None, both_axes: bool) -> Step | None:
    height, width = size
    rows, columns = images.height - height + 1, images.width - width + 1
    if rows < 1 or columns < 1:
        return None
    moves = (rows, columns) != (1, 1)
    both_axes &= moves
    draws = 2 if both_axes else (rows > 1) + (columns > 1)

    def run(stack: Any, words: np.ndarray) -> Any:
        if pad is not None:
            stack = pad.run(stack, words)
        if not moves:
            return stack
        tops = (words[:, 0] % rows).tolist() if both_axes or rows > 1 else [0] * len(words)
        lefts = (words[:, -1] % columns).tolist() if both_axes or columns > 1 else [0] * len(words)
        return [image[:, i:i + height, j:j + width] for image, i, j in zip(stack, tops, lefts)]

    return Step(draws, images._replace(height=height, width=width), run)


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
    if images.kind != "pil" or images.channels not in (1, 3) or t.num_output_channels not in (1, 3):
        return None

    def run(stack: Any, words: np.ndarray) -> np.ndarray:
        stack = gather(stack, "uint8")
        if images.channels == 3:  # Pillow's luma, in 16-bit fixed point
            r, g, b = (stack[:, k].astype(np.uint32) for k in range(3))
            stack = ((r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16).astype(np.uint8)[:, None]
        return np.repeat(stack, t.num_output_channels, 1)

    return Step(0, images._replace(channels=t.num_output_channels), run)


_FLIPPED = (slice(None), slice(None), slice(None, None, -1))
_UPSIDE_DOWN = (slice(None), slice(None, None, -1))

RULES: dict[type, Callable[[Any, Images], Step | None]] = {
    T.ToTensor: _to_tensor,
    T.PILToTensor: _pil_to_tensor,
    T.ConvertImageDtype: _convert_image_dtype,
    T.Normalize: _normalize,
    T.Pad: _pad,
    T.RandomCrop: _random_crop,
    T.CenterCrop: _center_crop,
    T.RandomHorizontalFlip: _random_flip(_FLIPPED),
    T.RandomVerticalFlip: _random_flip(_UPSIDE_DOWN),
    T.Grayscale: _grayscale,
}


@functools.cache
def _rules_of_v2() -> dict[type, Callable[[Any, Images], Step | None]]:
    from . import v2  # loads much, and needs this package loaded before

    return {
        v2.ToImage: _to_image,
        v2.ToPureTensor: _to_pure_tensor,
        v2.ToTensor: _to_tensor,
        v2.PILToTensor: _pil_to_tensor,
        v2.ToDtype: _to_dtype,
        v2.ConvertImageDtype: _to_dtype,
        v2.Normalize: _normalize,
        v2.Pad: _pad,
        v2.RandomCrop: _random_crop_v2,
        v2.CenterCrop: _center_crop,
        v2.RandomHorizontalFlip: _random_flip(_FLIPPED),
        v2.RandomVerticalFlip: _random_flip(_UPSIDE_DOWN),
        v2.Grayscale: _grayscale,
        v2.Identity: lambda t, images: Step(0, images, _keep),
    }


def is_v2(t: Any) -> bool:
    """Whether a transform is one of transforms.v2, without loading that."""
    return type(t).__module__.startswith(_V2)


_V2 = __package__ + ".v2."


def is_untouched(t: Any) -> bool:
    """Whether nobody has attached anything to a transform that only calling it would honour."""
    return not (getattr(t, "_forward_hooks", None) or getattr(t, "_forward_pre_hooks", None) or "forward" in vars(t))


def rule_of(t: Any) -> Callable[[Any, Images], Step | None] | None:
    """The rule of an untouched transform, if it has one."""
    return (_rules_of_v2() if is_v2(t) else RULES).get(type(t)) if is_untouched(t) else None


def parts_of(transform: Any) -> list[Any]:
    """The transforms of a composition, nested ones included."""
    if type(transform) is T.Compose or (is_v2(transform) and type(transform).__name__ == "Compose"):
        return [part for t in transform.transforms for part in parts_of(t)]
    if type(transform) is Sequential:
        return [part for t in transform for part in parts_of(t)]
    return [transform]


def _build(parts: Sequence[Any], images: Images) -> list[Step] | None:
    steps = []
    for part in parts:
        rule = rule_of(part)
        if rule is None or (images.kind == "Image" and not is_v2(part)):
            return None
        step = rule(part, images)
        if step is None:
            return None
        steps.append(step)
        images = step.images
    return None if images.kind == "pil" else steps


def _state(part: Any) -> dict[str, Any]:
    """What a plan depends on, so that a change of it is noticed."""
    return {name: list(value) if isinstance(value, list) else value for name, value in vars(part).items()}


def _unchanged(part: Any, state: dict[str, Any]) -> bool:
    try:
        return vars(part) == state
    except (ValueError, RuntimeError):  # another array or tensor than before: whether it is equal has no one answer
        return False


_plans: dict[tuple[int, ...], tuple[Any, ...]] = {}  # by ids of the transforms, which the entry keeps alive


def plan(parts: Sequence[Any], images: Images) -> list[Step] | None:
    """A step for each transform, or None if one of them has no rule for what it gets, or the result is no Tensor."""
    key = tuple([id(part) for part in parts])
    known = _plans.get(key)
    if known is not None and known[0] == images and all([_unchanged(part, state) for part, state in known[1]]):
        return known[2]
    if len(_plans) >= 16:
        _plans.clear()
    steps = _build(parts, images) if parts else None
    _plans[key] = images, [(part, _state(part)) for part in parts], steps
    return steps


def plan_for_arrays(pixels: np.ndarray, transform: Any) -> list[Step] | None:
    """The `plan` for PIL images of the uint8 `pixels` (N, H, W) or (N, H, W, C)."""
    channels = pixels.shape[3] if pixels.ndim == 4 else 1
    if transform is None or channels not in (1, 3):
        return None
    return plan(parts_of(transform), Images("pil", channels, *pixels.shape[1:3]))


def run(steps: Sequence[Step], stack: Any, targets: Sequence[Any], target_transform: Callable | None
        ) -> BatchedSamples | None:
    """The samples of the images `stack` (N, C, H, W) and `targets`, or None if they have to be made one by one. They
    are collated if the targets are ints."""
    needed = sum([step.words for step in steps])
    if needed and target_transform is not None:
        return None  # it might draw, too, between the images
    if target_transform is not None:
        targets = [target_transform(t) for t in targets]
    words = _draws.words(len(targets) * needed).reshape(len(targets), needed) if needed else _NO_WORDS
    column = 0
    for step in steps:
        stack = step.run(stack, words[:, column:column + step.words])
        column += step.words
    last = steps[-1].images
    images = _tensor_of(gather(stack, last.dtype) if isinstance(stack, list) else stack)
    collated = [images, tensor_of(np.array(targets, np.int64))] if set(map(type, targets)) == {int} else None
    return BatchedSamples(collated, len(targets), _sampler(images, targets, last))


def _tensor_of(stack: np.ndarray) -> Any:
    """A tensor that takes the array over, or a copy where it is a view. It costs less than one that NumPy goes on
    seeing."""
    return tensor_of(stack if stack.base is None and stack.flags.c_contiguous else stack.copy(order="C"))


def _sampler(images: Any, targets: Sequence[int], kind: Images) -> Callable[[int], Any]:
    if kind.kind == "tensor":
        return lambda k: (images[k], targets[k])
    from ..tv_tensors import Image

    return lambda k: (Image(images[k]), targets[k])


_NO_WORDS = np.empty((0, 0), np.uint32)


def transform_batch(pixels: np.ndarray, indices: Sequence[int], transform: Any,
                    targets: Callable[[Sequence[int]], list[Any]], target_transform: Callable | None
                    ) -> BatchedSamples | None:
    """The samples `(transform(image i), target_transform(target i))` of uint8 `pixels` (N, H, W) or (N, H, W, C) at
    `indices`, whose targets `targets` gives, or None if they have to be made one by one."""
    steps = plan_for_arrays(pixels, transform)
    if steps is None:
        return None
    picked = pixels[indices]
    stack = picked.transpose(0, 3, 1, 2) if picked.ndim == 4 else picked[:, None]
    return run(steps, stack, targets(indices), target_transform)
