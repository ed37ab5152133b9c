"""Pairs of images with the optical flow between them: Sintel, KITTI, FlyingChairs, FlyingThings3D, HD1K.

None of them may be downloaded by program; see each class for where its files go.
"""
from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Any, Callable

import numpy as np

from ...utils.data import ConcatDataset
from ..io.image import decode_png, read_file
from ._files import default_loader
from .utils import verify_str_arg
from .vision import VisionDataset

__all__ = ["FlyingChairs", "FlyingThings3D", "HD1K", "KittiFlow", "Sintel"]

_WHERE = "Please make sure the directory structure is correct."


def _matching(folder: Path, pattern: str) -> list[str]:
    return sorted(str(path) for path in folder.glob(pattern))


class FlowDataset(VisionDataset):
    """Samples are (image, image, flow), or with a mask in the files (image, image, flow, valid).

    flow: float32 array (2, H, W), in pixels to the right and down; valid: bool array (H, W); both None in test sets.
    transforms: takes and gives (image, image, flow, valid). loader: reads an image. `2 * set` repeats it.
    """

    _has_builtin_flow_mask = False

    def __init__(self, root: str | Path, transforms: Callable | None = None,
                 loader: Callable[[str], Any] = default_loader) -> None:
        super().__init__(root)
        self.transforms = transforms
        self._loader = loader
        self._flow_list: list[str] = []
        self._image_list: list[list[str]] = []

    def _read_flow(self, path: str) -> Any:
        return _read_flo(path)

    def __getitem__(self, index: int) -> tuple:
        """The pair and its flow, through the transforms."""
        first, second = (self._loader(path) for path in self._image_list[index])
        flow = self._read_flow(self._flow_list[index]) if self._flow_list else None
        flow, valid = flow if self._has_builtin_flow_mask and flow is not None else (flow, None)
        if self.transforms is not None:
            first, second, flow, valid = self.transforms(first, second, flow, valid)
        masked = self._has_builtin_flow_mask or valid is not None
        return (first, second, flow, valid) if masked else (first, second, flow)

    def __len__(self) -> int:
        return len(self._image_list)

    def __rmul__(self, count: int) -> ConcatDataset:
        return ConcatDataset([self] * count)


class Sintel(FlowDataset):
    __doc__ = f"""Scenes of an animated film (Butler et al. 2012); split "train" or "test"; pass_name "clean", "final"
    (with fog and blur) or "both". Files: `root/Sintel/{{training,test}}/{{clean,final,flow}}/SCENE`.

    {FlowDataset.__doc__}"""

    def __init__(self, root: str | Path, split: str = "train", pass_name: str = "clean",
                 transforms: Callable | None = None, loader: Callable[[str], Any] = default_loader) -> None:
        super().__init__(root, transforms, loader)
        verify_str_arg(split, "split", ("train", "test"))
        verify_str_arg(pass_name, "pass_name", ("clean", "final", "both"))
        base = Path(root) / "Sintel"
        for name in ("clean", "final") if pass_name == "both" else (pass_name,):
            folder = base / ("training" if split == "train" else "test") / name
            for scene in os.listdir(folder):
                images = _matching(folder / scene, "*.png")
                self._image_list += [list(pair) for pair in zip(images, images[1:])]
                if split == "train":
                    self._flow_list += _matching(base / "training" / "flow" / scene, "*.flo")


class KittiFlow(FlowDataset):
    __doc__ = f"""Pairs of photos from a car, of 2015 (Menze and Geiger 2015); split "train" or "test".
    Files: `root/KittiFlow/{{training,testing}}/{{image_2,flow_occ}}`. FileNotFoundError if there are none.

    {FlowDataset.__doc__}"""

    _has_builtin_flow_mask = True

    def __init__(self, root: str | Path, split: str = "train", transforms: Callable | None = None,
                 loader: Callable[[str], Any] = default_loader) -> None:
        super().__init__(root, transforms, loader)
        verify_str_arg(split, "split", ("train", "test"))
        folder = Path(root) / "KittiFlow" / (split + "ing")
        pairs = zip(_matching(folder / "image_2", "*_10.png"), _matching(folder / "image_2", "*_11.png"))
        self._image_list = [list(pair) for pair in pairs]
        if not self._image_list:
            raise FileNotFoundError(f"Could not find the Kitti flow images. {_WHERE}")
        if split == "train":
            self._flow_list = _matching(folder / "flow_occ", "*_10.png")

    def _read_flow(self, path: str) -> Any:
        return _read_masked_flow(path)


class FlyingChairs(FlowDataset):
    __doc__ = f"""Rendered chairs before photos (Dosovitskiy et al. 2015); split "train" or "val".
    Files: `root/FlyingChairs/{{data,FlyingChairs_train_val.txt}}`. FileNotFoundError if the list is missing.

    {FlowDataset.__doc__}"""

    def __init__(self, root: str | Path, split: str = "train", transforms: Callable | None = None) -> None:
        super().__init__(root, transforms)
        verify_str_arg(split, "split", ("train", "val"))
        base = Path(root) / "FlyingChairs"
        splits = base / "FlyingChairs_train_val.txt"
        if not splits.exists():
            raise FileNotFoundError("The FlyingChairs_train_val.txt file was not found - please download it from the "
                                    "dataset page, https://lmb.informatik.uni-freiburg.de/resources/datasets")
        images, flows = _matching(base / "data", "*.ppm"), _matching(base / "data", "*.flo")
        wanted = {"train": "1", "val": "2"}[split]
        chosen = [k for k, name in enumerate(splits.read_text().split()[:len(flows)]) if name == wanted]
        self._flow_list = [flows[k] for k in chosen]
        self._image_list = [images[2 * k:2 * k + 2] for k in chosen]


