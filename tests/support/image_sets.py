"""Tiny data sets in the official file formats, and a summary of what a library reads from them.

`CASES` maps a class name to (function that writes the files below a root, keyword arguments of each data set to make).
Images are lossless under whatever name, so that every version of Pillow reads the same pixels.
"""
import bz2
import hashlib
import io
import json
import struct
import tarfile
import tempfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
from PIL import Image


def image(path, seed, size=(6, 5), mode="RGB"):
    """Writes noise as a PNG (or PPM, by name), whatever the name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (size[1], size[0]) if mode in ("L", "P") else (size[1], size[0], 3)
    pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    made = Image.fromarray(pixels)
    if mode == "P":
        made = made.convert("P")
    made.save(path, "PPM" if path.suffix == ".ppm" else "PNG")


def text(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


# MATLAB 5 files, written element by element

def element(kind, data):
    return struct.pack("<II", kind, len(data)) + data + b"\0" * (-len(data) % 8)


def small(kind, data):
    return struct.pack("<HH", kind, len(data)) + data.ljust(4, b"\0") if 0 < len(data) <= 4 else element(kind, data)


NUMBERS = {"float64": (6, 9), "uint8": (9, 2), "uint16": (11, 4), "int32": (12, 5)}  # (class, element type)


def matrix(name, value):
    """A variable: array, str, list (a row of cells), or a list of dicts in a tuple (a column of structures)."""
    if isinstance(value, str):
        kind, shape, body = 4, (1, len(value)), small(16, value.encode())
    elif isinstance(value, tuple):
        fields = list(value[0])
        kind, shape = 2, (len(value), 1)
        body = small(5, struct.pack("<i", 32)) + element(1, b"".join(f.encode().ljust(32, b"\0") for f in fields))
        body += b"".join(matrix("", row[field]) for row in value for field in fields)
    elif isinstance(value, list):
        kind, shape, body = 1, (1, len(value)), b"".join(matrix("", entry) for entry in value)
    else:
        value = np.atleast_2d(value)
        kind, stored = NUMBERS[str(value.dtype)]
        shape, body = value.shape, small(stored, value.tobytes(order="F"))
    head = element(6, struct.pack("<II", kind, 0)) + element(5, struct.pack(f"<{len(shape)}i", *shape))
    return element(14, head + small(1, name.encode()) + body)


def mat(path, variables, packed=True):
    parts = [matrix(name, value) for name, value in variables.items()]
    if packed:
        parts = [struct.pack("<II", 15, len(body)) + body for body in map(zlib.compress, parts)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H", 0x0100) + b"IM" + b"".join(parts))


# The sets

def stl10(root):
    folder = root / "stl10_binary"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name, count in (("train", 12), ("test", 3), ("unlabeled", 2)):
        (folder / f"{name}_X.bin").write_bytes(rng.integers(0, 256, (count, 3, 96, 96), dtype=np.uint8).tobytes())
        (folder / f"{name}_y.bin").write_bytes((np.arange(count) % 10 + 1).astype(np.uint8).tobytes())
    text(folder / "class_names.txt", "airplane\nbird\ncar\n")
    text(folder / "fold_indices.txt", "".join(f"{k} {k + 1} {k + 2}\n" for k in range(10)))


def svhn(root):
    rng = np.random.default_rng(1)
    for split in ("train", "test", "extra"):
        mat(root / f"{split}_32x32.mat", {"X": rng.integers(0, 256, (32, 32, 3, 4), dtype=np.uint8),
                                          "y": np.array([[1], [10], [9], [2]], np.uint8)})


def usps(root):
    rng = np.random.default_rng(2)
    for name in ("usps.bz2", "usps.t.bz2"):
        lines = [f"{label} " + " ".join(f"{k}:{v:.6g}" for k, v in enumerate(rng.uniform(-1, 1, 256), 1)) + " \n"
                 for label in (7, 1, 10)]
        (root / name).write_bytes(bz2.compress("".join(lines).encode()))


def caltech101(root):
    folder = root / "caltech101"
    for k, name in enumerate(("BACKGROUND_Google", "accordion", "Faces")):
        image(folder / "101_ObjectCategories" / name / "image_0001.jpg", k, mode="L" if k == 1 else "RGB")
    image(folder / "101_ObjectCategories" / "accordion" / "image_0002.jpg", 9)
    outline = np.arange(10.0).reshape(2, 5)
    for name in ("accordion/annotation_0001", "accordion/annotation_0002", "Faces_2/annotation_0001"):
        mat(folder / "Annotations" / (name + ".mat"), {"box_coord": np.array([[1.0, 2, 3, 4]]), "obj_contour": outline})


def caltech256(root):
    folder = root / "caltech256" / "256_ObjectCategories"
    for k, name in enumerate(("001.ak47", "002.american-flag")):
        image(folder / name / f"{k + 1:03d}_0001.jpg", k, mode="RGB" if k else "L")
    text(folder / "002.american-flag" / "RENAME2", "not an image")


def flowers102(root):
    folder = root / "flowers-102"
    for k in range(1, 7):
        image(folder / "jpg" / f"image_{k:05d}.jpg", k)
    mat(folder / "imagelabels.mat", {"labels": np.array([[77, 77, 1, 2, 3, 102]], np.uint8)})
    mat(folder / "setid.mat", {"trnid": np.array([[6, 2, 1]], np.uint16), "valid": np.array([[3, 4]], np.uint16),
                               "tstid": np.array([[5, 3]], np.uint16)})


def oxford_iiit_pet(root):
    folder = root / "oxford-iiit-pet"
    rows = [("Abyssinian_100", 1, 1, 1), ("american_bulldog_3", 2, 2, 1), ("Abyssinian_7", 1, 1, 2)]
    for k, row in enumerate(rows):
        image(folder / "images" / f"{row[0]}.jpg", k)
        image(folder / "annotations" / "trimaps" / f"{row[0]}.png", k + 10, mode="L")
    for split in ("trainval", "test"):
        text(folder / "annotations" / f"{split}.txt", "".join(" ".join(map(str, row)) + "\n" for row in rows))


def food101(root):
    names = {"churros": ["churros/1", "churros/2"], "apple_pie": ["apple_pie/5"]}
    for split in ("train", "test"):
        text(root / "food-101" / "meta" / f"{split}.json", json.dumps(names))
    for k, file in enumerate(sum(names.values(), [])):
        image(root / "food-101" / "images" / f"{file}.jpg", k)


def dtd(root):
    folder = root / "dtd" / "dtd"
    files = ["woven/woven_01.jpg", "banded/banded_02.jpg", "banded/banded_03.jpg"]
    for k, file in enumerate(files):
        image(folder / "images" / file, k)
    for name in ("train1", "val10", "test3"):
        text(folder / "labels" / f"{name}.txt", "\n".join(files) + "\n")


def eurosat(root):
    for k, name in enumerate(("Forest/Forest_1.jpg", "River/River_1.jpg", "AnnualCrop/AnnualCrop_1.jpg")):
        image(root / "eurosat" / "2750" / name, k)


def gtsrb(root):
    folder = root / "gtsrb"
    for k, name in enumerate(("00000/00000_00000.ppm", "00001/00001_00002.ppm", "00001/00000_00001.ppm")):
        image(folder / "GTSRB" / "Training" / name, k)
    for k in range(2):
        image(folder / "GTSRB" / "Final_Test" / "Images" / f"{k:05d}.ppm", k)
    text(folder / "GT-final_test.csv", "Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId\n"
         "00000.ppm;6;5;0;0;4;4;16\n00001.ppm;6;5;0;0;4;4;1\n")


def png(seed):
    out = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (5, 6, 3), dtype=np.uint8)).save(out, "PNG")
    return out.getvalue()


def tar(path, members, mode="w"):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def pack(path, folder, *names):
    """An archive, tar or zip by its name, of these entries of a folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                for file in sorted([folder / name, *(folder / name).rglob("*")]):
                    archive.write(file, file.relative_to(folder))
    else:
        with tarfile.open(path, "w:gz" if path.suffix in (".gz", ".tgz") else "w") as archive:
            for name in names:
                archive.add(folder / name, name)
    return path


