"""Oxford 102 flowers: photos of flowers common in the United Kingdom (Nilsback and Zisserman 2008)."""
from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

from ._files import LabelledFiles, default_loader
from ._matfile import load_mat
from .utils import (DAMAGED, check_integrity, download_and_extract_archive, download_url, not_found,
                    provide_from_mirror, verify_str_arg)


class Flowers102(LabelledFiles):
    """8,189 images in 102 classes; split "train" (1,020 images), "val" (1,020) or "test" (6,149). classes: names.

    Files: `root/flowers-102/{jpg/image_*.jpg,imagelabels.mat,setid.mat}`. loader: reads a path.
    Errors: RuntimeError if files are missing or have the wrong hash; ValueError for an unknown split.
    """

    _download_url_prefix = "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/"
    _file_dict = {"image": ("102flowers.tgz", "52808999861908f626f3c1f4e79d11fa"),
                  "label": ("imagelabels.mat", "e0620be6f572b9609742df49c70aed4d"),
                  "setid": ("setid.mat", "a5357ecc9cb78c4bef273ce3793fc85c")}
    _splits_map = {"train": "trnid", "val": "valid", "test": "tstid"}
    classes = ["pink primrose", "hard-leaved pocket orchid", "canterbury bells", "sweet pea", "english marigold",
               "tiger lily", "moon orchid", "bird of paradise", "monkshood", "globe thistle", "snapdragon",
               "colt's foot", "king protea", "spear thistle", "yellow iris", "globe-flower", "purple coneflower",
               "peruvian lily", "balloon flower", "giant white arum lily", "fire lily", "pincushion flower",
               "fritillary", "red ginger", "grape hyacinth", "corn poppy", "prince of wales feathers",
               "stemless gentian", "artichoke", "sweet william", "carnation", "garden phlox", "love in the mist",
               "mexican aster", "alpine sea holly", "ruby-lipped cattleya", "cape flower", "great masterwort",
               "siam tulip", "lenten rose", "barbeton daisy", "daffodil", "sword lily", "poinsettia",
               "bolero deep blue", "wallflower", "marigold", "buttercup", "oxeye daisy", "common dandelion", "petunia",
               "wild pansy", "primula", "sunflower", "pelargonium", "bishop of llandaff", "gaura", "geranium",
               "orange dahlia", "pink-yellow dahlia?", "cautleya spicata", "japanese anemone", "black-eyed susan",
               "silverbush", "californian poppy", "osteospermum", "spring crocus", "bearded iris", "windflower",
               "tree poppy", "gazania", "azalea", "water lily", "rose", "thorn apple", "morning glory",
               "passion flower", "lotus", "toad lily", "anthurium", "frangipani", "clematis", "hibiscus", "columbine",
               "desert-rose", "tree mallow", "magnolia", "cyclamen", "watercress", "canna lily", "hippeastrum",
               "bee balm", "ball moss", "foxglove", "bougainvillea", "camellia", "mallow", "mexican petunia",
               "bromelia", "blanket flower", "trumpet creeper", "blackberry lily"]

    def __init__(self, root: str | Path, split: str = "train", transform: Callable | None = None,
                 target_transform: Callable | None = None, download: bool = False,
                 loader: Callable[[Any], Any] = default_loader) -> None:
        super().__init__(root, transform, target_transform, loader)
        self._split = verify_str_arg(split, "split", ("train", "val", "test"))
        self._base_folder = Path(self.root) / "flowers-102"
        self._images_folder = self._base_folder / "jpg"
        if download:
            self.download()
        if not self._check_integrity():
            raise not_found(DAMAGED, self._wrong(), self._download_url_prefix)
        numbers = load_mat(self._base_folder / "setid.mat")[self._splits_map[split]].ravel().tolist()
        labels = load_mat(self._base_folder / "imagelabels.mat")["labels"].ravel().tolist()
        self._image_files = [self._images_folder / f"image_{number:05d}.jpg" for number in numbers]
        self._labels = [labels[number - 1] - 1 for number in numbers]

    def extra_repr(self) -> str:
        return f"split={self._split}"

    def _wrong(self) -> list[Path]:
        """What is missing or damaged."""
        wrong = [] if self._images_folder.is_dir() else [self._images_folder]
        for key in ("label", "setid"):
            name, md5 = self._file_dict[key]
            if not check_integrity(str(self._base_folder / name), md5):
                wrong.append(self._base_folder / name)
        return wrong

    def _check_integrity(self) -> bool:
        return not self._wrong()

    def download(self) -> None:
        """Downloads what is missing."""
        if self._check_integrity():
            return
        if not self._images_folder.is_dir():
            name, md5 = self._file_dict["image"]
            if not provide_from_mirror(self.root, ["flowers-102/jpg"]):
                download_and_extract_archive(self._download_url_prefix + name, str(self._base_folder), md5=md5)
        for key in ("label", "setid"):
            name, md5 = self._file_dict[key]
            download_url(self._download_url_prefix + name, str(self._base_folder), md5=md5)
