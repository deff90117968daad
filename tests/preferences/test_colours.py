from __future__ import annotations

import pytest

from preferences.colours import measure_contrast, pick_ink


def test_contrast_of_black_and_white_is_21():
    assert measure_contrast("#000000", "#ffffff") == pytest.approx(21.0)


@pytest.mark.parametrize(
    ("colour", "ink"),
    [
        ("#000000", "#ffffff"),
        ("#ffffff", "#000000"),
        ("#4f46e5", "#ffffff"),
        ("#facc15", "#000000"),
        ("red", ""),
        ("#12345g", ""),
        ("#4f46e5;}", ""),
    ],
)
def test_ink_reads_on_its_colour(colour, ink):
    assert pick_ink(colour) == ink


@pytest.mark.parametrize("grey", range(0, 256, 5))
def test_every_grey_gets_an_ink_of_contrast_4_5(grey):
    colour = f"#{grey:02x}{grey:02x}{grey:02x}"
    assert measure_contrast(colour, pick_ink(colour)) >= 4.5
