"""Why a message cannot be said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# The part of the delivery reasons that content can give.
RenderReason = Literal[
    "template_missing_value", "template_error", "too_long", "link_refused"
]


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of a template or link, found before anything is sent."""

    code: str
    message: str
    path: str = ""  # the field it was found in, '' when only one text was checked
    line: int | None = None


class ContentError(Exception):
    """This message must not be sent to this person."""


class RenderError(ContentError):
    """A template could not be turned into a message; `detail` is for staff.

    It never holds the value of a trait, only names, so that it may be stored and
    shown.
    """

    def __init__(
        self,
        reason: RenderReason,
        detail: str,
        *,
        line: int | None = None,
        path: str = "",
        skip: bool = False,
    ) -> None:
        super().__init__(reason, detail)
        self.reason: RenderReason = reason
        self.detail = detail
        self.line = line
        self.path = path
        # True where the message's policy says that a missing value is no failure.
        self.skip = skip

    def __str__(self) -> str:
        where = self.path + (f" line {self.line}" if self.line else "")
        return f"{where}: {self.detail}" if where else self.detail


class RenderAborted(ContentError):
    """The author's `{% abort "reason" %}`: decided, not failed."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
