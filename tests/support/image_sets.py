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


class Sparse:
    """A matrix to be stored by columns."""

    def __init__(self, dense):
        self.dense = dense

    def columns(self):
        rows = [np.flatnonzero(column) for column in self.dense.T]
        starts = np.cumsum([0, *map(len, rows)])
        return np.concatenate(rows).astype("<i4"), starts.astype("<i4"), np.ones(starts[-1], np.uint8)


NUMBERS = {"float64": (6, 9), "uint8": (9, 2), "uint16": (11, 4), "int32": (12, 5)}  # (class, element type)


def matrix(name, value):
    """A variable: array, `Sparse`, str, list (a row of cells, of sparse ones a column), tuple of dicts (a column of
    structures)."""
    if isinstance(value, str):
        kind, shape, body = 4, (1, len(value)), small(16, value.encode())
    elif isinstance(value, tuple):
        fields = list(value[0])
        kind, shape = 2, (len(value), 1)
        body = small(5, struct.pack("<i", 32)) + element(1, b"".join(f.encode().ljust(32, b"\0") for f in fields))
        body += b"".join(matrix("", row[field]) for row in value for field in fields)
    elif isinstance(value, Sparse):
        rows, starts, entries = value.columns()
        kind, shape = 5, value.dense.shape
        body = small(5, rows.tobytes()) + small(5, starts.tobytes()) + small(2, entries.tobytes())
    elif isinstance(value, list):
        shape = (len(value), 1) if isinstance(value[0], Sparse) else (1, len(value))
        kind, body = 1, b"".join(matrix("", entry) for entry in value)
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


def country211(root):
    for split in ("train", "valid", "test"):
        for k, name in enumerate(("AD/1.jpg", "ZW/2.jpg")):
            image(root / "country211" / split / name, k)


def fer2013(root):
    rng = np.random.default_rng(3)
    faces = [" ".join(map(str, rng.integers(0, 256, 48 * 48))) for _ in range(3)]
    usages = ("Training", "PublicTest", "PrivateTest")
    text(root / "fer2013" / "train.csv", "emotion,pixels\n" + "".join(f"{k},{face}\n" for k, face in enumerate(faces)))
    text(root / "fer2013" / "test.csv", "pixels\n" + "".join(f"{face}\n" for face in faces[:2]))
    for other, head in (("fer", "emotion,pixels,Usage"), ("icml", "emotion, Usage, pixels")):
        name = "fer2013.csv" if other == "fer" else "icml_face_data.csv"
        rows = [f"{k},{face},{usage}" if other == "fer" else f"{k},{usage},{face}"
                for k, (face, usage) in enumerate(zip(faces, usages))]
        text(root / other / "fer2013" / name, head + "\n" + "\n".join(rows) + "\n")


def fgvc_aircraft(root):
    data = root / "fgvc-aircraft-2013b" / "data"
    for k, name in enumerate(("0034309", "1234567")):
        image(data / "images" / f"{name}.jpg", k)
    for level, names, file in (("variant", ["707-320", "A300 B4"], "variants"), ("family", ["707", "A300"], "families"),
                               ("manufacturer", ["Boeing", "Airbus"], "manufacturers")):
        text(data / f"{file}.txt", "\n".join(names) + "\n")
        for split in ("train", "trainval", "test"):
            text(data / f"images_{level}_{split}.txt", f"1234567 {names[1]}\n0034309 {names[0]}\n")


def imagenette(root):
    for size in ("", "-320", "-160"):
        for k, name in enumerate(("train/n01440764/a.JPEG", "train/n03425413/b.JPEG", "val/n03888257/c.JPEG")):
            image(root / f"imagenette2{size}" / name, k)


def rendered_sst2(root):
    for split in ("train", "valid", "test"):
        for k, name in enumerate(("negative/1.png", "positive/2.png")):
            image(root / "rendered-sst2" / split / name, k)


def semeion(root):
    rng = np.random.default_rng(4)
    rows = [" ".join(f"{value}.0000" for value in rng.integers(0, 2, 256)) + " "
            + " ".join(str(int(k == label)) for k in range(10)) for label in (3, 0, 9)]
    text(root / "semeion.data", " \n".join(rows) + " \n")


