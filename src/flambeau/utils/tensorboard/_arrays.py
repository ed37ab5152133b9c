"""Arguments as arrays: tensors and numbers, images in any order of dimensions, figures."""
from __future__ import annotations

from typing import Any

import numpy as np

from ...tensor.tensor import Tensor


def make_np(x: Any) -> np.ndarray:
    """x, a tensor, array or number, as an array; NotImplementedError for anything else."""
    if isinstance(x, Tensor):
        x = x.detach().cpu()  # type: ignore[attr-defined]
        return x.float().numpy() if x.dtype.encoded else x.numpy()
    if isinstance(x, np.ndarray):
        return x
    if np.isscalar(x):
        return np.array([x])
    raise NotImplementedError(f"Got {type(x)}, but numpy array or torch tensor are expected.")


def convert_to_HWC(tensor: np.ndarray, input_format: str) -> np.ndarray:
    """An image, or a batch of images as a grid, in the order height, width, channel; grey becomes three channels."""
    order = input_format.upper()
    if len(set(order)) != len(order):
        raise AssertionError(f"You can not use the same dimension shordhand twice. input_format: {input_format}")
    if len(tensor.shape) != len(order):
        raise AssertionError(f"size of input tensor and input format are different. tensor shape: {tensor.shape}, "
                             f"input_format: {input_format}")
    if len(order) == 4:
        return make_grid(tensor.transpose([order.find(c) for c in "NCHW"])).transpose(1, 2, 0)
    if len(order) == 3:
        image = tensor.transpose([order.find(c) for c in "HWC"])
        return np.concatenate([image] * 3, 2) if image.shape[2] == 1 else image
    return np.stack([tensor.transpose([order.find(c) for c in "HW"])] * 3, 2)


def make_grid(images: np.ndarray, columns: int = 8) -> np.ndarray:
    """(N, C, H, W) in rows of up to `columns`: (3, rows·H, columns·W)."""
    images = np.concatenate([images] * 3, 1) if images.shape[1] == 1 else images
    n, _, height, width = images.shape
    columns = min(n, columns)
    rows = -(-n // columns)
    canvas = np.zeros((images.shape[1], height * rows, width * columns), images.dtype)
    for i, image in enumerate(images):
        y, x = divmod(i, columns)
        canvas[:, y * height:(y + 1) * height, x * width:(x + 1) * width] = image
    return canvas


def figure_to_image(figures: Any, close: bool = True) -> np.ndarray:
    """A matplotlib figure as (3, H, W) uint8, or a list of them as (N, 3, H, W)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    def draw(figure: Any) -> np.ndarray:
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        pixels = np.asarray(canvas.buffer_rgba())[:, :, :3]
        if close:
            import matplotlib.pyplot as plt
            plt.close(figure)
        return np.ascontiguousarray(pixels.transpose(2, 0, 1))
    return np.stack([draw(f) for f in figures]) if isinstance(figures, list) else draw(figures)
