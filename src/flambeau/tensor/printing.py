"""Tensors as text: what `print(tensor)` and `repr(tensor)` show, PyTorch's to the character.

In comes a NumPy array with the facts that the text mentions (dtype, gradient), out goes a string. `format_tensor` puts
the pieces together, `_Column` decides how the numbers of a tensor look, `_layout` where the lines break.
A tensor of more than `threshold` elements shows `edgeitems` at each end of every dimension; nothing else is ever
formatted.
"""
from contextlib import contextmanager
from math import inf, isfinite

import numpy as np


class PrintOptions:
    """The settings of `set_printoptions`; one instance, `options`, is read by every print."""

    def __init__(self):
        self.precision, self.threshold, self.edgeitems, self.linewidth, self.sci_mode = 4, 1000, 3, 80, None


options = PrintOptions()

_PROFILES = {
    "default": {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80},
    "short": {"precision": 2, "threshold": 1000, "edgeitems": 2, "linewidth": 80},
    "full": {"precision": 4, "threshold": inf, "edgeitems": 3, "linewidth": 80},
}


def set_printoptions(precision=None, threshold=None, edgeitems=None, linewidth=None, profile=None, sci_mode=None):
    """Set how tensors are printed; what is None stays as it is, except `sci_mode`.

    precision: digits after the point (4).  threshold: elements above which a tensor is summarised (1000).
    edgeitems: elements shown at each end of a summarised dimension (3).  linewidth: characters a line (80).
    profile:   "default", "short" (precision 2, edgeitems 2) or "full" (never summarise); the others refine it.
    sci_mode:  True or False forces scientific notation on or off, None (also when left out) lets the values decide.
    """
    chosen = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth}
    settings = dict(_PROFILES.get(profile, {}))
    settings.update((name, value) for name, value in chosen.items() if value is not None)
    for name, value in settings.items():
        setattr(options, name, value)
    options.sci_mode = sci_mode


def get_printoptions() -> dict:
    """The current settings as a dict of `set_printoptions`'s keyword arguments."""
    return dict(vars(options))


@contextmanager
def printoptions(**settings):
    """A context in which `set_printoptions(**settings)` holds."""
    before = get_printoptions()
    set_printoptions(**settings)
    try:
        yield
    finally:
        set_printoptions(**before)


def format_tensor(array: np.ndarray, *, dtype: object, default_dtype: object = "float32", requires_grad: bool = False,
                  grad_fn_name: str | None = None, prefix: str = "tensor(", device: str | None = None,
                  contents: str | None = None) -> str:
    """The repr of a tensor with the values of `array`.

    dtype, default_dtype: dtype objects or names ("float32", "torch.float32"). bfloat16 and other types that NumPy lacks
                  arrive widened to a NumPy type and keep their own name here.
    grad_fn_name: class name of the node that made the tensor, shown instead of requires_grad=True.
    prefix:       what opens the text; the class name and "(" for a subclass of Tensor.
    device:       the name of the device, unless that is the CPU; on "meta" there are no values, and `contents` is needed.
    contents:     what stands for the values.
    """
    dtype, default_dtype = (str(name).removeprefix("torch.") for name in (dtype, default_dtype))
    inferred = {default_dtype, "complex128" if default_dtype == "float64" else "complex64", "int64", "bool"}
    size = f"size={tuple(array.shape)}"
    suffixes = [] if device is None else [f"device='{device}'"]
    if device == "meta":
        inferred = {default_dtype}
        suffixes.append(size)
    elif array.size == 0:
        inferred = {default_dtype}  # no element from which a reader could tell the type
        if array.ndim != 1:
            suffixes.append(size)
    elif not options.edgeitems:
        suffixes.append(size)
    if dtype not in inferred:
        suffixes.append(f"dtype=torch.{dtype}")
    if grad_fn_name is not None:
        suffixes.append(f"grad_fn=<{grad_fn_name}>")
    elif requires_grad:
        suffixes.append("requires_grad=True")
    values = format_values(array, indent=len(prefix)) if contents is None else contents
    return _add_suffixes(prefix + values, suffixes, indent=len(prefix))