def stanford_cars(root):
    folder = root / "stanford_cars"
    for split, notes in (("train", folder / "devkit" / "cars_train_annos.mat"),
                         ("test", folder / "cars_test_annos_withlabels.mat")):
        for k in (1, 2):
            image(folder / f"cars_{split}" / f"{k:05d}.jpg", k)
        mat(notes, {"annotations": tuple({"bbox_x1": np.array([[39]], np.uint8), "class": np.array([[label]], np.uint8),
                                          "fname": f"{k:05d}.jpg"} for k, label in ((1, 2), (2, 1)))})
    mat(folder / "devkit" / "cars_meta.mat", {"class_names": ["AM General Hummer SUV 2000", "Acura RL Sedan 2012"]})


def sun397(root):
    for k, name in enumerate(("a/abbey/sun_aaa.jpg",)):
        image(root / "SUN397" / name, k)
    text(root / "SUN397" / "ClassName.txt", "/a/abbey\n/a/apartment_building/outdoor\n")


def clevr(root):
    folder = root / "clevr" / "CLEVR_v1.0"
    for split in ("train", "val", "test"):
        scenes = []
        for k in (0, 1):
            name = f"CLEVR_{split}_{k:06d}.png"
            image(folder / "images" / split / name, k)
            scenes.append({"image_filename": name, "objects": [{}] * (k + 3)})
        text(folder / "scenes" / f"CLEVR_{split}_scenes.json", json.dumps({"scenes": scenes}))


def moving_mnist(root):
    (root / "MovingMNIST").mkdir(parents=True)
    videos = np.random.default_rng(5).integers(0, 256, (20, 3, 64, 64), dtype=np.uint8)
    np.save(root / "MovingMNIST" / "mnist_test_seq.npy", videos)


def kitti(root):
    raw = root / "Kitti" / "raw"
    for part in ("training", "testing"):
        image(raw / part / "image_2" / "000000.png", 0)
    text(raw / "training" / "label_2" / "000000.txt",
         "Pedestrian 0.00 0 -0.20 712.40 143.00 810.73 307.92 1.89 0.48 1.20 1.84 1.47 8.41 0.01\n"
         "DontCare -1 -1 -10 1.0 2.0 3.0 4.0 -1 -1 -1 -1000 -1000 -1000 -10\n")


def flickr(root):
    for k, name in enumerate(("1000268201_693b08cb0e.jpg", "1001773457_577c3a7d70.jpg")):
        image(root / name, k)
    cells = "".join(f"<tr><td><a href='x'>http://www.flickr.com/photos/p/{key}/</a></td><td><ul><li>One {key} . </li>"
                    f"<li>Two</li></ul></td></tr>" for key in ("1001773457", "1000268201"))
    text(root / "8k.html", f"<html><body><a>none</a><table>{cells}<tr><td>Image Not Found</td><td><ul><li>x</li></ul>"
         "</td></tr></table></body></html>")
    text(root / "30k.token", "1001773457_577c3a7d70.jpg#0\tTwo dogs\n1000268201_693b08cb0e.jpg#0\tA child\n"
         "1001773457_577c3a7d70.jpg#1\tA black dog\n")


def widerface(root):
    folder = root / "widerface"
    for split in ("train", "val", "test"):
        for k, name in enumerate(("0--Parade/a_1.jpg", "1--Handshaking/b_2.jpg")):
            image(folder / f"WIDER_{split}" / "images" / name, k)
        text(folder / "wider_face_split" / f"wider_face_{split}_bbx_gt.txt",
             "0--Parade/a_1.jpg\n2\n449 330 122 149 0 1 0 0 2 0 \n361 98 263 339 1 0 0 0 0 1 \n"
             "1--Handshaking/b_2.jpg\n0\n0 0 0 0 0 0 0 0 0 0 \n")
    text(folder / "wider_face_split" / "wider_face_test_filelist.txt", "0--Parade/a_1.jpg\n1--Handshaking/b_2.jpg\n")


def cityscapes(root):
    for split, modes in (("train", ("gtFine", "gtCoarse")), ("val", ("gtFine",)), ("train_extra", ("gtCoarse",))):
        stem = "aachen_000000_000019"
        image(root / "leftImg8bit" / split / "aachen" / f"{stem}_leftImg8bit.png", 0)
        for mode in modes:
            folder = root / mode / split / "aachen"
            for k, kind in enumerate(("instanceIds", "labelIds", "color")):
                image(folder / f"{stem}_{mode}_{kind}.png", k, mode="RGB" if kind == "color" else "L")
            text(folder / f"{stem}_{mode}_polygons.json", json.dumps({"imgHeight": 5, "objects": [{"label": "road"}]}))


