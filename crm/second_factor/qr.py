"""A QR code as the path of an SVG: no picture library, nothing to mark as safe."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

import segno

# The standard asks for a quiet zone of four modules.
BORDER = 4


@dataclass(frozen=True, slots=True)
class QrPicture:
    """`path` fills the dark modules of a square of `size` units."""

    size: int
    path: str


def draw_qr(text: str) -> QrPicture:
    code = segno.make(text, error="m", micro=False)
    rows = enumerate(code.matrix_iter(border=BORDER))
    path = "".join(run for y, row in rows for run in _draw_row(y, row))
    return QrPicture(size=int(code.symbol_size(border=BORDER)[0]), path=path)


def _draw_row(y: int, row: Iterable[int]) -> Iterator[str]:
    x = 0
    for dark, modules in groupby(row, key=bool):
        length = sum(1 for _ in modules)
        if dark:
            yield f"M{x} {y}h{length}v1h-{length}z"
        x += length
