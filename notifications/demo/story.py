"""The story: load → segment → campaigns → gate → sandbox → opens → report."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection
from django.db.models import Count

from crm.bell import ring
from crm.clock import read_clock
from crm.keys import issue_api_key
from crm.models import PendingEvent
from notifications.analytics.metrics import CampaignReport, campaign_report
from notifications.campaigns.compose import Definition, Text, save_campaign
from notifications.campaigns.launch import launch_campaign
from notifications.demo.console import Console
from notifications.demo.dataset import Dataset, build_dataset
from notifications.demo.load import (
    ensure_shop,
    load_catalog,
    load_orders,
    load_people,
    read_shifted_clock,
    stage_rows,
)
from notifications.demo.rows import Row
from notifications.demo.world import World
from notifications.models import Campaign, Delivery, QuietHours
from preferences.centers import ensure_default_center
from segments.editing import save_segment
from segments.membership import count_members, refresh_segment
from segments.models import Segment

LAPSED_DAYS = 90
WAIT_TIMEOUT_S = 300.0
# Opens come in after the sends; the report waits until so long none came.
QUIET_S = 3.0

LAPSED_RULE: dict[str, Any] = {
    "version": 1,
    "root": {
        "all": [
            {"type": "event", "name": "Order Completed"},
            {
                "type": "not_performed",
                "name": "Order Completed",
                "within": {"amount": LAPSED_DAYS, "unit": "days"},
            },
        ],
    },
}

# The count by hand, over the rows as they were staged: no table of ours is read.
COUNT_LAPSED = """
SELECT count(*) FROM (
    SELECT customer FROM demo_staging
    WHERE customer <> '' AND invoice NOT LIKE 'C%%' AND quantity > 0 AND price > 0
    GROUP BY customer
    HAVING max(at) <= %s::timestamp - make_interval(days => %s)
) lapsed
"""

TITLE = "{{ brand.name }} misses you"
BODY = (
    "Your {{ catalog.products[last_items[0].code].name }} deserves company. "
    "15 % off everything until tomorrow."
)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What went in, in the log's own figures."""

    dataset: Dataset
    contacts: int
    orders: int
    products: int


def load_log(rows: Iterable[Row], *, console: Console) -> Loaded:
    """Stage the rows as they are, then take them in by the product's doors."""
    console.step("Reading the purchase rows")
    # One constant shift, so that the log ends now.
    dataset = build_dataset(stage_rows(rows), now=read_clock())
    console.line(f"times are shifted by {dataset.shift.days:,} days, so it ends now")
    ensure_shop()
    console.step("Loading catalog, people and orders")
    products = load_catalog(dataset)
    people = load_people(dataset, progress=console.bar("people", len(dataset.people)))
    orders = load_orders(dataset, progress=console.bar("orders", len(dataset.orders)))
    console.line("devices and consents are made up: a purchase log has none")
    return Loaded(dataset, people, orders, products)


def build_lapsed_segment(loaded: Loaded, *, console: Console) -> tuple[int, int]:
    """(size by the engine, size by hand) of who has not ordered for 90 days."""
    console.step(f"Segment: has ordered, but not in the last {LAPSED_DAYS} days")
    segment = save_segment(name="Lapsed buyers", rule=LAPSED_RULE, actor="demo")
    at = read_clock()
    refresh_segment(segment, at=at)
    size = count_members(segment)
    with connection.cursor() as cursor:
        cursor.execute(
            COUNT_LAPSED, [read_shifted_clock(loaded.dataset, at), LAPSED_DAYS]
        )
        by_hand = cursor.fetchone()[0]
    console.line(f"{size:,} people; plain SQL over the staged rows says {by_hand:,}")
    return size, by_hand


def narrow_quiet_hours() -> None:
    """Quiet hours that begin between London and Berlin, so some fall under them."""
    london = read_clock().astimezone(ZoneInfo("Europe/London"))
    starts = london + timedelta(minutes=30)
    QuietHours.objects.all().delete()
    QuietHours.objects.create(
        name="Demo night",
        starts=starts.time().replace(second=0, microsecond=0),
        ends=(starts + timedelta(hours=12)).time().replace(second=0, microsecond=0),
    )