def imagenet(root):
    synsets = tuple({"ILSVRC2012_ID": np.array([[number]], np.uint16), "WNID": wnid, "words": words, "gloss": "a thing",
                     "num_children": np.array([[children]], np.uint8), "children": np.array([[0]], np.uint16),
                     "wordnet_height": np.array([[0]], np.uint8), "num_train_images": np.array([[2]], np.uint16)}
                    for number, wnid, words, children in ((1, "n01440764", "tench, Tinca tinca", 0),
                                                          (2, "n01443537", "goldfish, Carassius auratus", 0),
                                                          (3, "n00001740", "entity", 2)))
    meta = root / "scratch" / "meta.mat"
    mat(meta, {"synsets": synsets})
    kit = "ILSVRC2012_devkit_t12/data/"
    tar(root / "ILSVRC2012_devkit_t12.tar.gz",
        {kit + "meta.mat": meta.read_bytes(), kit + "ILSVRC2012_validation_ground_truth.txt": b"2\n1\n2\n"}, "w:gz")
    inner = {}
    for k, wnid in enumerate(("n01440764", "n01443537")):
        archive = tar(root / "scratch" / f"{wnid}.tar", {f"{wnid}_{k}.JPEG": png(k), f"{wnid}_10.JPEG": png(k + 5)})
        inner[archive.name] = archive.read_bytes()
    tar(root / "ILSVRC2012_img_train.tar", inner)
    tar(root / "ILSVRC2012_img_val.tar", {f"ILSVRC2012_val_0000000{k}.JPEG": png(k) for k in (1, 2, 3)})


