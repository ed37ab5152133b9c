"""Pairs of images of one scene, side by side, with their disparity: CARLA, KITTI, Middlebury, CREStereo, FallingThings,
SceneFlow, Sintel, InStereo2k, ETH3D.

Only Middlebury may be downloaded by program; see each class for where the files of the others go.
"""
from __future__ import annotations

import glob
import json
import os
import random
import shutil
from pathlib import Path
from typing import Any, Callable

import numpy as np

from ._files import open_image, pil_loader
from ._optical_flow import _read_pfm
from .utils import download_and_extract_archive, provide_from_mirror, verify_str_arg
from .vision import VisionDataset

__all__ = ["CREStereo", "CarlaStereo", "ETH3DStereo", "FallingThingsStereo", "InStereo2k", "Kitti2012Stereo",
           "Kitti2015Stereo", "Middlebury2014Stereo", "SceneFlowStereo", "SintelStereo"]

Pair = tuple[str | None, str | None]


class StereoMatchingDataset(VisionDataset):
    """Samples are (left image, right image, disparity), or with a mask (left, right, disparity, valid).

    disparity: array (1, H, W), in pixels; valid: bool array (H, W), or None where the files bring none; both None in
    test sets. transforms: takes and gives ((left, right), (disparity, disparity of the right image), (valid, valid)).
    Errors: FileNotFoundError if there are no files, ValueError if there are not as many right as left ones.
    """

    _has_built_in_disparity_mask = False

    def __init__(self, root: str | Path, transforms: Callable | None = None) -> None:
        super().__init__(root)
        self.transforms = transforms
        self._images: list[Pair] = []
        self._disparities: list[Pair] = []

    def _scan_pairs(self, left: Path, right: Path | None = None) -> list[Pair]:
        """The files that match two patterns, by name; None beside each where there is one pattern."""
        lefts = _matching(left)
        rights = _matching(right) if right is not None else [None] * len(lefts)
        if len(lefts) != len(rights):
            raise ValueError(f"Found {len(lefts)} left files but {len(rights)} right files using:\n "
                             f"left pattern: {left}\nright pattern: {right}\n")
        return list(zip(lefts, rights))

    def _read_img(self, path: Any) -> Any:
        return pil_loader(path)

    def _read_disparity(self, path: str) -> tuple[np.ndarray, np.ndarray | None]:
        """The disparity in a file and where it is known."""
        raise NotImplementedError

    def __getitem__(self, index: int) -> tuple:
        """The pair and its disparity, through the transforms."""
        images = tuple(self._read_img(path) for path in self._images[index])
        disparities, masks = zip(*(self._read_disparity(path) if path is not None else (None, None)
                                   for path in self._disparities[index]))
        if self.transforms is not None:
            images, disparities, masks = self.transforms(images, disparities, masks)
        masked = self._has_built_in_disparity_mask or masks[0] is not None
        return (*images, disparities[0], masks[0]) if masked else (*images, disparities[0])

    def __len__(self) -> int:
        return len(self._images)


class CarlaStereo(StereoMatchingDataset):
    __doc__ = f"""Scenes of the CARLA simulator in high resolution (Li et al. 2022).
    Files: `root/carla-highres/trainingF/SCENE/{{im0.png,im1.png,disp0GT.pfm,disp1GT.pfm}}`.

    {StereoMatchingDataset.__doc__}"""

    def __init__(self, root: str | Path, transforms: Callable | None = None) -> None:
        super().__init__(root, transforms)
        scenes = Path(root) / "carla-highres" / "trainingF" / "*"
        self._images = self._scan_pairs(scenes / "im0.png", scenes / "im1.png")
        self._disparities = self._scan_pairs(scenes / "disp0GT.pfm", scenes / "disp1GT.pfm")

    def _read_disparity(self, path: str) -> tuple[np.ndarray, None]:
        return _read_float_map(path), None