def inaturalist(root):
    for k, name in enumerate(("00000_Animalia_Chordata_Aves_Passeriformes_Corvidae_Corvus_corax",
                              "00001_Animalia_Chordata_Mammalia_Carnivora_Felidae_Lynx_lynx")):
        image(root / "2021_valid" / name / "a.jpg", k, mode="L" if k else "RGB")
    for version, species in (("2017", ("Corvus corax", "Pica pica")), ("2018", ("1", "0"))):
        for k, (group, name) in enumerate(zip(("Aves", "Mammalia"), species)):
            image(root / version / group / name / "a.jpg", k)


def phototour(root):
    folder = root / "liberty"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(6)
    for k in range(2):
        grid = rng.integers(0, 256, (128, 192), dtype=np.uint8)
        Image.fromarray(grid).save(folder / f"patches{k:04d}.bmp")
    text(folder / "info.txt", "".join(f"{k // 2} 0\n" for k in range(12)))
    text(folder / "m50_100000_100000_0.txt", "0 0 0 1 0 0 0\n2 1 0 5 2 0 0\n")


def pcam(root):
    import h5py

    rng = np.random.default_rng(7)
    (root / "pcam").mkdir(parents=True)
    for split in ("train", "valid"):
        stem = root / "pcam" / f"camelyonpatch_level_2_split_{split}"
        with h5py.File(f"{stem}_x.h5", "w") as file:
            file["x"] = rng.integers(0, 256, (2, 96, 96, 3), dtype=np.uint8)
        with h5py.File(f"{stem}_y.h5", "w") as file:
            file["y"] = np.array([1, 0], np.uint8).reshape(2, 1, 1, 1)


def lsun(root):
    import lmdb

    for k, name in enumerate(("bedroom_train", "tower_val")):
        with lmdb.open(str(root / f"{name}_lmdb"), map_size=1 << 20) as env, env.begin(write=True) as transaction:
            for j in range(2 - k):
                transaction.put(f"key{j}".encode(), png(k * 2 + j))


def sbu(root):
    folder = root / "dataset"
    image(folder / "4385058960_b0f291553e.jpg", 0)
    text(folder / "SBU_captioned_photo_dataset_urls.txt",
         "http://x.com/1/gone.jpg\nhttp://x.com/4385058960_b0f291553e.jpg\n")
    text(folder / "SBU_captioned_photo_dataset_captions.txt", "A thing \nA wooden chair  \n")
    tar(root / "SBUCaptionedPhotoDataset.tar.gz", {}, "w:gz")


def sbd(root):
    for split in ("train", "val", "train_noval"):
        text(root / f"{split}.txt", "2008_000002\n")
    image(root / "img" / "2008_000002.jpg", 0)
    edges = [Sparse(np.random.default_rng(k).random((5, 6)) < 0.2) for k in range(20)]
    mat(root / "cls" / "2008_000002.mat", {"GTcls": ({
        "Boundaries": edges, "Segmentation": np.arange(30, dtype=np.uint8).reshape(5, 6),
        "CategoriesPresent": np.array([[1, 2]], np.uint8)},)})


def flo(path, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).normal(0, 3, (5, 6, 2)).astype("<f4")
    path.write_bytes(b"PIEH" + np.array([6, 5], "<i4").tobytes() + values.tobytes())


