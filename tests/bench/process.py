"""Events a second that one process takes in hand, with segments and triggers live.

    python tests/bench/process.py [--scale small|full] [--json]

20 live segments over 5 event names: each event touches the four that name it (ever,
within a week, a count, a sum). 5 triggered campaigns, one per name; a filter on a
property lets every tenth event through. Each event comes in by `record_events`
before the clock starts; then `process_events` runs until none is pending.

Twice: `process_first_per_s` for people whom no event has touched before, who are judged
by every segment; `process_per_s` for the next event of the same people.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from common import (  # noqa: E402
    Figures,
    fill_shop,
    open_scratch,
    run_bench,
    write_push,
)

if TYPE_CHECKING:
    from crm.events.schema import Item
    from notifications.pipeline import Processed

# People, events of the past (of which the segments are first built), events timed.
SCALES = {"small": (50_000, 200_000, 10_000), "full": (500_000, 5_000_000, 100_000)}
NAMES = ("app_open", "Product Viewed", "Product Added", "Cart Viewed", "Searched")
WEEK = {"amount": 7, "unit": "days"}
MONTH = {"amount": 30, "unit": "days"}
HISTORY = """
INSERT INTO crm_event (id, contact_id, name, occurred_at, received_at, message_id,
  properties, context, value, currency, source, clock_skewed)
SELECT gen_random_uuid(), 1 + (i::bigint * 7919) %% %(people)s,
  (%(names)s::text[])[1 + i %% 5],
  now() - make_interval(secs => 60 + (i::bigint * 104729) %% (59 * 86400)), now(),
  'past-' || i, '{}', '{}', i %% 50, '', 'bench', false
FROM generate_series(1, %(events)s) AS i
"""


def list_rules(name: str) -> Iterator[dict[str, Any]]:
    yield {"type": "event", "name": name, "within": WEEK}
    yield {"type": "not_performed", "name": name, "within": WEEK}
    yield {
        **{"type": "event", "name": name, "within": MONTH},
        "count": {"op": "at_least", "n": 3},
    }
    spent = {"property": "value", "op": "at_least", "n": 60}
    pro = {"type": "attribute", "trait": "plan", "op": "equals", "value": "pro"}
    bought = {"type": "event", "name": name, "within": MONTH, "sum": spent}
    yield {"all": [pro, bought]}


def measure_processing(scale: tuple[int, int, int]) -> Figures:
    people, past, count = scale
    with open_scratch():
        from crm.clock import read_clock

        fill_shop(people)
        write_history(people, past)
        write_rules()
        take_in(people, count, at=read_clock())
        first_s, first = time_processing(count)
        take_in(people, count, at=read_clock(), start=count)
        took_s, then = time_processing(count)
    return {
        "events": count,
        "membership_changes": first.membership_changes + then.membership_changes,
        "planned": first.planned + then.planned,
        "process_first_per_s": round(count / first_s),
        "process_per_s": round(count / took_s),
    }


def time_processing(count: int) -> tuple[float, Processed]:
    """Seconds until none of `count` events is pending, and what they brought about."""
    from notifications.pipeline import process_pending

    begun_s = time.perf_counter()
    done = process_pending(budget_s=600)
    took_s = time.perf_counter() - begun_s
    if done.events != count:
        raise SystemExit(f"{done.events} of {count} events were processed")
    return took_s, done


def write_history(people: int, past: int) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        values = {"people": people, "events": past, "names": list(NAMES)}
        cursor.execute(HISTORY, values)
        cursor.execute("VACUUM ANALYZE crm_event")


def write_rules() -> None:
    """The segments, built and live, and the campaigns."""
    from crm.clock import read_clock
    from notifications.campaigns.launch import launch_campaign
    from segments.editing import save_segment
    from segments.membership import refresh_segment

    tenth = [{"property": "draw", "op": "equals", "value": 0}]
    for name in NAMES:
        for number, root in enumerate(list_rules(name)):
            segment = save_segment(
                name=f"{name} {number}",
                rule={"version": 1, "root": root},
                actor="bench",
            )
            refresh_segment(segment, at=read_clock())
        columns = {"trigger_event": name, "trigger_filters": tenth, "reentry": "every"}
        campaign = write_push(f"After {name}", kind="event", **columns)
        launch_campaign(campaign, by="bench")


def take_in(people: int, count: int, *, at: datetime, start: int = 0) -> None:
    from notifications.demo.load import record_items, split_chunks

    numbers = range(start, start + count)
    items = [build_event(number, people, count, at=at) for number in numbers]
    for chunk in split_chunks(items):
        record_items(chunk, at=at)


def build_event(number: int, people: int, count: int, *, at: datetime) -> Item:
    from crm.events.schema import Item

    return Item(
        index=0,
        kind="track",
        name=NAMES[number % len(NAMES)],
        user_id=f"bench-{1 + number % count * 7919 % people}",
        anonymous_id="",
        previous_id="",
        message_id=f"bench-{number}",
        occurred_at=at - timedelta(milliseconds=number % count),
        clock_skewed=False,
        properties={"draw": number // len(NAMES) % 10, "value": number % 50},
        traits={},
        context={},
    )


if __name__ == "__main__":
    run_bench(__doc__, SCALES, measure_processing)