def format_values(array: np.ndarray, indent: int) -> str:
    """The values of `array` in nested brackets; lines after the first are indented by `indent` spaces and their
    depth."""
    if array.size == 0:
        return "[]"
    summarize = array.size > options.threshold
    if summarize and array.ndim and not options.edgeitems:
        return "[...]"
    shown = array[np.ix_(*map(_edges, array.shape))] if summarize else array
    cells, width = _cells(shown)
    if array.ndim == 0:
        return cells[0]
    per_line = max(1, (options.linewidth - indent - array.ndim + 1) // (width + 2))
    return _layout(cells, array.shape, indent, summarize, per_line)


def _edges(size: int) -> np.ndarray:
    """Indices of a summarised dimension that are shown."""
    indices = np.arange(size)
    edge = options.edgeitems
    return np.concatenate([indices[:edge], indices[-edge:]]) if size > 2 * edge else indices


def _cells(shown: np.ndarray) -> tuple[list[str], int]:
    """Every shown value as text, in order, and the width that a line reckons for each."""
    flat = shown.reshape(-1)
    if flat.dtype.kind != "c":
        return _column(flat)
    real, real_width = _column(flat.real)
    imag, imag_width = _column(flat.imag)
    imag = [text.lstrip() + "j" for text in imag]
    cells = [x + y if y[0] in "+-" else f"{x}+{y}" for x, y in zip(real, imag)]
    return cells, real_width + imag_width + 1


def _column(flat: np.ndarray) -> tuple[list[str], int]:
    """Real values as right-aligned text, and its width.

    One notation serves them all: whole numbers print as "3.", others with `precision` digits, in scientific notation if
    they span more than three decades or leave [1e-4, 1e8]. Zeros and what is not finite take no part in the choice.
    """
    values = flat.tolist()
    if flat.dtype.kind != "f":
        cells = [str(value) for value in values]
        width = max(map(len, cells), default=1)
    else:
        deciding = [value for value in values if value and isfinite(value)]
        write = _notation(deciding)
        cells = [write(value) for value in values]
        width = max((len(cell) for cell, value in zip(cells, values) if value and isfinite(value)), default=1)
    return [cell.rjust(width) for cell in cells], width


def _notation(deciding: list[float]):
    """The function that writes one number of a tensor whose nonzero finite values are `deciding`."""
    scientific, whole = False, True
    if deciding:
        sizes = [abs(value) for value in deciding]
        low, high = min(sizes), max(sizes)
        scientific = high / low > 1000.0 or high > 1.0e8 or low < 1.0e-4
        if options.sci_mode is not None:
            scientific = options.sci_mode
        whole = all(value.is_integer() for value in deciding)
    if scientific:
        return f"{{:.{options.precision}e}}".format
    if whole:
        return lambda value: f"{value:.0f}." if isfinite(value) else f"{value:.0f}"
    return f"{{:.{options.precision}f}}".format


def _layout(cells: list[str], shape: tuple[int, ...], indent: int, summarize: bool, per_line: int) -> str:
    """Brackets, commas and line breaks around `cells`, which are consumed in order."""
    remaining = iter(cells)
    edge = options.edgeitems

    def layout(depth: int) -> str:
        cut = summarize and shape[depth] > 2 * edge
        count = 2 * edge if cut else shape[depth]
        margin = " " * (indent + depth + 1)
        if depth == len(shape) - 1:
            row = [next(remaining) for _ in range(count)]
            if cut:
                row.insert(edge, " ...")
            lines = [", ".join(row[start:start + per_line]) for start in range(0, len(row), per_line)]
            return "[" + f",\n{margin}".join(lines) + "]"
        parts = [layout(depth + 1) for _ in range(count)]
        if cut:
            parts.insert(edge, "...")
        return "[" + ("," + "\n" * (len(shape) - depth - 1) + margin).join(parts) + "]"

    return layout(0)


def _add_suffixes(text: str, suffixes: list[str], indent: int) -> str:
    """Append `suffixes` and the closing bracket; a suffix that would pass the line's end starts a new line."""
    column = len(text) - text.rfind("\n") + 1
    for suffix in suffixes:
        if column + len(suffix) + 2 > options.linewidth:
            text += ",\n" + " " * indent + suffix
            column = indent + len(suffix)
        else:
            text += ", " + suffix
            column += len(suffix) + 2
    return text + ")"
