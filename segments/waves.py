"""Judging contacts anew, segment by segment, in the order that everybody locks in."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from crm.wakes import Pair
from segments.diff import CLOCKS, apply_rule, lock_segment
from segments.models import MembershipChange, Segment

ENTERED = MembershipChange.Action.ENTERED.value
LEFT = MembershipChange.Action.LEFT.value


@dataclass(frozen=True, slots=True)
class Change:
    """One contact entered or left one segment."""

    segment_id: int
    contact_id: int
    action: str


class Wave:
    """Segments with the contacts each must judge again, run in lock order.

    A change passes on to the segments that name the changed one; they are deeper,
    so each segment runs once.
    """

    def __init__(self, *, at: datetime, reason: str, handled: bool = False) -> None:
        self._at = at
        self._handled = handled
        self._reason = reason
        self._segments: dict[int, Segment] = {}
        self._due: dict[int, list[Pair]] = defaultdict(list)
        self._contacts: dict[int, set[int]] = defaultdict(set)
        self._reasons: dict[int, str] = {}
        self._queue: list[tuple[int, int]] = []
        self._dependents: dict[str, list[Segment]] | None = None

    def add(
        self, segment: Segment, contacts: Iterable[int], *, reason: str = ""
    ) -> None:
        if segment.pk not in self._contacts:
            self._segments[segment.pk] = segment
            self._reasons[segment.pk] = reason or self._reason
            heapq.heappush(self._queue, (segment.depth, segment.pk))
        self._contacts[segment.pk].update(contacts)

    def add_due(self, segment: Segment, pairs: Sequence[Pair]) -> None:
        """Those of these clocks that are still there when the segment is locked: a
        build that holds it takes them too."""
        self.add(segment, ())
        self._due[segment.pk] += pairs

    def run(self) -> list[Change]:
        changes: list[Change] = []
        while self._queue:
            _, pk = heapq.heappop(self._queue)
            segment, contacts = self._segments[pk], self._contacts.pop(pk)
            lock_segment(pk, shared=True)
            taken = CLOCKS.take(due, at=self._at) if (due := self._due.get(pk)) else []
            contacts.update(contact for _, contact in taken)
            changes += self._judge(segment, sorted(contacts)) if contacts else []
        return changes

    def _judge(self, segment: Segment, contacts: list[int]) -> list[Change]:
        reason = self._reasons[segment.pk]
        diff = apply_rule(
            segment,
            at=self._at,
            reason=reason,
            contacts=contacts,
            handled=self._handled,
        )
        entered, left = diff.entered_ids or (), diff.left_ids or ()
        if entered or left:
            for dependent in self._list_dependents(segment.slug):
                self.add(dependent, (*entered, *left))
        return [Change(segment.pk, pk, ENTERED) for pk in entered] + [
            Change(segment.pk, pk, LEFT) for pk in left
        ]

    def _list_dependents(self, slug: str) -> list[Segment]:
        if self._dependents is None:
            self._dependents = defaultdict(list)
            naming = Segment.objects.kept_live().exclude(
                current_version__segment_slugs=[]
            )
            for segment in naming:
                version = segment.current_version
                for target in version.segment_slugs if version else ():
                    self._dependents[target].append(segment)
        return self._dependents.get(slug, [])
