"""Sets whose images lie in files of their own: batches decoded by several threads, where nobody can tell."""
from __future__ import annotations

import collections
import functools
import itertools
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable, Iterable, Iterator, Sequence

import numpy as np

from ...utils.data import get_worker_info
from ..transforms import _batched, _draws, transforms as T
from ..transforms._functional_pil import from_array
from ..transforms._kernels import pillow_resize
from .vision import VisionDataset


def open_image(path: str | Path) -> Any:
    """The image in a file, in the mode that it has there; the file is closed."""
    from PIL import Image

    image = Image.open(path)
    image.load()
    return image


def pil_loader(path: str | Path) -> Any:
    """The image in a file, as RGB."""
    from PIL import Image

    with open(path, "rb") as file:
        return Image.open(file).convert("RGB")


def accimage_loader(path: str | Path) -> Any:
    """The image in a file through accimage, or by Pillow where that cannot read it."""
    import accimage

    try:
        return accimage.Image(path)
    except OSError:
        return pil_loader(path)


def default_loader(path: str | Path) -> Any:
    """The image in a file, by the package that `set_image_backend` chose."""
    from .. import get_image_backend

    return accimage_loader(path) if get_image_backend() == "accimage" else pil_loader(path)


class FileImages(VisionDataset):
    """The base of sets of image files.

    A subclass gives `_sample(index)`, the path and the untransformed target, and `loader`, which reads a path.
    """

    loader: Callable[[Any], Any]

    def _sample(self, index: int) -> tuple[Any, Any]:
        raise NotImplementedError

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        """(image, target), each through its transform."""
        path, target = self._sample(index)
        return self._transformed(self.loader(path), target)

    def __getitems__(self, indices: Sequence[int]) -> list[tuple[Any, Any]]:
        """The samples of these indices, as `__getitem__` gives them one by one, with the same random numbers.

        Pillow's decoding and resizing may run in threads; what is not known to be safe there, or might draw, does not.
        """
        if len(indices) > 1 and self._may_use_threads():
            return _in_threads([self._sample(index) for index in indices], self.transform, self.target_transform)
        return [self[index] for index in indices]

    def _may_use_threads(self) -> bool:
        from .. import get_image_backend

        plain = type(self).__getitem__ is FileImages.__getitem__ and self.loader in (pil_loader, default_loader)
        return plain and get_image_backend() == "PIL" and get_worker_info() is None and _threads() > 1


class LabelledFiles(FileImages):
    """Image files (`_image_files`) with a class each (`_labels`)."""

    _image_files: list[Any]
    _labels: list[int]

    def __init__(self, root: Any, transform: Callable | None, target_transform: Callable | None,
                 loader: Callable[[Any], Any] = default_loader) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.loader = loader

    def _sample(self, index: int) -> tuple[Any, Any]:
        return self._image_files[index], self._labels[index]

    def __len__(self) -> int:
        return len(self._image_files)


class PairedFiles(VisionDataset):
    """The base of sets whose transforms may take image and target together: `transforms(image, target)`.

    A subclass gives `_load(index)`, the image and the target before the transforms.
    """

    def _load(self, index: int) -> tuple[Any, Any]:
        raise NotImplementedError

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        """(image, target), through the transforms."""
        image, target = self._load(index)
        return (image, target) if self.transforms is None else self.transforms(image, target)


def _threads() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@functools.lru_cache(maxsize=1)
def _pool(pid: int, threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "flambeau-decode")


def _in_order(function: Callable, items: Iterable[Any]) -> Iterator[Any]:
    """What `map` gives, computed by the threads, a few items ahead."""
    pool, pending = _pool(os.getpid(), _threads()), collections.deque()
    for item in items:
        pending.append(pool.submit(function, item))
        if len(pending) > 2 * _threads() + 2:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()


@functools.cache
def _safe_in_threads() -> tuple[type, ...]:
    """Transforms of PIL images into PIL images that draw nothing."""
    from ..transforms import v2

    return (T.Resize, T.CenterCrop, T.Pad, T.Grayscale, v2.Resize, v2.CenterCrop, v2.Pad, v2.Grayscale)


def _in_threads(samples: list[tuple[Any, Any]], transform: Callable | None, target_transform: Callable | None
                ) -> list[tuple[Any, Any]]:
    parts = _batched.parts_of(transform) if transform is not None else []
    if parts and target_transform is None:
        batch = _random_crops_in_threads(samples, parts)
        if batch is not None:
            return batch
    lead = 0
    while lead < len(parts) and type(parts[lead]) in _safe_in_threads() and _batched.is_untouched(parts[lead]):
        lead += 1
    lead, rest = parts[:lead], parts[lead:]
    images = _in_order(functools.partial(_load, lead), [path for path, _ in samples])
    targets = [target for _, target in samples]
    first = next(images)
    steps = _batched.plan(rest, _batched.Images("pil", 3, *_size(first))) if _is_rgb(first) else None
    images = itertools.chain([first], images)
    if steps is not None:
        images = list(images)
        if all(_size(image) == _size(first) for image in images):
            batch = _batched.run(steps, _stack(images), targets, target_transform)
            if batch is not None:
                return batch
    result = []
    for image, target in zip(images, targets):
        image = _as_pil(image)
        for part in rest:
            image = part(image)
        result.append((image, target if target_transform is None else target_transform(target)))
    return result