class Kitti2012Stereo(StereoMatchingDataset):
    __doc__ = f"""Photos from a car, of 2012 (Geiger, Lenz and Urtasun 2012); split "train" or "test"; no mask in the
    files.
    Files: `root/Kitti2012/{{training,testing}}/{{colored_0,colored_1,disp_noc}}`.

    {StereoMatchingDataset.__doc__}"""

    _has_built_in_disparity_mask = True

    def __init__(self, root: str | Path, split: str = "train", transforms: Callable | None = None) -> None:
        super().__init__(root, transforms)
        verify_str_arg(split, "split", ("train", "test"))
        base = Path(root) / "Kitti2012" / (split + "ing")
        self._images = self._scan_pairs(base / "colored_0" / "*_10.png", base / "colored_1" / "*_10.png")
        self._disparities = (self._scan_pairs(base / "disp_noc" / "*.png") if split == "train" else
                             _unknown(self._images))

    def _read_disparity(self, path: str) -> tuple[np.ndarray, None]:
        return _read_png(path) / 256.0, None


class Kitti2015Stereo(StereoMatchingDataset):
    __doc__ = f"""Photos from a car, of 2015 (Menze and Geiger 2015); split "train" or "test"; no mask in the files.
    Files: `root/Kitti2015/{{training,testing}}/{{image_2,image_3,disp_occ_0,disp_occ_1}}`.

    {StereoMatchingDataset.__doc__}"""

    _has_built_in_disparity_mask = True

    def __init__(self, root: str | Path, split: str = "train", transforms: Callable | None = None) -> None:
        super().__init__(root, transforms)
        verify_str_arg(split, "split", ("train", "test"))
        base = Path(root) / "Kitti2015" / (split + "ing")
        self._images = self._scan_pairs(base / "image_2" / "*.png", base / "image_3" / "*.png")
        self._disparities = (self._scan_pairs(base / "disp_occ_0" / "*.png", base / "disp_occ_1" / "*.png")
                             if split == "train" else _unknown(self._images))

    def _read_disparity(self, path: str) -> tuple[np.ndarray, None]:
        return _read_png(path) / 256.0, None