def places365(root):
    text(root / "categories_places365.txt", "/a/airfield 0\n/a/airplane_cabin 1\n/b/bar 2\n")
    for kind in ("train_standard", "train_challenge", "val", "test"):
        train = kind.startswith("train")
        label = "" if kind == "test" else " 2"
        names = ["/b/bar/00000001.jpg", "/b/bar/sub/2.jpg"] if train else ["Places365_val_1.jpg", "Places365_val_2.jpg"]
        text(root / f"places365_{kind}.txt", "".join(f"{name}{label}\n" for name in names))
        for size in ("256", "large"):
            folder = root / (f"data_{size}_{kind[6:]}" if train else f"{kind}_{size}")
            for k, name in enumerate(names):
                image(folder / name.lstrip("/"), k)


def voc(root):
    for year, folder in (("2012", root / "VOCdevkit" / "VOC2012"), ("2007", root / "VOCdevkit" / "VOC2007"),
                         ("2011", root / "TrainVal" / "VOCdevkit" / "VOC2011")):
        names = [f"{year}_000001", f"{year}_000002"]
        for k, name in enumerate(names):
            image(folder / "JPEGImages" / f"{name}.jpg", k)
            image(folder / "SegmentationClass" / f"{name}.png", k + 7, mode="P")
            one = "<object><name>dog</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>5</xmax><ymax>4</ymax></bndbox>" \
                  "<part><name>head</name></part><part><name>foot</name></part></object>"
            text(folder / "Annotations" / f"{name}.xml",
                 f"<annotation>\n<folder>VOC{year}</folder>\n<owner/>\n<size><width>6</width> <height>5</height></size>"
                 f"{one * (k + 1)}</annotation>")
        for kind in ("Main", "Segmentation"):
            for split in ("train", "val", "trainval", "test"):
                text(folder / "ImageSets" / kind / f"{split}.txt", "\n".join(names) + " \n")


def coco(root):
    for k in (3, 1):
        image(root / f"{k:012d}.jpg", k, mode="L" if k == 3 else "RGB")
    notes = [{"id": 10, "image_id": 3, "category_id": 18, "bbox": [1.0, 2.0, 3.0, 2.5], "area": 7.5, "iscrowd": 0,
              "segmentation": [[1, 2, 4, 2, 4, 4.5]], "caption": "a dog"},
             {"id": 4, "image_id": 3, "category_id": 1, "bbox": [0, 0, 2, 2], "area": 4, "iscrowd": 0,
              "segmentation": [[0, 0, 2, 0, 2, 2]], "caption": "a person with a dog"}]
    text(root / "annotations.json", json.dumps({
        "info": {"year": 2017}, "images": [{"id": k, "file_name": f"{k:012d}.jpg", "width": 6, "height": 5}
                                           for k in (3, 1)],
        "annotations": notes, "categories": [{"id": 18, "name": "dog", "supercategory": "animal"},
                                             {"id": 1, "name": "person", "supercategory": "person"}]}))


