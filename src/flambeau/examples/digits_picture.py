"""The picture that digits_lenet.py leaves: the loss curve, the accuracy, and some predicted digits.

Drawn by matplotlib where it is installed, else by the few lines of NumPy below, which write the PNG themselves.
"""
import struct
import zlib

import numpy as np

COLUMNS, ROWS = 8, 5  # of the table of digits


def save_picture(path, losses, accuracies, images, labels, predicted):
    """Writes a PNG to `path`. `images` (N, 8, 8) from 0 to 1; one loss and one accuracy (0 to 1) for each epoch.

    Wrong predictions come first, so that they are seen, with the right label behind the predicted one.
    """
    order = np.argsort(np.equal(labels, predicted), kind="stable")[:COLUMNS * ROWS]
    digits = [(images[i], labels[i], predicted[i]) for i in order]
    try:
        import matplotlib
    except ImportError:
        canvas = draw(losses, accuracies, digits)
        path.write_bytes(png(canvas))
    else:
        matplotlib.use("Agg")
        plot(path, losses, accuracies, digits)


def caption(label, predicted):
    return str(predicted) if label == predicted else f"{predicted} not {label}"


def title(accuracies):
    return f"test accuracy {accuracies[-1]:.1%}"


# ------------------------------------------------------------------------------------------------ with matplotlib

def plot(path, losses, accuracies, digits):
    from matplotlib import pyplot as plt

    figure = plt.figure(figsize=(9.6, 4), layout="constrained")
    left, right = figure.subfigures(1, 2)
    axes = left.subplots()
    axes.plot(range(1, len(losses) + 1), losses, marker=".")
    axes.set(title="training loss", xlabel="epoch", ylim=(0, None))
    right.suptitle(title(accuracies))
    for cell in (grid := right.subplots(ROWS, COLUMNS)).flat:
        cell.axis("off")
    for cell, (image, label, predicted) in zip(grid.flat, digits):
        cell.imshow(image, cmap="gray_r", vmin=0, vmax=1)
        cell.set_title(caption(label, predicted), fontsize=7, color="black" if label == predicted else "red")
    figure.savefig(path, dpi=100)
    plt.close(figure)


# --------------------------------------------------------------------------------------------- without matplotlib

BLACK, GREY, BLUE, RED = (0, 0, 0), (200, 200, 200), (31, 119, 180), (214, 39, 40)

# 5 x 7 pixels: the columns of each character, the lowest bit of a column on top
FONT = {
    "0": "3e5149453e", "1": "00427f4000", "2": "4261514946", "3": "2141454b31", "4": "1814127f10", "5": "2745454539",
    "6": "3c4a494930", "7": "0171090503", "8": "3649494936", "9": "064949291e", ".": "0060600000", "%": "2313086462",
    "a": "2054545478", "c": "3844444420", "e": "3854545418", "g": "0c5252523e", "h": "7f08040478",
    "i": "00447d4000", "l": "00417f4000", "n": "7c08040478", "o": "3844444438", "p": "7c14141408", "r": "7c08040408",
    "s": "4854545420", "t": "043f444020", "u": "3c4040207c", "y": "0c5050503c",
}


def draw(losses, accuracies, digits):
    """The picture as an array (400, 960, 3) of uint8."""
    canvas = np.full((400, 960, 3), 255, np.uint8)
    write(canvas, 170, 18, "training loss", BLACK, size=2)
    draw_curve(canvas[50:370, 60:460], losses)
    for epoch in range(1, len(losses) + 1):
        write(canvas, 60 + round(399 * (epoch - 1) / max(len(losses) - 1, 1)) - 4, 376, str(epoch), BLACK)
    for fraction in (0, 0.5, 1):
        write(canvas, 20, 366 - round(319 * fraction), f"{max(losses) * fraction:.2f}", BLACK)
    write(canvas, 590, 18, title(accuracies), BLACK, size=2)
    for i, (image, label, predicted) in enumerate(digits):
        top, left = 50 + i // COLUMNS * 68, 490 + i % COLUMNS * 58
        grey = (255 - 255 * np.clip(image, 0, 1)).astype(np.uint8)
        canvas[top + 12:top + 52, left:left + 40] = np.kron(grey, np.ones((5, 5), np.uint8))[:, :, None]
        write(canvas, left, top, caption(label, predicted), BLACK if label == predicted else RED)
    return canvas


def draw_curve(area, values):
    """A line through `values`, evenly spaced, on a view of the canvas; the bottom is 0 and the top the largest."""
    height, width, _ = area.shape
    for fraction in (0, 0.25, 0.5, 0.75, 1):
        area[round((height - 1) * fraction)] = GREY
    x = np.linspace(0, len(values) - 1, 8 * width)  # finer than pixels: no gaps where the line is steep
    y = np.interp(x, np.arange(len(values)), values)
    columns = np.linspace(0, width - 1, x.size).round().astype(int)
    rows = ((height - 1) * (1 - y / max(max(values), 1e-12))).round().astype(int)
    for thick in (-1, 0, 1):
        area[np.clip(rows + thick, 0, height - 1), columns] = BLUE


def write(canvas, left, top, text, color, size=1):
    """Writes `text` with its upper left corner at (left, top); a character is 6 * size pixels wide."""
    for character in text:
        columns = np.frombuffer(bytes.fromhex(FONT.get(character, "00" * 5)), np.uint8)
        glyph = np.unpackbits(columns[None], axis=0, bitorder="little")[:7].astype(bool)  # (7, 5)
        glyph = np.kron(glyph, np.ones((size, size), bool))
        canvas[top:top + 7 * size, left:left + 5 * size][glyph] = color
        left += 6 * size


def png(pixels):
    """The bytes of a PNG file of `pixels`, (H, W, 3) uint8 (W3C 2003: 8 bits, colour type 2, no filter)."""
    height, width, _ = pixels.shape

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    lines = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, -1)], axis=1)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(lines.tobytes(), 9)) + chunk(b"IEND", b""))