def write_campaign(
    name: str, *, segment: Segment | None, title: str, body: str, **columns: Any
) -> Campaign:
    """A promotional push of the demo, with the purchase as its goal."""
    topic = ensure_default_center(ensure_shop()).topics.get(key="promotions")
    return save_campaign(
        Definition(
            name=name,
            columns={
                "segment": segment,
                "topic": topic,
                "kind": "once",
                "goal_event": "Order Completed",
                "quiet_policy": "drop",
                **columns,
            },
            texts=(
                Text(
                    {
                        "title": title,
                        "body": body,
                        "link": "myapp://products/{{ last_items[0].code }}",
                        "sound": "default",
                    }
                ),
            ),
        ),
        by="demo",
    )


def write_story_campaigns() -> tuple[Campaign, Campaign]:
    """A first note to lapsed big spenders, then the win-back to all lapsed.

    Whoever got the first falls under the daily cap for the second.
    """
    lapsed = Segment.objects.get(slug="lapsed-buyers")
    children = [
        *LAPSED_RULE["root"]["all"],
        {
            "type": "event",
            "name": "Order Completed",
            "sum": {"property": "value", "op": "more_than", "n": 2000},
        },
    ]
    spenders = save_segment(
        name="Lapsed big spenders",
        rule={"version": 1, "root": {"all": children}},
        actor="demo",
    )
    refresh_segment(spenders, at=read_clock())
    note = write_campaign(
        "A note to our best customers",
        segment=spenders,
        title="A word of thanks",
        body="Your {{ catalog.products[last_items[0].code].name }} comes with free "
        "repairs. Come in any time.",
    )
    return note, write_campaign("Win-back", segment=lapsed, title=TITLE, body=BODY)


def start_phones(world: World) -> None:
    """The process that opens, clicks and buys, with a key of its own."""
    _, key = issue_api_key(name="Demo phones", scopes=["track"], actor="demo")
    world.start(
        "phones",
        [
            "notifications.demo.phones",
            "--log",
            str(settings.SANDBOX_LOG),
            "--site",
            settings.SITE_URL,
            "--key",
            key,
        ],
    )


def drain_events(*, console: Console) -> None:
    """Let the worker take every pending event in hand."""
    total = PendingEvent.objects.count()
    ends = time.monotonic() + WAIT_TIMEOUT_S
    while left := PendingEvent.objects.filter(quarantined_at=None).count():
        console.show("events processed", total - left, total)
        if time.monotonic() > ends:
            raise TimeoutError(f"{left:,} events are still pending")
        ring("notifications.tasks.process_events")
        time.sleep(0.5)
    console.show("events processed", total, total)


def run_campaign(campaign: Campaign, *, console: Console) -> None:
    """Launch it and watch the worker until no row has anywhere left to go."""
    console.step(f"Campaign “{campaign.name}”: launched")
    launch_campaign(campaign, by="demo")
    ring("notifications.tasks.tick")
    wait_until_sent(campaign, console=console)


def wait_until_sent(campaign: Campaign, *, console: Console) -> None:
    ends = time.monotonic() + WAIT_TIMEOUT_S
    while True:
        total = campaign.deliveries.count()
        left = Delivery.objects.open().filter(campaign=campaign).count()
        if total:
            console.show("decided", total - left, total)
        if total and not left:
            return
        if time.monotonic() > ends:
            raise TimeoutError(f"{left:,} deliveries are still open")
        ring("notifications.tasks.tick")
        time.sleep(0.25)


def wait_for_opens(campaign: Campaign, *, console: Console) -> CampaignReport:
    """The report, once every phone has spoken or none has for a while."""
    reached, moved_at = (-1, -1), time.monotonic()
    while True:
        ring("notifications.tasks.process_events")
        report = campaign_report(campaign, at=read_clock())
        console.show("reports from phones", report.delivered, report.sent)
        now = (report.delivered, report.converted)
        if now != reached:
            reached, moved_at = now, time.monotonic()
        if time.monotonic() - moved_at > QUIET_S:
            return report
        time.sleep(0.5)


def count_ends(campaigns: Iterable[Campaign]) -> dict[str, int]:
    """Every end but sent, by its reason, or by the state where there is none."""
    rows = (
        Delivery.objects.filter(campaign__in=list(campaigns))
        .exclude(state=Delivery.State.SENT)
        .values_list("state", "reason")
        .annotate(count=Count("pk"))
    )
    ends: dict[str, int] = {}
    for state, reason, count in rows:
        ends[reason or state] = ends.get(reason or state, 0) + count
    return dict(sorted(ends.items()))