def deep_png(path, seed):
    """A 16-bit RGB PNG, which Pillow cannot write."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).integers(0, 2 ** 16, (5, 6, 3)).astype(">u2")
    values[..., 2] %= 2

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + row.tobytes() for row in values)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 6, 5, 16, 2, 0, 0, 0))
                     + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def pfm(path, seed, channels=3):
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).normal(0, 3, (5, 6, channels)).astype("<f4")
    path.write_bytes((b"PF" if channels == 3 else b"Pf") + b"\n6 5\n-1.0\n" + values.tobytes())


def sintel(root):
    base = root / "Sintel"
    for part, name in (("training", "clean"), ("training", "final"), ("test", "clean")):
        for k in range(3):
            image(base / part / name / "alley_1" / f"frame_{k:04d}.png", k)
    for k in range(2):
        flo(base / "training" / "flow" / "alley_1" / f"frame_{k:04d}.flo", k)


def kitti_flow(root):
    for part in ("training", "testing"):
        for k in range(4):
            image(root / "KittiFlow" / part / "image_2" / f"{k // 2:06d}_1{k % 2}.png", k)
    for k in range(2):
        deep_png(root / "KittiFlow" / "training" / "flow_occ" / f"{k:06d}_10.png", k)


def flying_chairs(root):
    base = root / "FlyingChairs"
    for k in range(3):
        flo(base / "data" / f"{k:05d}_flow.flo", k)
        for j in (1, 2):
            image(base / "data" / f"{k:05d}_img{j}.ppm", 10 * k + j)
    text(base / "FlyingChairs_train_val.txt", "1\n2\n1\n")


def flying_things(root):
    base = root / "FlyingThings3D"
    for side in ("left", "right"):
        for k in range(3):
            for name in ("clean", "final"):
                image(base / f"frames_{name}pass" / "TRAIN" / "A" / "0000" / side / f"{k:04d}.png", k)
            for direction in ("into_future", "into_past"):
                pfm(base / "optical_flow" / "TRAIN" / "A" / "0000" / direction / side / f"{k:04d}.pfm", k)


def hd1k(root):
    base = root / "hd1k"
    for k in range(3):
        deep_png(base / "hd1k_flow_gt" / "flow_occ" / f"000001_{k:04d}.png", k)
        image(base / "hd1k_input" / "image_2" / f"000001_{k:04d}.png", k)
    for k in range(2):
        image(base / "hd1k_challenge" / "image_2" / f"000000_001{k}.png", k)


def stereo(folder, names, disparities=(), k=0):
    """Images and float maps in one folder."""
    for j, name in enumerate(names):
        image(folder / name, 10 * k + j)
    for j, name in enumerate(disparities):
        pfm(folder / name, 10 * k + j, channels=1)


def grey16(path, seed):
    """A 16-bit grey PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(1, 2 ** 16, (5, 6)).astype(np.uint16)).save(path, "PNG")


def carla(root):
    for k, scene in enumerate(("one", "two")):
        stereo(root / "carla-highres" / "trainingF" / scene, ["im0.png", "im1.png"], ["disp0GT.pfm", "disp1GT.pfm"], k)


def kitti_stereo(root):
    for part in ("training", "testing"):
        for k in range(2):
            for folder in ("colored_0", "colored_1"):
                image(root / "Kitti2012" / part / folder / f"{k}_10.png", k)
            for folder in ("image_2", "image_3"):
                image(root / "Kitti2015" / part / folder / f"{k}_10.png", k)
    for k in range(2):
        grey16(root / "Kitti2012" / "training" / "disp_noc" / f"{k}.png", k)
        for folder in ("disp_occ_0", "disp_occ_1"):
            grey16(root / "Kitti2015" / "training" / folder / f"{k}.png", k)


def middlebury(root):
    scenes = "Adirondack Jadeplant Motorcycle Piano Pipes Playroom Playtable Recycle Shelves Vintage".split()
    base = root / "Middlebury2014"
    for k, scene in enumerate(scenes):
        for suffix in ("-perfect", "-imperfect"):
            stereo(base / "train" / (scene + suffix), ["im0.png", "im1.png"], ["disp0.pfm", "disp1.pfm"], k)
    for k, scene in enumerate(("Plants Classroom2E Classroom2 Australia DjembeL CrusadeP Crusade Hoops Bicycle2 Staircase "
                               "Newkuba AustraliaP Djembe Livingroom Computer").split()):
        stereo(base / "test" / scene, ["im0.png", "im1.png"], k=k)
    (base / "additional" / "Other").mkdir(parents=True)


def cre_stereo(root):
    for k, part in enumerate(("shapenet", "reflective", "tree", "hole")):
        stereo(root / "CREStereo" / part, ["0_left.jpg", "0_right.jpg"], k=k)
        for side in ("left", "right"):
            grey16(root / "CREStereo" / part / f"0_{side}.disp.png", k)