class FlyingThings3D(FlowDataset):
    __doc__ = f"""Rendered things that fly (Mayer et al. 2016); split "train" or "test"; pass_name "clean", "final" or
    "both"; camera "left", "right" or "both"; flow into the future, then into the past.
    Files: `root/FlyingThings3D/{{frames_cleanpass,frames_finalpass,optical_flow}}/{{TRAIN,TEST}}/…`. FileNotFoundError
    if there are none.

    {FlowDataset.__doc__}"""

    def __init__(self, root: str | Path, split: str = "train", pass_name: str = "clean", camera: str = "left",
                 transforms: Callable | None = None, loader: Callable[[str], Any] = default_loader) -> None:
        super().__init__(root, transforms, loader)
        verify_str_arg(split, "split", ("train", "test"))
        verify_str_arg(pass_name, "pass_name", ("clean", "final", "both"))
        verify_str_arg(camera, "camera", ("left", "right", "both"))
        base, part = Path(root) / "FlyingThings3D", split.upper()
        passes = ("clean", "final") if pass_name == "both" else (pass_name,)
        cameras = ("left", "right") if camera == "both" else (camera,)
        for name, side, direction in itertools.product(passes, cameras, ("into_future", "into_past")):
            scenes = sorted((base / f"frames_{name}pass" / part).glob("*/*"))
            flows = sorted((base / "optical_flow" / part).glob("*/*"))
            if not scenes or not flows:
                raise FileNotFoundError(f"Could not find the FlyingThings3D flow images. {_WHERE}")
            for scene, flow in zip(scenes, flows):
                self._add(_matching(scene / side, "*.png"), _matching(flow / direction / side, "*.pfm"),
                          direction == "into_future")

    def _add(self, images: list[str], flows: list[str], forward: bool) -> None:
        pairs = list(zip(images, images[1:]))[:len(flows) - 1]
        self._image_list += [list(pair) if forward else list(pair[::-1]) for pair in pairs]
        self._flow_list += flows[:-1] if forward else flows[1:]

    def _read_flow(self, path: str) -> np.ndarray:
        return _read_pfm(path)


class HD1K(FlowDataset):
    __doc__ = f"""Photos from a car, in difficult light (Kondermann et al. 2016); split "train" or "test".
    Files: `root/hd1k/{{hd1k_flow_gt,hd1k_input,hd1k_challenge}}`. FileNotFoundError if there are none.

    {FlowDataset.__doc__}"""

    _has_builtin_flow_mask = True

    def __init__(self, root: str | Path, split: str = "train", transforms: Callable | None = None,
                 loader: Callable[[str], Any] = default_loader) -> None:
        super().__init__(root, transforms, loader)
        verify_str_arg(split, "split", ("train", "test"))
        base = Path(root) / "hd1k"
        if split == "train":
            for sequence in range(36):
                flows = _matching(base / "hd1k_flow_gt" / "flow_occ", f"{sequence:06d}_*.png")[:-1]
                images = _matching(base / "hd1k_input" / "image_2", f"{sequence:06d}_*.png")
                self._flow_list += flows
                self._image_list += [images[k:k + 2] for k in range(len(flows))]
        else:
            folder = base / "hd1k_challenge" / "image_2"
            pairs = zip(_matching(folder, "*10.png"), _matching(folder, "*11.png"))
            self._image_list = [list(pair) for pair in pairs]
        if not self._image_list:
            raise FileNotFoundError(f"Could not find the HD1K images. {_WHERE}")

    def _read_flow(self, path: str) -> Any:
        return _read_masked_flow(path)


# ---- files

def _read_flo(path: str) -> np.ndarray:
    """The flow (2, H, W) in a Middlebury file: "PIEH", width, height, and two float32 a pixel."""
    content = Path(path).read_bytes()
    if content[:4] != b"PIEH":
        raise ValueError("Magic number incorrect. Invalid .flo file")
    width, height = np.frombuffer(content, "<i4", 2, 4).tolist()
    return np.frombuffer(content, "<f4", 2 * width * height, 12).copy().reshape(height, width, 2).transpose(2, 0, 1)


def _read_masked_flow(path: str) -> tuple[np.ndarray, np.ndarray]:
    """The flow (2, H, W) and where it is known (H, W), of a 16-bit PNG: 64 steps a pixel around 2^15, and the mask."""
    planes = decode_png(read_file(path)).numpy().astype(np.float32)
    return (planes[:2] - 2 ** 15) / 64, planes[2].astype(bool)


def _read_pfm(path: str, slice_channels: int = 2) -> np.ndarray:
    """The first channels (C, H, W) of a portable float map: "PF" (3 channels) or "Pf" (1), width and height, a scale
    whose sign tells the byte order, and rows from the bottom up."""
    with open(path, "rb") as file:
        kind, size, scale = file.readline().rstrip(), file.readline().split(), file.readline()
        if kind not in (b"PF", b"Pf") or len(size) != 2:
            raise ValueError("Invalid PFM file")
        values = np.frombuffer(file.read(), "<f4" if float(scale) < 0 else ">f4")
    width, height = map(int, size)
    planes = values.reshape(height, width, 3 if kind == b"PF" else 1).transpose(2, 0, 1)[:, ::-1]
    return planes[:slice_channels].astype(np.float32)