def celeba(root):
    folder = root / "celeba"
    names = [f"{k:06d}.jpg" for k in range(1, 7)]
    for k, name in enumerate(names):
        image(folder / "img_align_celeba" / name, k)
    text(folder / "list_eval_partition.txt", "".join(f"{name} {k}\n" for name, k in zip(names, (0, 1, 0, 2, 1, 2))))
    text(folder / "identity_CelebA.txt", "".join(f"{name} {k * 1000 + 7}\n" for k, name in enumerate(names)))
    for file, columns, values in (("list_attr_celeba", ["Bald", "Young", "Smiling"], (-1, 1)),
                                  ("list_bbox_celeba", ["image_id", "x_1", "y_1", "width", "height"], range(3, 99)),
                                  ("list_landmarks_align_celeba", [f"p{k}" for k in range(10)], range(20, 40))):
        width = len(columns) - (columns[0] == "image_id")
        rows = [" ".join(f"{values[(k * 5 + j * 3) % len(values)]:3d}" for j in range(width)) for k in range(6)]
        text(folder / f"{file}.txt", f"6\n{' '.join(columns)}\n" + "".join(
            f"{name}  {row}\n" for name, row in zip(names, rows)))


def lfw(root):
    folder = root / "lfw-py"
    people = {"Ada_Lovelace": 3, "Alan_Turing": 2, "Grace_Hopper": 1}
    text(folder / "lfw-names.txt", "".join(f"{name}\t{count}\n" for name, count in people.items()))
    for inner in ("lfw", "lfw_funneled", "lfw-deepfunneled"):
        for k, (name, count) in enumerate(people.items()):
            for number in range(1, count + 1):
                image(folder / inner / name / f"{name}_{number:04d}.jpg", 10 * k + number)
    text(folder / "people.txt", "2\n2\nAda_Lovelace\t3\nAlan_Turing\t2\n1\nGrace_Hopper\t1\n")
    same, other = "Ada_Lovelace\t1\t3\nAlan_Turing\t1\t2\n", "Ada_Lovelace\t2\tGrace_Hopper\t1\n"
    fold = same + other + "Alan_Turing\t1\tGrace_Hopper\t1\n"
    text(folder / "pairs.txt", "2\t2\n" + fold + fold)
    for split in ("DevTrain", "DevTest"):
        text(folder / f"people{split}.txt", "2\nAlan_Turing\t2\nAda_Lovelace\t3\n")
        text(folder / f"pairs{split}.txt", "2\n" + fold)
    for archive, inner in (("lfw", "lfw"), ("lfw-funneled", "lfw_funneled"), ("lfw-deepfunneled", "lfw-deepfunneled")):
        pack(folder / f"{archive}.tgz", folder, inner)


def omniglot(root):
    folder = root / "omniglot-py"
    for k, name in enumerate(("images_background", "images_evaluation")):
        image(folder / name / "Greek" / "character01" / "0394_01.png", k, mode="L")
        pack(folder / f"{name}.zip", folder, name)


CASES = {
    "STL10": (stl10, [{}, {"split": "test"}, {"split": "unlabeled"}, {"split": "train+unlabeled"},
                      {"split": "train", "folds": 3}, {"split": "train+unlabeled", "folds": 0},
                      {"split": "extra"}, {"folds": 10}, {"folds": "1"}]),
    "SVHN": (svhn, [{}, {"split": "test"}, {"split": "extra"}, {"split": "val"}]),
    "USPS": (usps, [{}, {"train": False}]),
    "Caltech101": (caltech101, [{}, {"target_type": "annotation"}, {"target_type": ["annotation", "category"]},
                                {"target_type": "box"}]),
    "Caltech256": (caltech256, [{}]),
    "Flowers102": (flowers102, [{}, {"split": "val"}, {"split": "test"}, {"split": "trainval"}]),
    "OxfordIIITPet": (oxford_iiit_pet, [{}, {"split": "test", "target_types": "binary-category"}, {"target_types": []},
                                        {"target_types": "segmentation"}, {"split": "val"},
                                        {"target_types": ["category", "segmentation"]}, {"target_types": "x"}]),
    "Food101": (food101, [{}, {"split": "test"}, {"split": "val"}]),
    "DTD": (dtd, [{}, {"split": "val", "partition": 10}, {"split": "test", "partition": 3}, {"split": "x"}]),
    "EuroSAT": (eurosat, [{}]),
    "GTSRB": (gtsrb, [{}, {"split": "test"}, {"split": "val"}]),
    "ImageNet": (imagenet, [{}, {"split": "val"}, {"split": "test"}]),
    "Places365": (places365, [{}, {"small": True}, {"split": "train-challenge"}, {"split": "val"}, {"split": "train"},
                              {"split": "test", "small": True}]),
    "VOCDetection": (voc, [{}, {"year": "2007", "image_set": "test"}, {"year": "2011", "image_set": "trainval"},
                           {"image_set": "test"}, {"year": "2013"}, {"year": "2010"}]),
    "VOCSegmentation": (voc, [{}, {"year": "2007", "image_set": "val"}]),
    "CocoDetection": (coco, [{"annFile": "ROOT/annotations.json"}]),
    "CocoCaptions": (coco, [{"annFile": "ROOT/annotations.json"}]),
    "CelebA": (celeba, [{}, {"split": "valid", "target_type": "identity"}, {"split": "all", "target_type": "bbox"},
                        {"split": "test", "target_type": ["landmarks", "attr"]}, {"target_type": []},
                        {"split": "val"}]),
    "LFWPeople": (lfw, [{}, {"split": "train", "image_set": "original"}, {"split": "Test", "image_set": "deepfunneled"},
                        {"split": "all"}]),
    "LFWPairs": (lfw, [{}, {"split": "train", "image_set": "original"}, {"image_set": "cropped"}]),
    "Omniglot": (omniglot, [{}, {"background": False}]),
}