def falling_things(root):
    for k, place in enumerate(("single/cup/kitchen", "mixed/forest")):
        folder = root / "FallingThings" / place
        stereo(folder, ["0.left.jpg", "0.right.jpg"], k=k)
        for side in ("left", "right"):
            grey16(folder / f"0.{side}.depth.png", k)
        settings = {"camera_settings": [{"intrinsic_settings": {"fx": 768.5 + k}}]}
        text(folder / "_camera_settings.json", json.dumps(settings))


def scene_flow(root):
    for variant, place in (("FlyingThings3D", "TRAIN/A/0000"), ("Monkaa", "eating"), ("Driving", "a/b/c")):
        base = root / "SceneFlow" / variant
        for k, side in enumerate(("left", "right")):
            for name in ("clean", "final"):
                stereo(base / f"frames_{name}pass" / place / side, ["0.png", "1.png"], k=k)
            stereo(base / "disparity" / place / side, [], ["0.pfm", "1.pfm"], k)


def sintel_stereo(root):
    base = root / "Sintel" / "training"
    for k, folder in enumerate(("final_left", "final_right", "clean_left", "clean_right", "disparities")):
        stereo(base / folder / "alley", ["0.png", "1.png"], k=k)
    for folder in ("occlusions", "outofframe"):
        for k in range(2):
            image(base / folder / "alley" / f"{k}.png", k, mode="L")
    image(base / "occlusions" / "alley" / "0.png", 9, mode="P")
    (base / "outofframe" / "alley" / "0.png").write_bytes((base / "occlusions" / "alley" / "0.png").read_bytes())


def in_stereo(root):
    for split in ("train", "test"):
        for k, scene in enumerate(("a", "b")):
            folder = root / "InStereo2k" / split / scene
            stereo(folder, ["left.png", "right.png"], k=k)
            for side in ("left", "right"):
                grey16(folder / f"{side}_disp.png", k)


