"""What a person watching the demo sees: steps, bars and figures."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

WIDTH = 28


@dataclass(slots=True)
class Console:
    """Progress goes to stderr, so that stdout stays one JSON object with --json."""

    started: float = field(default_factory=time.monotonic)
    _drawn: str = ""

    def step(self, text: str) -> None:
        self._write(f"\n{self.elapsed_s:5.1f} s  {text}\n")

    def line(self, text: str) -> None:
        self._write(f"         {text}\n")

    def bar(self, label: str, total: int) -> Callable[[int], None]:
        """A bar that the caller advances; redrawn in place on a terminal."""
        done = 0

        def advance(count: int) -> None:
            nonlocal done
            done = min(done + count, total)
            self._draw(label, done, total)

        return advance

    def show(self, label: str, done: int, total: int) -> None:
        self._draw(label, done, total)

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self.started

    def _draw(self, label: str, done: int, total: int) -> None:
        is_whole = done >= total
        if not sys.stderr.isatty() and not is_whole:
            return
        full = WIDTH if total == 0 else WIDTH * done // total
        text = (
            f"         [{'█' * full}{'·' * (WIDTH - full)}] {done:,}/{total:,} {label}"
        )
        if sys.stderr.isatty():
            self._write(f"\r{text}" + ("\n" if is_whole else ""))
        else:
            self._write(f"{text}\n")

    def _write(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()
