"""The picture has the modules that the code has."""

from __future__ import annotations

import re

import segno

from crm.second_factor.qr import BORDER, draw_qr

TEXT = "otpauth://totp/Apropos%3Aada?secret=GEZDGNBVGY3TQOJQ&issuer=Apropos"
RUN = re.compile(r"M(\d+) (\d+)h(\d+)v1h-(\d+)z")


def test_the_path_fills_each_dark_module_and_no_other() -> None:
    picture = draw_qr(TEXT)
    runs = [tuple(map(int, found)) for found in RUN.findall(picture.path)]
    drawn = {(x + n, y) for x, y, length, _ in runs for n in range(length)}
    rows = segno.make(TEXT, error="m", micro=False).matrix
    dark = {
        (x + BORDER, y + BORDER)
        for y, row in enumerate(rows)
        for x, module in enumerate(row)
        if module
    }

    assert RUN.sub("", picture.path) == ""
    assert all(length == back for _, _, length, back in runs)
    assert drawn == dark
    assert picture.size == len(rows) + 2 * BORDER


def test_the_path_needs_no_escaping() -> None:
    path = draw_qr("\"><script>alert('1')</script>").path
    assert set(path) <= set("Mhvz- 0123456789")
