"""The tracking plan: saved by staff, held against the newest events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from crm.models import Event, EventName, PlannedEvent
from crm.models.audit import record_audit
from crm.quality.expectations import Expected, Violation, find_violations

# What a planned event is held against.
RECENT = timedelta(days=7)
MAX_EVENTS = 500
# Names that came and are in no plan, the last seen first.
MAX_NAMES = 100


@dataclass(frozen=True, slots=True)
class Tally:
    """How often the newest events fall short in one way, and the newest of them."""

    violation: Violation
    count: int
    sample: Event


@dataclass(frozen=True, slots=True)
class Check:
    looked: int
    tallies: Sequence[Tally]


@transaction.atomic
def save_planned(
    event: PlannedEvent, *, expected: Sequence[Expected], actor: Any
) -> PlannedEvent:
    """Make or change an event of the plan; what came before is held against it too."""
    known = not event._state.adding
    event.properties = [asdict(one) for one in expected]
    event.updated_at = timezone.now()
    event.save()
    record_audit(actor=actor, action="edited" if known else "added", on=event)
    return event


@transaction.atomic
def drop_planned(event: PlannedEvent, *, actor: Any) -> None:
    """Take it out of the plan; events of its name come as before."""
    record_audit(actor=actor, action="deleted", on=event)
    event.delete()


def check_planned(planned: PlannedEvent, *, now: datetime) -> Check:
    """Hold it against the newest events of the week; one bounded query."""
    expected = [Expected(**one) for one in planned.properties]
    newest = Event.objects.named(planned.name, since=now - RECENT)
    newest = newest.select_related("contact").order_by("-occurred_at", "-id")
    counts: Counter[Violation] = Counter()
    samples: dict[Violation, Event] = {}
    looked = 0
    for event in newest[:MAX_EVENTS]:
        looked += 1
        for violation in find_violations(event.properties, expected):
            counts[violation] += 1
            samples.setdefault(violation, event)
    order = sorted(counts, key=lambda one: (-counts[one], one.property, one.kind))
    return Check(looked, [Tally(one, counts[one], samples[one]) for one in order])


@dataclass(frozen=True, slots=True)
class Gaps:
    """Where plan and events differ; nothing is told before there is a plan."""

    unplanned: Sequence[EventName]
    never_seen: Sequence[PlannedEvent]


def find_gaps() -> Gaps:
    """Names that came and nobody planned, and what was planned and never came."""
    planned = PlannedEvent.objects.all()
    if not planned.exists():
        return Gaps((), ())
    names = EventName.objects.exclude(name__in=planned.values("name"))
    names = names.exclude(name__startswith="$").order_by("-last_seen_at", "name")
    never = planned.never_seen().select_related("owner")
    return Gaps(list(names[:MAX_NAMES]), list(never[:MAX_NAMES]))
