"""The fixes that stand, as a process believes them: read again every few seconds."""

from __future__ import annotations

import time

from crm.events.fixes import Fixes, build_fixes
from crm.models import DataFix

# A fix that is applied or undone takes effect everywhere within these seconds.
CACHE_S = 5

_known: tuple[float, Fixes] | None = None


def read_fixes() -> Fixes:
    """One query every CACHE_S seconds and process."""
    global _known
    known, now = _known, time.monotonic()
    if known is not None and known[0] > now:
        return known[1]
    rows = DataFix.objects.standing()
    fixes = build_fixes(rows.values_list("kind", "name", "key", "target"))
    _known = (now + CACHE_S, fixes)
    return fixes


def forget_fixes() -> None:
    """For tests, and in the process that has just changed one."""
    global _known
    _known = None
