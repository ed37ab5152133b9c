"""Drawing that Pillow lacks."""
from __future__ import annotations

import math
from typing import Any


def dashed_line(draw: Any, start: tuple[float, float], end: tuple[float, float], color: Any, width: int,
                dash: float = 5, space: float = 5) -> None:
    """A line of dashes and spaces of these lengths in pixels, beginning with a dash."""
    (x, y), (x2, y2) = start, end
    left = math.hypot(x2 - x, y2 - y)
    drawing = True
    while left > 0:
        length = min(left, dash if drawing else space)
        angle = math.atan2(y2 - y, x2 - x)
        nx, ny = x + math.cos(angle) * length, y + math.sin(angle) * length
        if drawing:
            draw.line([(x, y), (nx, ny)], color, width)
        x, y = nx, ny
        left -= length
        drawing = not drawing