def eth3d(root):
    base = root / "ETH3D"
    for folder in ("two_view_training", "two_view_test"):
        stereo(base / folder / "hall", ["im0.png", "im1.png"])
    stereo(base / "two_view_training_gt" / "hall", [], ["disp0GT.pfm"])
    made = np.random.default_rng(0).integers(0, 2, (5, 6), dtype=np.uint8) * 255
    Image.fromarray(made).save(base / "two_view_training_gt" / "hall" / "mask0nocc.png")


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
    "Country211": (country211, [{}, {"split": "valid"}, {"split": "val"}]),
    "FER2013": (fer2013, [{}, {"split": "test"}, {"root": "ROOT/fer"}, {"root": "ROOT/icml", "split": "test"},
                          {"split": "val"}]),
    "FGVCAircraft": (fgvc_aircraft, [{}, {"split": "test", "annotation_level": "family"},
                                     {"split": "train", "annotation_level": "manufacturer"}, {"split": "x"},
                                     {"annotation_level": "x"}]),
    "Imagenette": (imagenette, [{}, {"split": "val", "size": "160px"}, {"size": "640px"}]),
    "RenderedSST2": (rendered_sst2, [{}, {"split": "val"}, {"split": "valid"}]),
    "SEMEION": (semeion, [{"download": False}]),
    "StanfordCars": (stanford_cars, [{}, {"split": "test"}, {"split": "val"}, {"download": True}]),
    "SUN397": (sun397, [{}]),
    "CLEVRClassification": (clevr, [{}, {"split": "val"}, {"split": "test"}, {"split": "x"}]),
    "MovingMNIST": (moving_mnist, [{}, {"split": "train", "split_ratio": 4}, {"split": "test"}, {"split": "val"},
                                   {"split_ratio": 20}, {"split_ratio": 0.5}]),
    "Kitti": (kitti, [{}, {"train": False}]),
    "Flickr8k": (flickr, [{"ann_file": "ROOT/8k.html"}]),
    "Flickr30k": (flickr, [{"ann_file": "ROOT/30k.token"}]),
    "WIDERFace": (widerface, [{}, {"split": "val"}, {"split": "test"}, {"split": "x"}]),
    "Cityscapes": (cityscapes, [{}, {"split": "val", "target_type": "polygon"},
                                {"mode": "coarse", "split": "train_extra", "target_type": ["semantic", "color"]},
                                {"mode": "coarse", "split": "test"}, {"mode": "x"}, {"target_type": "x"},
                                {"split": "test"}]),
    "INaturalist": (inaturalist, [{"version": "2021_valid"},
                                  {"version": "2021_valid", "target_type": ["genus", "full"]},
                                  {"version": "2017", "target_type": "super"}, {"version": "2018"},
                                  {"version": "2017", "target_type": "genus"}, {"version": "2016"}]),
    "PhotoTour": (phototour, [{"name": "liberty"}, {"name": "liberty", "train": False}, {"name": "paris"}]),
    "PCAM": (pcam, [{}, {"split": "val"}, {"split": "valid"}]),
    "LSUN": (lsun, [{"classes": ["bedroom_train", "tower_val"]}, {"classes": ["attic_train"]}, {"classes": ["tower_x"]},
                    {"classes": 3}]),
    "Sintel": (sintel, [{}, {"pass_name": "both"}, {"split": "test"}, {"split": "val"}, {"pass_name": "x"}]),
    "KittiFlow": (kitti_flow, [{}, {"split": "test"}, {"split": "val"}]),
    "FlyingChairs": (flying_chairs, [{}, {"split": "val"}, {"split": "test"}]),
    "FlyingThings3D": (flying_things, [{}, {"pass_name": "both", "camera": "both"}, {"split": "test"},
                                       {"camera": "x"}]),
    "HD1K": (hd1k, [{}, {"split": "test"}, {"split": "val"}]),
    "CarlaStereo": (carla, [{}]),
    "Kitti2012Stereo": (kitti_stereo, [{}, {"split": "test"}, {"split": "val"}]),
    "Kitti2015Stereo": (kitti_stereo, [{}, {"split": "test"}, {"split": "val"}]),
    "Middlebury2014Stereo": (middlebury, [{}, {"calibration": "both"}, {"split": "test", "calibration": None},
                                          {"split": "test"}, {"calibration": None}, {"calibration": "x"},
                                          {"split": "additional"}, {"split": "x"}]),
    "CREStereo": (cre_stereo, [{}]),
    "FallingThingsStereo": (falling_things, [{}, {"variant": "mixed"}, {"variant": "both"}, {"variant": "x"}]),
    "SceneFlowStereo": (scene_flow, [{}, {"variant": "Monkaa", "pass_name": "both"},
                                     {"variant": "Driving", "pass_name": "final"}, {"variant": "x"},
                                     {"pass_name": "x"}]),
    "SintelStereo": (sintel_stereo, [{}, {"pass_name": "clean"}, {"pass_name": "both"}, {"pass_name": "x"}]),
    "InStereo2k": (in_stereo, [{}, {"split": "test"}, {"split": "x"}]),
    "ETH3DStereo": (eth3d, [{}, {"split": "test"}, {"split": "x"}]),
    "SBU": (sbu, [{"download": False}]),
    "SBDataset": (sbd, [{}, {"image_set": "train_noval", "mode": "segmentation"}, {"mode": "x"}]),
}

# Packages that torchvision needs to read a set; those that writing it here needs
NEEDS = {**{name: ["scipy"] for name in ("Caltech101", "Flowers102", "SVHN", "ImageNet", "StanfordCars", "SBDataset")},
         "CocoDetection": ["pycocotools"], "CocoCaptions": ["pycocotools"], "PCAM": ["h5py"], "LSUN": ["lmdb"]}
TO_WRITE = {"PCAM": "h5py", "LSUN": "lmdb"}


def make(library, name, root, options):
    """The data set `library.datasets.NAME` on the files below `root`."""
    options = {key: value.replace("ROOT", str(root)) if isinstance(value, str) else value
               for key, value in options.items()}
    return getattr(library.datasets, name)(options.pop("root", str(root)), **options)


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
        return {plain(str(key), root): plain(entry, root) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [type(value).__name__, *(plain(entry, root) for entry in value)]
    if isinstance(value, Path):
        return ["path", plain(str(value), root)]
    return value.replace(str(root), "ROOT") if isinstance(value, str) else value


# What one library has and the other need not: how images are read, and pycocotools' own class
SKIPPED = {"loader", "coco", "h5py", "dbs", "transform", "target_transform", "transforms"}


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
