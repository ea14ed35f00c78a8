"""The product pictures: one flat drawing for each kind of goods and colour, the same every time."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageDraw

from shop.seed.catalogue import COLOURS, KINDS

SIDE = 480
"""Pixels of a picture's side as it is stored."""

_SMOOTH = 3  # drawn three times as large and scaled down: Pillow's own edges are not smooth

# Per colour: background, the thing, its shade, its light.
_PALETTES = (
    ("#f6e7df", "#c8674a", "#9f4a32", "#e39b80"),
    ("#e6ede3", "#7f9b78", "#5f7a5a", "#adc3a5"),
    ("#e1e7f0", "#2f4a73", "#1f3352", "#6d88b3"),
    ("#f8eed3", "#d9a521", "#a97d10", "#f0cb6b"),
    ("#efe3ed", "#7d4a73", "#5b3253", "#b184a8"),
)
_WOOD = "#b58a5c"
_DARK = "#3a3533"
_CREAM = "#fbf7ef"


class _Pen:
    """Draws in a square of 100 by 100 units, whatever the pixels are."""

    def __init__(self, palette: tuple[str, str, str, str]) -> None:
        self.ground, self.body, self.shade, self.light = palette
        side = SIDE * _SMOOTH
        self._unit = side / 100
        self.image = Image.new("RGB", (side, side), self.ground)
        self._draw = ImageDraw.Draw(self.image)

    def _scaled(self, *numbers: float) -> list[float]:
        return [each * self._unit for each in numbers]

    def oval(self, x0: float, y0: float, x1: float, y1: float, *, fill: str) -> None:
        self._draw.ellipse(self._scaled(x0, y0, x1, y1), fill=fill)

    def ring(self, x0: float, y0: float, x1: float, y1: float, *, line: str, width: float) -> None:
        self._draw.ellipse(self._scaled(x0, y0, x1, y1), outline=line, width=round(width * self._unit))

    def arc(
        self, box: tuple[float, float, float, float], angles: tuple[float, float], *, line: str, width: float
    ) -> None:
        self._draw.arc(self._scaled(*box), *angles, fill=line, width=round(width * self._unit))

    def box(self, x0: float, y0: float, x1: float, y1: float, *, fill: str, round_by: float = 0) -> None:
        self._draw.rounded_rectangle(self._scaled(x0, y0, x1, y1), round_by * self._unit, fill=fill)

    def shape(self, *points: tuple[float, float], fill: str) -> None:
        self._draw.polygon([(x * self._unit, y * self._unit) for x, y in points], fill=fill)

    def line(self, *points: tuple[float, float], fill: str, width: float) -> None:
        scaled = [(x * self._unit, y * self._unit) for x, y in points]
        self._draw.line(scaled, fill=fill, width=round(width * self._unit), joint="curve")

    def shadow(self, x0: float, x1: float, y: float) -> None:
        red, green, blue = (round(int(self.ground[at : at + 2], 16) * 0.9) for at in (1, 3, 5))
        self._draw.ellipse(self._scaled(x0, y - 3, x1, y + 3), fill=(red, green, blue))


def _mug(pen: _Pen) -> None:
    pen.shadow(24, 76, 77)
    pen.ring(58, 38, 82, 66, line=pen.shade, width=5)
    pen.box(28, 30, 68, 77, fill=pen.body, round_by=8)
    pen.box(28, 30, 36, 77, fill=pen.light, round_by=4)
    pen.oval(28, 25, 68, 36, fill=pen.shade)
    pen.oval(31, 27, 65, 35, fill=_DARK)


def _lamp(pen: _Pen) -> None:
    pen.shadow(30, 70, 84)
    pen.box(48, 48, 52, 80, fill=_WOOD)
    pen.box(36, 79, 64, 84, fill=_DARK, round_by=2)
    pen.shape((38, 18), (62, 18), (75, 52), (25, 52), fill=pen.body)
    pen.shape((38, 18), (46, 18), (39, 52), (25, 52), fill=pen.light)
    pen.oval(25, 48.5, 75, 55.5, fill="#fff3c9")