class Middlebury2014Stereo(StereoMatchingDataset):
    __doc__ = f"""Indoor scenes of 2014 (Scharstein et al. 2014); split "train", "additional" or "test"; calibration
    "perfect", "imperfect" or "both", None for "test". use_ambient_views: the right image is one of those in other light
    (im1E, im1L), by chance.
    Files: `root/Middlebury2014/SPLIT/SCENE[-perfect|-imperfect]/{{im0.png,im1.png,disp0.pfm,disp1.pfm}}`.

    {StereoMatchingDataset.__doc__}"""

    splits = {"train": ["Adirondack", "Jadeplant", "Motorcycle", "Piano", "Pipes", "Playroom", "Playtable", "Recycle",
                        "Shelves", "Vintage"],
              "additional": ["Backpack", "Bicycle1", "Cable", "Classroom1", "Couch", "Flowers", "Mask", "Shopvac",
                             "Sticks", "Storage", "Sword1", "Sword2", "Umbrella"],
              "test": ["Plants", "Classroom2E", "Classroom2", "Australia", "DjembeL", "CrusadeP", "Crusade", "Hoops",
                       "Bicycle2", "Staircase", "Newkuba", "AustraliaP", "Djembe", "Livingroom", "Computer"]}
    _URL = "https://vision.middlebury.edu/stereo/"
    _has_built_in_disparity_mask = True

    def __init__(self, root: str | Path, split: str = "train", calibration: str | None = "perfect",
                 use_ambient_views: bool = False, transforms: Callable | None = None, download: bool = False) -> None:
        super().__init__(root, transforms)
        self.split = verify_str_arg(split, "split", ("train", "test", "additional"))
        self.use_ambient_views = use_ambient_views
        suffixes = self._suffixes(split, calibration)
        if download:
            self._download_dataset()
        if not self._folder.exists():
            raise FileNotFoundError(f"The {split} directory was not found in the provided root directory")
        if not any(scene.startswith(tuple(self.splits[split])) for scene in os.listdir(self._folder)):
            raise FileNotFoundError(f"Provided root folder does not contain any scenes from the {split} split.")
        for suffix in suffixes:
            scenes = self._folder / ("*" + suffix)
            images = self._scan_pairs(scenes / "im0.png", scenes / "im1.png")
            self._images += images
            self._disparities += (_unknown(images) if split == "test" else
                                  self._scan_pairs(scenes / "disp0.pfm", scenes / "disp1.pfm"))

    def _suffixes(self, split: str, calibration: str | None) -> list[str]:
        """How the names of the scenes' folders end."""
        if calibration:
            verify_str_arg(calibration, "calibration", ("perfect", "imperfect", "both", None))  # type: ignore[arg-type]
            if split == "test":
                raise ValueError("Split 'test' has only no calibration settings, please set `calibration=None`.")
            return ["-perfect", "-imperfect"] if calibration == "both" else ["-" + calibration]
        if split != "test":
            raise ValueError(f"Split '{split}' has calibration settings, however None was provided as an argument.\n"
                             f"Setting calibration to 'perfect' for split '{split}'. "
                             "Available calibration settings are: 'perfect', 'imperfect', 'both'.")
        return [""]

    @property
    def _folder(self) -> Path:
        return Path(self.root) / "Middlebury2014" / self.split

    def _read_img(self, path: Any) -> Any:
        path = Path(path)
        if path.name == "im1.png" and self.use_ambient_views:
            views = [path.with_name(name) for name in ("im1E.png", "im1L.png")]
            path = random.choice([view for view in views if view.exists()] + [path])
        return super()._read_img(path)

    def _read_disparity(self, path: str) -> tuple[np.ndarray, np.ndarray]:
        disparity = _read_float_map(path)
        disparity[disparity == np.inf] = 0
        return disparity, disparity[0] > 0

    def _download_dataset(self) -> None:
        folder, suffixes = self._folder, [""] if self.split == "test" else ["-perfect", "-imperfect"]
        names = [scene + suffix for scene in self.splits[self.split] for suffix in suffixes]
        missing = [name for name in names if not (folder / name).exists()]
        if not missing or provide_from_mirror(self.root, [f"Middlebury2014/{self.split}/{name}" for name in missing]):
            return
        if self.split != "test":
            for name in missing:
                download_and_extract_archive(f"{self._URL}data/scenes2014/zip/{name}.zip", folder, remove_finished=True)
            return
        url = f"{self._URL}submit3/zip/MiddEval3-data-F.zip"
        download_and_extract_archive(url, folder.parent, remove_finished=True)
        folder.mkdir(exist_ok=True)
        unpacked = folder.parent / "MiddEval3"
        for name in missing:
            shutil.move(unpacked / "testF" / name, folder / name)
        shutil.rmtree(unpacked)


class CREStereo(StereoMatchingDataset):
    __doc__ = f"""Rendered scenes on which CREStereo was trained (Li et al. 2022); no mask in the files.
    Files: `root/CREStereo/{{shapenet,reflective,tree,hole}}/*_{{left,right}}{{.jpg,.disp.png}}`.

    {StereoMatchingDataset.__doc__}"""

    _has_built_in_disparity_mask = True

    def __init__(self, root: str | Path, transforms: Callable | None = None) -> None:
        super().__init__(root, transforms)
        for part in ("shapenet", "reflective", "tree", "hole"):
            folder = Path(root) / "CREStereo" / part
            self._images += self._scan_pairs(folder / "*_left.jpg", folder / "*_right.jpg")
            self._disparities += self._scan_pairs(folder / "*_left.disp.png", folder / "*_right.disp.png")

    def _read_disparity(self, path: str) -> tuple[np.ndarray, None]:
        return _read_png(path, np.float32) / 32.0, None


