"""The lock screens of the preview: what shows at first, and what is cut. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from notifications.content.checks import PLATFORM_NAMES, PREVIEW_CUTS
from notifications.content.text import count_graphemes, cut_graphemes


@dataclass(frozen=True, slots=True)
class Shown:
    """A text at the place where the phone cuts it; `rest` shows on a long press."""

    head: str
    rest: str

    @property
    def is_cut(self) -> bool:
        return bool(self.rest)


@dataclass(frozen=True, slots=True)
class LockScreen:
    platform: str
    name: str
    title: Shown
    body: Shown
    # Letters that show at first.
    title_cut: int
    body_cut: int


def build_screens(title: str, body: str) -> list[LockScreen]:
    return [
        LockScreen(
            platform,
            PLATFORM_NAMES[platform],
            split_text(title, cuts["title"]),
            split_text(body, cuts["body"]),
            cuts["title"],
            cuts["body"],
        )
        for platform, cuts in PREVIEW_CUTS.items()
    ]


def split_text(text: str, limit: int) -> Shown:
    if count_graphemes(text) <= limit:
        return Shown(text, "")
    head = cut_graphemes(text, limit)
    return Shown(head, text[len(head) :])