def _vase(pen: _Pen) -> None:
    pen.shadow(32, 68, 84)
    for x, y in ((38, 14), (50, 8), (63, 16)):
        pen.line((50, 44), (x, y + 4), fill="#6b8a5e", width=1.4)
        pen.oval(x - 5, y - 2, x + 5, y + 8, fill=pen.light)
        pen.oval(x - 2, y + 1, x + 2, y + 5, fill=_CREAM)
    pen.box(44, 38, 56, 54, fill=pen.body)
    pen.oval(31, 46, 69, 86, fill=pen.body)
    pen.oval(36, 52, 46, 78, fill=pen.light)
    pen.oval(43, 36, 57, 41, fill=pen.shade)


def _chair(pen: _Pen) -> None:
    pen.shadow(20, 80, 84)
    for x0, x1 in ((32, 25), (66, 75)):
        pen.line((x0, 64), (x1, 84), fill=_WOOD, width=3.4)
    pen.box(29, 18, 71, 64, fill=pen.shade, round_by=10)
    pen.box(32, 21, 68, 60, fill=pen.body, round_by=8)
    pen.box(24, 52, 76, 68, fill=pen.light, round_by=7)
    pen.box(18, 42, 29, 68, fill=pen.body, round_by=5)
    pen.box(71, 42, 82, 68, fill=pen.body, round_by=5)


def _plant(pen: _Pen) -> None:
    pen.shadow(32, 68, 86)
    leaves = (((50, 62), (18, 40), (30, 22)), ((50, 62), (84, 42), (72, 22)), ((50, 60), (36, 14), (52, 6)))
    for root, tip, bend in (*leaves, ((50, 60), (68, 16), (56, 10)), ((50, 64), (14, 56), (20, 44))):
        pen.shape(root, tip, bend, fill="#6f9163")
        pen.line(root, ((tip[0] + bend[0]) / 2, (tip[1] + bend[1]) / 2), fill="#557549", width=1)
    pen.shape((33, 60), (67, 60), (62, 86), (38, 86), fill=pen.body)
    pen.shape((33, 60), (41, 60), (44, 86), (38, 86), fill=pen.light)
    pen.box(30, 57, 70, 64, fill=pen.shade, round_by=2)


def _clock(pen: _Pen) -> None:
    pen.oval(20, 20, 82, 84, fill=pen.shade)
    pen.oval(18, 16, 80, 78, fill=pen.body)
    pen.oval(23, 21, 75, 73, fill=_CREAM)
    for x0, y0, x1, y1 in ((49, 24, 49, 29), (49, 65, 49, 70), (26, 47, 31, 47), (67, 47, 72, 47)):
        pen.line((x0, y0), (x1, y1), fill=pen.shade, width=2)
    pen.line((49, 47), (49, 32), fill=_DARK, width=2)
    pen.line((49, 47), (61, 53), fill=_DARK, width=2)
    pen.oval(46.5, 44.5, 51.5, 49.5, fill=pen.body)


def _backpack(pen: _Pen) -> None:
    pen.shadow(26, 74, 86)
    pen.ring(40, 8, 60, 30, line=pen.shade, width=3)
    pen.box(27, 18, 73, 86, fill=pen.body, round_by=16)
    pen.box(27, 34, 73, 40, fill=pen.shade)
    pen.box(33, 54, 67, 80, fill=pen.light, round_by=5)
    pen.box(33, 54, 67, 61, fill=pen.shade, round_by=3)
    pen.box(46, 33, 54, 48, fill=_WOOD, round_by=2)