class FallingThingsStereo(StereoMatchingDataset):
    __doc__ = f"""Rendered household things that fall (Tremblay et al. 2018); variant "single" (one thing in an image),
    "mixed" or "both".
    Files: `root/FallingThings/{{single/THING/SCENE,mixed/SCENE}}/*.{{left,right}}.{{jpg,depth.png}}` and, beside them,
    `_camera_settings.json`.

    {StereoMatchingDataset.__doc__}"""

    def __init__(self, root: str | Path, variant: str = "single", transforms: Callable | None = None) -> None:
        super().__init__(root, transforms)
        verify_str_arg(variant, "variant", ("single", "mixed", "both"))
        for name in ("single", "mixed") if variant == "both" else (variant,):
            scenes = Path(root) / "FallingThings" / name / ("*/*" if name == "single" else "*")
            self._images += self._scan_pairs(scenes / "*.left.jpg", scenes / "*.right.jpg")
            self._disparities += self._scan_pairs(scenes / "*.left.depth.png", scenes / "*.right.depth.png")

    def _read_disparity(self, path: str) -> tuple[np.ndarray, None]:
        """baseline (6 cm) · focal length / depth, which the files have in units of 1/100 cm."""
        settings = json.loads(Path(path).with_name("_camera_settings.json").read_text())
        focal = settings["camera_settings"][0]["intrinsic_settings"]["fx"]
        return 6 * focal * 100 / _read_png(path, np.float32), None


class SceneFlowStereo(StereoMatchingDataset):
    __doc__ = f"""Rendered scenes (Mayer et al. 2016); variant "FlyingThings3D", "Driving" or "Monkaa"; pass_name
    "clean", "final" (with blur) or "both".
    Files: `root/SceneFlow/VARIANT/{{frames_cleanpass,frames_finalpass,disparity}}/…/{{left,right}}`.

    {StereoMatchingDataset.__doc__}"""

    def __init__(self, root: str | Path, variant: str = "FlyingThings3D", pass_name: str = "clean",
                 transforms: Callable | None = None) -> None:
        super().__init__(root, transforms)
        verify_str_arg(variant, "variant", ("FlyingThings3D", "Driving", "Monkaa"))
        verify_str_arg(pass_name, "pass_name", ("clean", "final", "both"))
        base, scenes = Path(root) / "SceneFlow" / variant, "*" if variant == "Monkaa" else "*/*/*"
        for name in ("clean", "final") if pass_name == "both" else (pass_name,):
            frames, maps = base / f"frames_{name}pass" / scenes, base / "disparity" / scenes
            self._images += self._scan_pairs(frames / "left" / "*.png", frames / "right" / "*.png")
            self._disparities += self._scan_pairs(maps / "left" / "*.pfm", maps / "right" / "*.pfm")

    def _read_disparity(self, path: str) -> tuple[np.ndarray, None]:
        return _read_float_map(path), None


class SintelStereo(StereoMatchingDataset):
    __doc__ = f"""Scenes of an animated film (Butler et al. 2012); pass_name "final" (with fog and blur), "clean" or
    "both".
    valid: seen by both cameras.
    Files: `root/Sintel/training/{{final_left,final_right,clean_left,…,disparities,occlusions,outofframe}}/SCENE`.
    FileNotFoundError for a missing mask.

    {StereoMatchingDataset.__doc__}"""

    _has_built_in_disparity_mask = True

    def __init__(self, root: str | Path, pass_name: str = "final", transforms: Callable | None = None) -> None:
        super().__init__(root, transforms)
        verify_str_arg(pass_name, "pass_name", ("final", "clean", "both"))
        base = Path(root) / "Sintel" / "training"
        for name in ("final", "clean") if pass_name == "both" else (pass_name,):
            left, right = (base / f"{name}_{side}" / "*" / "*.png" for side in ("left", "right"))
            self._images += self._scan_pairs(left, right)
            self._disparities += self._scan_pairs(base / "disparities" / "*" / "*.png")

    def _read_disparity(self, path: str) -> tuple[np.ndarray, np.ndarray]:
        """In units of 4 (red), 1/64 (green) and 1/16384 (blue) of a pixel."""
        red, green, blue = np.moveaxis(_read_png(path, np.float32)[0], -1, 0)
        disparity = red * 4 + green / 2 ** 6 + blue / 2 ** 14
        seen = self._mask(path, "occlusions", "Occlusion") & self._mask(path, "outofframe", "Out of frame")
        return disparity[None], seen

    def _mask(self, path: str, kind: str, what: str) -> np.ndarray:
        scene, name = Path(path).parts[-2:]
        mask = Path(path).parents[2] / kind / scene / name
        if not mask.exists():
            raise FileNotFoundError(f"{what} mask {mask} does not exist")
        return _read_png(mask)[0] == 0


