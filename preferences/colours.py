"""Brand colours that stay readable. Pure."""

from __future__ import annotations

import re

HEX_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
LIGHT, DARK = "#ffffff", "#000000"


def measure_luminance(colour: str) -> float:
    """WCAG 2 relative luminance of #rrggbb, 0 (black) to 1 (white)."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def measure_contrast(one: str, other: str) -> float:
    """WCAG 2 contrast ratio, 1 to 21."""
    light, dark = sorted((measure_luminance(one), measure_luminance(other)))[::-1]
    return (light + 0.05) / (dark + 0.05)


def pick_ink(colour: str) -> str:
    """White or black, whichever reads better on it; '' for no colour."""
    if not HEX_COLOUR.fullmatch(colour):
        return ""
    return max((LIGHT, DARK), key=lambda ink: measure_contrast(ink, colour))