def _teapot(pen: _Pen) -> None:
    pen.shadow(24, 78, 78)
    pen.ring(64, 36, 90, 64, line=pen.shade, width=4)
    pen.shape((34, 62), (8, 40), (14, 36), (38, 48), fill=pen.shade)
    pen.oval(25, 32, 75, 79, fill=pen.body)
    pen.oval(31, 40, 41, 70, fill=pen.light)
    pen.oval(36, 29, 64, 38, fill=pen.shade)
    pen.oval(46, 21, 54, 30, fill=_WOOD)


def _book(pen: _Pen) -> None:
    pen.shadow(26, 76, 84)
    pen.box(29, 18, 76, 83, fill=_CREAM, round_by=2)
    pen.box(26, 16, 73, 81, fill=pen.body, round_by=3)
    pen.box(26, 16, 34, 81, fill=pen.shade, round_by=2)
    pen.box(42, 28, 65, 42, fill=_CREAM, round_by=1.5)
    pen.line((45, 33), (62, 33), fill=pen.shade, width=1.2)
    pen.line((45, 37), (56, 37), fill=pen.shade, width=1.2)
    pen.box(66, 16, 69, 81, fill=pen.light)


def _cushion(pen: _Pen) -> None:
    pen.shadow(18, 82, 82)
    pen.shape((18, 22), (50, 27), (82, 22), (78, 51), (82, 80), (50, 76), (18, 80), (22, 51), fill=pen.body)
    for at in (34, 50, 66):
        pen.line((at, 26), (at, 77), fill=pen.light, width=2.6)
    for x, y in ((18, 22), (82, 22), (18, 80), (82, 80)):
        pen.oval(x - 3, y - 3, x + 3, y + 3, fill=pen.shade)


def _headphones(pen: _Pen) -> None:
    pen.shadow(24, 76, 86)
    pen.arc((22, 16, 78, 84), (180, 360), line=pen.shade, width=6)
    for x0, x1, inner in ((17, 33, 29), (67, 83, 64)):
        pen.box(x0, 48, x1, 80, fill=pen.body, round_by=7)
        pen.box(inner, 51, inner + 7, 77, fill=_DARK, round_by=3)
    pen.arc((22, 16, 78, 84), (235, 305), line=pen.light, width=6)


def _bottle(pen: _Pen) -> None:
    pen.shadow(34, 66, 88)
    pen.box(42, 10, 58, 22, fill=_DARK, round_by=3)
    pen.box(44, 20, 56, 32, fill=pen.shade)
    pen.box(35, 28, 65, 88, fill=pen.body, round_by=10)
    pen.box(39, 34, 44, 82, fill=pen.light, round_by=2.5)
    pen.box(35, 56, 65, 60, fill=_CREAM)


_DRAWINGS: dict[str, Callable[[_Pen], None]] = {
    "mug": _mug, "lamp": _lamp, "vase": _vase, "chair": _chair, "plant": _plant, "clock": _clock,
    "backpack": _backpack, "teapot": _teapot, "book": _book, "cushion": _cushion,
    "headphones": _headphones, "bottle": _bottle,
}  # fmt: skip


def draw(picture: str, colour: int) -> bytes:
    """One picture as PNG; `picture` of a Kind, `colour` an index into COLOURS."""
    pen = _Pen(_PALETTES[colour])
    _DRAWINGS[picture](pen)
    small = pen.image.reduce(_SMOOTH).quantize(64, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    stream = io.BytesIO()
    small.save(stream, "PNG", optimize=True)
    return stream.getvalue()


def draw_all(folder: Path) -> int:
    """Draws the pictures that the folder lacks; returns how many. A picture appears whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = 0
    for kind in KINDS:
        for colour in range(len(COLOURS)):
            target = folder / f"{kind.picture}-{colour + 1}.png"
            if not target.exists():
                _write(target, draw(kind.picture, colour))
                drawn += 1
    return drawn


def _write(target: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".drawing-")
    with os.fdopen(handle, "wb") as stream:
        stream.write(content)
    # mkstemp lets only its owner read; pictures are for everybody, also for a web server of another user.
    Path(name).chmod(0o644)
    Path(name).replace(target)