def _load(parts: Sequence[Callable], path: Any) -> Any:
    """The image in a file, as RGB, through `parts`: a PIL image, or an array (H, W, 3) of its pixels.

    Where nobody sees what comes before, the image need not be a copy, and resizing need not be Pillow's own.
    """
    from PIL import Image

    image = _as_rgb(Image.open(path)) if parts else pil_loader(path)
    for part in parts:
        faster = _resized(part, image, part.size, part.max_size) if type(part) in _resizes() else _cropped(part, image)
        image = part(_as_pil(image)) if faster is None else faster
    return image


@functools.cache
def _resizes() -> tuple[type, ...]:
    from ..transforms import v2

    return T.Resize, v2.Resize


def _resized(part: Any, image: Any, size: Any, max_size: int | None = None) -> np.ndarray | None:
    """The pixels of a PIL image resized as `part` would, without Pillow; None if it takes Pillow, or nothing."""
    mode = part.interpolation
    resample = mode if isinstance(mode, int) else T.F.pil_modes_mapping[T.InterpolationMode(mode)]
    if isinstance(image, np.ndarray) or resample not in pillow_resize.FILTERS or not pillow_resize.is_available():
        return None
    size = [size] if isinstance(size, int) else size
    wanted = T.F._compute_resized_output_size(image.size[::-1], size, max_size, allow_size_none=True)
    if wanted == list(image.size[::-1]) or min(wanted) < 1 or part.antialias is False:
        return None
    return pillow_resize.resize(image, *wanted, resample)


def _cropped(part: Any, image: Any) -> np.ndarray | None:
    """The window of pixels that a CenterCrop leaves; None for other transforms and inputs."""
    if not (isinstance(image, np.ndarray) and type(part).__name__ == "CenterCrop"):
        return None
    height, width = part.size
    if height > image.shape[0] or width > image.shape[1]:
        return None
    top, left = int(round((image.shape[0] - height) / 2.0)), int(round((image.shape[1] - width) / 2.0))
    return image[top:top + height, left:left + width]


def _is_rgb(image: Any) -> bool:
    return isinstance(image, np.ndarray) or image.mode == "RGB"


def _size(image: Any) -> tuple[int, int]:
    """(height, width)."""
    return image.shape[:2] if isinstance(image, np.ndarray) else image.size[::-1]


def _as_pil(image: Any) -> Any:
    return from_array(image, "RGB") if isinstance(image, np.ndarray) else image


def _as_rgb(image: Any) -> Any:
    """An opened image file, read and closed: `convert` would copy even what is RGB."""
    if image.mode != "RGB":
        with image:
            return image.convert("RGB")
    try:
        image.load()
    except BaseException:
        image.close()
        raise
    return image


def _stack(images: Sequence[Any]) -> np.ndarray:
    """RGB images of one size as an array (N, C, H, W)."""
    stack = np.empty((len(images), *_size(images[0]), 3), np.uint8)
    for place, image in zip(stack, images):
        place[...] = image
    return stack.transpose(0, 3, 1, 2)


@functools.cache
def _crops_and_flips() -> dict[type, tuple[type, Any]]:
    from ..transforms import v2

    return {T.RandomResizedCrop: (T.RandomHorizontalFlip, T.F),
            v2.RandomResizedCrop: (v2.RandomHorizontalFlip, v2.functional)}


def _random_crops_in_threads(samples: list[tuple[Any, Any]], parts: Sequence[Any]) -> list[tuple[Any, Any]] | None:
    """The samples through a RandomResizedCrop, maybe a flip, and transforms that draw nothing; None if `parts` are
    anything else. The windows and flips are drawn here, image by image; the threads do the rest."""
    crop, rest = parts[0], parts[1:]
    flip_type, functional = _crops_and_flips().get(type(crop), (None, None))
    flip = rest[0] if rest and type(rest[0]) is flip_type and _batched.is_untouched(rest[0]) else None
    if flip is not None:
        rest = rest[1:]
    if flip_type is None or not _batched.is_untouched(crop):
        return None
    steps = _batched.plan(rest, _batched.Images("pil", 3, *crop.size))
    if steps is None or any(step.words for step in steps):
        return None

    def drawn() -> Iterator[tuple[Any, tuple[int, int, int, int], bool]]:
        from PIL import Image

        for path, _ in samples:
            image = Image.open(path)
            window = crop.get_params(image, crop.scale, crop.ratio)
            yield image, window, flip is not None and _draws.happens(flip.p)

    def cut(job: tuple[Any, tuple[int, int, int, int], bool]) -> Any:
        image, window, mirrored = job
        image = functional.crop(_as_rgb(image), *window)
        pixels = _resized(crop, image, crop.size)
        if pixels is not None:
            return pixels[:, ::-1] if mirrored else pixels
        image = functional.resize(image, crop.size, crop.interpolation, antialias=crop.antialias)
        return functional.hflip(image) if mirrored else image

    return _batched.run(steps, _stack(list(_in_order(cut, drawn()))), [target for _, target in samples], None)