NEEDS = {"Caltech101": "scipy", "Flowers102": "scipy", "SVHN": "scipy", "ImageNet": "scipy",
         "CocoDetection": "pycocotools", "CocoCaptions": "pycocotools"}


def make(library, name, root, options):
    """The data set `library.datasets.NAME` on the files below `root`."""
    options = {key: value.replace("ROOT", str(root)) if isinstance(value, str) else value
               for key, value in options.items()}
    return getattr(library.datasets, name)(str(root), **options)


def plain(value, root):
    """A value without its library and place, fit for JSON."""
    if isinstance(value, Image.Image):
        return ["image", value.mode, list(value.size), hashlib.md5(value.tobytes()).hexdigest()]
    if hasattr(value, "numpy"):
        return ["tensor", plain(value.detach().numpy(), root)]
    if isinstance(value, np.ndarray):
        content = np.ascontiguousarray(value)
        return ["array", str(value.dtype), list(value.shape),
                value.tolist() if value.size < 40 else hashlib.md5(content.tobytes()).hexdigest()]
    if isinstance(value, dict):
        return {str(key): plain(entry, root) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [type(value).__name__, *(plain(entry, root) for entry in value)]
    if isinstance(value, Path):
        return ["path", plain(str(value), root)]
    return value.replace(str(root), "ROOT") if isinstance(value, str) else value


# What one library has and the other need not: how images are read, and pycocotools' own class
SKIPPED = {"loader", "coco", "transform", "target_transform", "transforms"}


def summary(library, name, root, options):
    """What a user sees of a data set: repr, length, public attributes and all samples; or the error."""
    try:
        data = make(library, name, root, options)
    except Exception as error:
        return {"error": type(error).__name__, "message": str(error).split("\n")[0].replace(str(root), "ROOT")[:70]}
    shown = {key: plain(value, root) for key, value in sorted(vars(data).items())
             if not key.startswith("_") and key not in SKIPPED}
    if hasattr(data, "classes"):
        shown["classes"] = plain(data.classes, root)
    samples = [plain(data[k], root) for k in range(len(data))]
    return {"repr": plain(repr(data), root), "length": len(data), "attributes": shown, "samples": samples}


def recorded(library):
    """The summaries of every case, by class name."""
    result = {}
    for name, (write, cases) in CASES.items():
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder))
            result[name] = [summary(library, name, folder, options) for options in cases]
    return result


if __name__ == "__main__":  # writes what tests/vision/test_formats.py compares with, from torchvision
    import importlib
    import os

    import torchvision

    for name in CASES:
        module = importlib.import_module(getattr(torchvision.datasets, name).__module__)
        module.check_integrity = lambda path, md5=None: os.path.isfile(path)
    target = Path(__file__).parents[1] / "vision" / "recorded" / "datasets.json"
    target.parent.mkdir(exist_ok=True)
    lines = [f"{json.dumps(name)}: [\n" + ",\n".join(json.dumps(case) for case in cases) + "]"
             for name, cases in recorded(torchvision).items()]
    target.write_text("{" + ",\n".join(lines) + "}\n")
