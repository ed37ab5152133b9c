"""What published weights want done to their inputs. A weights enum's `transforms()` makes one of these."""
from __future__ import annotations

from typing import Any, Sequence

from ... import float as float32
from ...nn import Module
from ...tensor.tensor import Tensor
from . import functional as F
from .functional import InterpolationMode

__all__ = ["ImageClassification", "ObjectDetection", "OpticalFlow", "SemanticSegmentation", "VideoClassification"]

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
KINETICS_MEAN, KINETICS_STD = (0.43216, 0.394666, 0.37645), (0.22803, 0.22145, 0.216989)


def _unit_tensor(img: Any) -> Tensor:
    """An image or tensor as a float tensor in [0, 1]."""
    return F.convert_image_dtype(img if isinstance(img, Tensor) else F.pil_to_tensor(img), float32)


class _Normalizing(Module):
    """A preset with settings: its repr shows them, `describe` says them."""

    _settings = ("crop_size", "resize_size", "mean", "std", "interpolation")
    _takes = "PIL images, (C, H, W) and (B, C, H, W) tensors"

    def __repr__(self) -> str:
        lines = "".join(f"\n    {name}={getattr(self, name)}" for name in self._settings)
        return f"{type(self).__name__}({lines}\n)"

    def describe(self) -> str:
        """The preset in words."""
        sizes = f"resized to {self.resize_size} ({self.interpolation}), " if self.resize_size else ""
        crop = f"cropped at the center to {self.crop_size}, " if "crop_size" in self._settings else ""
        return (f"Takes {self._takes}: {sizes}{crop}rescaled to [0.0, 1.0], then normalized by mean={self.mean} and "
                f"std={self.std}.")


class ImageClassification(_Normalizing):
    """Resize, crop the center, rescale to [0, 1], normalize. Images or uint8 tensors in, float tensors out."""

    def __init__(self, *, crop_size: int, resize_size: int = 256, mean: tuple[float, ...] = IMAGENET_MEAN,
                 std: tuple[float, ...] = IMAGENET_STD,
                 interpolation: InterpolationMode = InterpolationMode.BILINEAR, antialias: bool | None = True) -> None:
        super().__init__()
        self.crop_size, self.resize_size = [crop_size], [resize_size]
        self.mean, self.std = list(mean), list(std)
        self.interpolation, self.antialias = interpolation, antialias

    def forward(self, img: Any) -> Tensor:
        img = F.resize(img, self.resize_size, interpolation=self.interpolation, antialias=self.antialias)
        return F.normalize(_unit_tensor(F.center_crop(img, self.crop_size)), mean=self.mean, std=self.std)


class VideoClassification(_Normalizing):
    """Resize, crop, rescale and normalize every frame: (T, C, H, W) or (B, T, C, H, W) in, (…, C, T, H, W) out."""

    _takes = "(T, C, H, W) and (B, T, C, H, W) tensors and gives (…, C, T, H, W)"

    def __init__(self, *, crop_size: tuple[int, int], resize_size: tuple[int] | tuple[int, int],
                 mean: tuple[float, ...] = KINETICS_MEAN, std: tuple[float, ...] = KINETICS_STD,
                 interpolation: InterpolationMode = InterpolationMode.BILINEAR) -> None:
        super().__init__()
        self.crop_size, self.resize_size = list(crop_size), list(resize_size)
        self.mean, self.std, self.interpolation = list(mean), list(std), interpolation

    def forward(self, vid: Tensor) -> Tensor:
        batched = vid.ndim == 5
        frames = (vid if batched else vid.unsqueeze(0)).flatten(0, 1)
        # frames were resized without antialiasing when the published weights were trained
        frames = F.resize(frames, self.resize_size, interpolation=self.interpolation, antialias=False)
        frames = F.normalize(_unit_tensor(F.center_crop(frames, self.crop_size)), mean=self.mean, std=self.std)
        clips = frames.unflatten(0, (-1, vid.shape[-4])).transpose(1, 2)
        return clips if batched else clips.squeeze(0)


class SemanticSegmentation(_Normalizing):
    """Resize (None: keep the size), rescale to [0, 1], normalize."""

    _settings = ("resize_size", "mean", "std", "interpolation")

    def __init__(self, *, resize_size: int | None, mean: tuple[float, ...] = IMAGENET_MEAN,
                 std: tuple[float, ...] = IMAGENET_STD,
                 interpolation: InterpolationMode = InterpolationMode.BILINEAR, antialias: bool | None = True) -> None:
        super().__init__()
        self.resize_size = [resize_size] if resize_size is not None else None
        self.mean, self.std = list(mean), list(std)
        self.interpolation, self.antialias = interpolation, antialias

    def forward(self, img: Any) -> Tensor:
        if isinstance(self.resize_size, list):
            img = F.resize(img, self.resize_size, interpolation=self.interpolation, antialias=self.antialias)
        return F.normalize(_unit_tensor(img), mean=self.mean, std=self.std)


class ObjectDetection(Module):
    """Rescale to [0, 1]; the networks resize and normalize for themselves."""

    def forward(self, img: Any) -> Tensor:
        return _unit_tensor(img)

    def __repr__(self) -> str:
        return "ObjectDetection()"

    def describe(self) -> str:
        """The preset in words."""
        return "Takes PIL images, (C, H, W) and (B, C, H, W) tensors: rescaled to [0.0, 1.0]."


class OpticalFlow(Module):
    """Two images or batches of them, rescaled to [-1, 1]."""

    def forward(self, img1: Any, img2: Any) -> tuple[Tensor, Tensor]:
        mean: Sequence[float] = [0.5, 0.5, 0.5]
        first, second = (F.normalize(_unit_tensor(img), mean=mean, std=mean).contiguous() for img in (img1, img2))
        return first, second

    def __repr__(self) -> str:
        return "OpticalFlow()"

    def describe(self) -> str:
        """The preset in words."""
        return "Takes pairs of PIL images, (C, H, W) and (B, C, H, W) tensors: rescaled to [-1.0, 1.0]."