class InStereo2k(StereoMatchingDataset):
    __doc__ = f"""Indoor scenes (Bao et al. 2020); split "train" or "test".
    Files: `root/InStereo2k/SPLIT/SCENE/{{left,right,left_disp,right_disp}}.png`.

    {StereoMatchingDataset.__doc__}"""

    def __init__(self, root: str | Path, split: str = "train", transforms: Callable | None = None) -> None:
        super().__init__(root, transforms)
        verify_str_arg(split, "split", ("train", "test"))
        scenes = Path(root) / "InStereo2k" / split / "*"
        self._images = self._scan_pairs(scenes / "left.png", scenes / "right.png")
        self._disparities = self._scan_pairs(scenes / "left_disp.png", scenes / "right_disp.png")

    def _read_disparity(self, path: str) -> tuple[np.ndarray, None]:
        return _read_png(path, np.float32) / 1024.0, None


class ETH3DStereo(StereoMatchingDataset):
    __doc__ = f"""Grey photos, low resolution (Schöps et al. 2017); split "train" or "test".
    Files: `root/ETH3D/{{two_view_training,two_view_test}}/SCENE/{{im0,im1}}.png` and
    `root/ETH3D/two_view_training_gt/SCENE/{{disp0GT.pfm,mask0nocc.png}}`.

    {StereoMatchingDataset.__doc__}"""

    _has_built_in_disparity_mask = True

    def __init__(self, root: str | Path, split: str = "train", transforms: Callable | None = None) -> None:
        super().__init__(root, transforms)
        verify_str_arg(split, "split", ("train", "test"))
        base = Path(root) / "ETH3D"
        scenes = base / ("two_view_training" if split == "train" else "two_view_test") / "*"
        self._images = self._scan_pairs(scenes / "im0.png", scenes / "im1.png")
        self._disparities = (self._scan_pairs(base / "two_view_training_gt" / "*" / "disp0GT.pfm") if split == "train"
                             else _unknown(self._images))

    def _read_disparity(self, path: str) -> tuple[np.ndarray, np.ndarray]:
        return _read_float_map(path), _read_png(Path(path).with_name("mask0nocc.png"))[0].astype(bool)


# ---- files

def _matching(pattern: Path) -> list[Any]:
    """The paths that match a pattern, sorted. FileNotFoundError if there are none."""
    paths = sorted(glob.glob(str(pattern)))
    if not paths:
        raise FileNotFoundError(f"Could not find any files matching the patterns: {pattern}")
    return paths


def _unknown(images: list[Pair]) -> list[Pair]:
    """No file with a disparity for any of these."""
    return [(None, None)] * len(images)


def _read_png(path: str | Path, dtype: Any = None) -> np.ndarray:
    """The values in an image file, (1, H, W) or (1, H, W, C)."""
    return np.asarray(open_image(path), dtype=dtype)[None]


def _read_float_map(path: str) -> np.ndarray:
    """The distance to the right or to the left in a portable float map, (1, H, W)."""
    return np.abs(_read_pfm(path, 1))
