"""The embedding projector's files: vectors and labels as tables, thumbnails as one picture, and their configuration."""
from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any, Sequence

import numpy as np

from ...serialization._atomic import atomic_write
from ._arrays import make_np


def write_embedding(logdir: str, folder: str, tag: str, mat: Any, metadata: Sequence[Any] | None, label_img: Any,
                    metadata_header: Sequence[str] | None) -> None:
    """Writes (N, D) vectors, N labels (or rows of them, with a header) and N pictures (N, C, H, W) to logdir/folder,
    and names them in logdir/projector_config.pbtxt."""
    from google.protobuf import text_format
    from tensorboard.plugins.projector.projector_config_pb2 import EmbeddingInfo, ProjectorConfig
    mat = make_np(mat)
    if mat.ndim != 2:
        raise AssertionError("mat should be 2D, where mat.size(0) is the number of data points")
    path = Path(logdir, folder)
    path.mkdir(parents=True, exist_ok=True)
    info = EmbeddingInfo(tensor_name=tag, tensor_path=f"{folder}/tensors.tsv")
    if metadata is not None:
        if len(metadata) != len(mat):
            raise AssertionError("#labels should equal with #data points")
        rows = [str(x) for x in metadata]
        if metadata_header:
            rows = ["\t".join(map(str, row)) for row in [metadata_header, *metadata]]
        _write(path / "metadata.tsv", rows)
        info.metadata_path = f"{folder}/metadata.tsv"
    if label_img is not None:
        images = make_np(label_img)
        if len(images) != len(mat):
            raise AssertionError("#images should equal with #data points")
        _write_sprite(path / "sprite.png", images)
        info.sprite.image_path = f"{folder}/sprite.png"
        info.sprite.single_image_dim.extend([images.shape[3], images.shape[2]])
    _write(path / "tensors.tsv", ["\t".join(str(x) for x in row) for row in mat.tolist()])
    configuration = Path(logdir, "projector_config.pbtxt")
    config = ProjectorConfig()
    if configuration.exists():
        text_format.Parse(configuration.read_text(encoding="utf-8"), config)
    kept = [e for e in config.embeddings if e.tensor_path != info.tensor_path]
    with atomic_write(os.fspath(configuration)) as file:
        file.write(text_format.MessageToString(ProjectorConfig(embeddings=[*kept, info])).encode("utf-8"))


def _write(path: Path, rows: Sequence[str]) -> None:
    path.write_text("".join(row + "\n" for row in rows), encoding="utf-8")


def _write_sprite(path: Path, images: np.ndarray) -> None:
    """All pictures in a square of squares."""
    from PIL import Image

    from ._arrays import make_grid
    from .summary import _pixels
    side = math.ceil(math.sqrt(len(images)))
    blank = np.zeros((side * side - len(images), *images.shape[1:]), images.dtype)
    grid = make_grid(np.concatenate([images, blank]), side)
    Image.fromarray(_pixels(grid).transpose(1, 2, 0)).save(path)
