"""Image files of many kinds, in memory, by name."""
import io

import numpy as np
from PIL import Image, ImageFilter, features

RNG = np.random.default_rng(0)
NOISE = RNG.integers(0, 256, (13, 17, 4), dtype=np.uint8)
SMOOTH = Image.fromarray(RNG.integers(0, 256, (24, 20, 3), dtype=np.uint8)).filter(ImageFilter.GaussianBlur(2))


def saved(image, format, **options):
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def with_orientation(value, format="JPEG", image=SMOOTH):
    exif = Image.Exif()
    exif[0x0112] = value
    return saved(image, format, exif=exif)


def files():
    grey, alpha = Image.fromarray(NOISE[..., 0]), Image.fromarray(NOISE)
    palette = SMOOTH.quantize(16)
    deep = Image.fromarray((NOISE[..., 0].astype(np.uint16) * 257 + 3).astype(np.uint16))
    made = {
        "png rgb": saved(SMOOTH, "PNG"), "png grey": saved(grey, "PNG"), "png rgba": saved(alpha, "PNG"),
        "png grey alpha": saved(alpha.convert("LA"), "PNG"), "png palette": saved(palette, "PNG"),
        "png clear palette": saved(palette, "PNG", transparency=3), "png bits": saved(grey.convert("1"), "PNG"),
        "png deep": saved(deep, "PNG"),
        "jpeg rgb": saved(SMOOTH, "JPEG"), "jpeg grey": saved(SMOOTH.convert("L"), "JPEG"),
        "jpeg cmyk": saved(SMOOTH.convert("CMYK"), "JPEG"), "jpeg progressive": saved(SMOOTH, "JPEG", progressive=True),
        "gif": saved(palette, "GIF"),
        "gif frames": saved(palette, "GIF", save_all=True, append_images=[palette.rotate(180)]),
        "png cut": saved(SMOOTH, "PNG")[:300], "jpeg cut": saved(SMOOTH, "JPEG")[:150], "text": b"not an image at all",
        "empty": b"",
    }
    made.update({f"jpeg turned {k}": with_orientation(k) for k in range(1, 9)})
    made.update({f"png turned {k}": with_orientation(k, "PNG") for k in (3, 6)})
    if features.check("webp"):
        made["webp"] = saved(SMOOTH, "WEBP", lossless=True)
        made["webp rgba"] = saved(alpha, "WEBP", lossless=True)
    return made


FILES = files()
MODES = ["UNCHANGED", "GRAY", "GRAY_ALPHA", "RGB", "RGB_ALPHA"]
