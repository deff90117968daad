"""Metrics: reports counted from the rows, in a fixed number of queries.

`campaign_report` and `daily_series` are about one campaign, `overview` about all.
What each figure means is in `definitions`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection

from crm.models import PendingEvent
from notifications.analytics.definitions import RATES
from notifications.analytics.figures import (
    AlertLine,
    CampaignLine,
    CampaignReport,
    Day,
    Overview,
    Progress,
    ReasonCount,
    Revenue,
    Totals,
)
from notifications.analytics.rates import make_rate
from notifications.models import Alert, Campaign, Delivery
from notifications.reasons import SENTENCES

# Days of the chart of a campaign's beginning.
FIRST_DAYS = 14
# Rows in the tables of the dashboard.
TOP = 5
LISTED = 20
SKIP_DAYS = 7
STATES = tuple(state.value for state in Delivery.State)
RUNGS = ("delivered", "opened", "clicked", "dismissed", "converted")

# What was given back of the order that a conversion counts: a cancelled one is all of
# it. Told now, whenever it was refunded; the conversion's own value stays as it was.
JOIN_ORDER = """
LEFT JOIN crm_orderentry n ON n.event_id = c.event_id AND n.kind = 'placed'
LEFT JOIN crm_order o ON o.contact_id = n.contact_id AND o.number = n.number
    AND o.currency = c.currency
"""
REFUNDED = """coalesce(sum(greatest(0, least(c.value, CASE o.state
        WHEN 'cancelled' THEN c.value ELSE o.refunded END)))
        FILTER (WHERE o.id IS NOT NULL), 0)"""
SUMMED = ("conversions", "gross", "refunded")

# Rungs count sent messages only, so that no rung is greater than `sent`.
COUNT_STATES = f"""
SELECT d.state, d.reason, count(*) AS messages, count(d.first_claimed_at) AS attempted,
    count(*) FILTER (WHERE d.state = 'pending' AND d.due_at <= %s) AS late,
    bool_or(s.kind = 'sandbox') AS is_sandbox,
    {", ".join(f"count(d.{rung}_at) AS {rung}" for rung in RUNGS)}
FROM notifications_delivery d JOIN notifications_sender s ON s.id = d.sender_id
WHERE d.campaign_id = %s AND d.source_kind <> 'test'
GROUP BY d.state, d.reason
"""

COUNT_PAGE = """
SELECT campaign_id, state, count(*) AS messages FROM notifications_delivery
WHERE campaign_id = ANY(%s) AND source_kind <> 'test' GROUP BY campaign_id, state
"""

# One row per currency, and one over all of them for the median.
COUNT_MONEY = f"""
SELECT c.currency, count(c.value) AS conversions, sum(c.value) AS gross,
    {REFUNDED} AS refunded,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY
        extract(epoch FROM greatest(c.event_at - d.sent_at, interval '0'))) AS median_s
FROM notifications_conversion c JOIN notifications_delivery d ON d.id = c.delivery_id
{JOIN_ORDER}
WHERE c.campaign_id = %s
GROUP BY GROUPING SETS ((c.currency), ()) ORDER BY c.currency
"""

COUNT_DAYS = """
SELECT r.rung, (r.at AT TIME ZONE 'UTC')::date AS day, count(*)
FROM notifications_delivery d
CROSS JOIN LATERAL (VALUES ('sent', d.sent_at), ('opened', d.opened_at),
    ('clicked', d.clicked_at), ('converted', d.converted_at)) AS r (rung, at)
WHERE d.campaign_id = %s AND d.source_kind <> 'test' AND d.state = 'sent'
  AND r.at IS NOT NULL
GROUP BY r.rung, day
"""

# One pass over the period and the one before it, for chart, totals and table.
COUNT_SENT = f"""
SELECT d.campaign_id, (d.sent_at AT TIME ZONE 'UTC')::date AS day, count(*) AS sent,
    {", ".join(f"count(d.{rung}_at) AS {rung}" for rung in RUNGS)}
FROM notifications_delivery d
WHERE d.state = 'sent' AND d.sent_at >= %s AND d.sent_at < %s
  AND d.source_kind <> 'test'
GROUP BY d.campaign_id, day
"""

# A conversion never precedes its message, so both times are in the period.
COUNT_EARNED = f"""
SELECT c.campaign_id, c.currency, count(*) AS conversions, sum(c.value) AS gross,
    {REFUNDED} AS refunded
FROM notifications_conversion c JOIN notifications_delivery d ON d.id = c.delivery_id
{JOIN_ORDER}
WHERE c.value IS NOT NULL AND c.event_at >= %(since)s
  AND d.sent_at >= %(since)s AND d.sent_at < %(until)s
GROUP BY c.campaign_id, c.currency ORDER BY c.currency
"""

COUNT_PROGRESS = """
SELECT c.id, c.name, c.state, c.next_run_at, c.paused_reason, n.planned, n.open
FROM (SELECT * FROM notifications_campaign
      WHERE state IN ('scheduled', 'running', 'paused')
      ORDER BY launched_at DESC NULLS LAST, id DESC LIMIT %s) c
CROSS JOIN LATERAL (
    SELECT count(*) AS planned, count(*) FILTER (
        WHERE d.state IN ('pending', 'claimed', 'sending')) AS open
    FROM notifications_delivery d
    WHERE d.campaign_id = c.id AND d.source_kind <> 'test') n
ORDER BY c.launched_at DESC NULLS LAST, c.id DESC
"""

COUNT_BACKLOG = """
SELECT count(*) AS pending, count(*) FILTER (WHERE due_at <= %s) AS late
FROM notifications_delivery WHERE state = 'pending'
"""

COUNT_ENDS = """
SELECT state, reason, count(*) AS messages FROM notifications_delivery
WHERE source_kind <> 'test' AND (state = 'quarantined' OR (
    state IN ('skipped', 'failed', 'cancelled') AND finished_at >= %s))
GROUP BY state, reason
"""


def campaign_report(campaign: Campaign, *, at: datetime) -> CampaignReport:
    """The whole report of one campaign as of `at`; two queries."""
    groups = fetch_rows(COUNT_STATES, [at, campaign.pk])
    money = fetch_rows(COUNT_MONEY, [campaign.pk])
    counts = _count_rungs(groups)
    rates = {
        name: make_rate(counts[above], counts[below])
        for name, (above, below) in RATES.items()
    }
    overall = next((row for row in money if row["currency"] is None), None)
    return CampaignReport(
        campaign_id=campaign.pk,
        name=campaign.name,
        state=campaign.state,
        at=at,
        is_sandbox=any(row["is_sandbox"] for row in groups),
        skips=_list_reasons(groups, "skipped"),
        failures=_list_reasons(groups, "failed"),
        cancellations=_list_reasons(groups, "cancelled"),
        waits=_list_reasons(groups, "pending"),
        rates=rates,
        revenue=_build_revenue(money, counts["sent"], counts["delivered"]),
        conversion_median_s=overall["median_s"] if overall else None,
        **counts,
    )


def count_states(campaign_ids: Sequence[int]) -> dict[int, dict[str, int]]:
    """Messages of each campaign by state; one query."""
    counts: dict[int, dict[str, int]] = defaultdict(dict)
    for row in fetch_rows(COUNT_PAGE, [list(campaign_ids)]):
        counts[row["campaign_id"]][row["state"]] = row["messages"]
    return counts


def daily_series(campaign: Campaign, *, days: int = FIRST_DAYS) -> list[Day]:
    """The first days from the first send, each day named; one query."""
    found: dict[date, dict[str, int]] = defaultdict(dict)
    for row in fetch_rows(COUNT_DAYS, [campaign.pk]):
        found[row["day"]][row["rung"]] = row["count"]
    sent_on = [on for on, counts in found.items() if "sent" in counts]
    if not sent_on:
        return []
    first = min(sent_on)
    last = min(max(found), first + timedelta(days=days - 1))
    return [Day(on, **found.get(on, {})) for on in _list_days(first, last)]


def overview(at: datetime, days: int) -> Overview:
    """The dashboard as of `at`: the last `days` days in UTC, today included.

    Eight queries. Chart and totals tell what became of the messages sent on each
    day, whenever it happened.
    """
    today = at.astimezone(UTC).date()
    first = today - timedelta(days=days - 1)
    since = datetime(first.year, first.month, first.day, tzinfo=UTC)
    rows = fetch_rows(COUNT_SENT, [since - timedelta(days=days), at])
    now = [row for row in rows if row["day"] >= first]
    earned = fetch_rows(COUNT_EARNED, {"since": since, "until": at})
    totals = _sum_totals(now)
    return Overview(
        at=at,
        days=days,
        totals=totals,
        before=_sum_totals(row for row in rows if row["day"] < first),
        series=_build_series(now, first, today),
        revenue=_build_revenue(_sum_currencies(earned), totals.sent, totals.delivered),
        top=_build_top(now, earned),
        running=tuple(
            Progress(**{"campaign_id": row.pop("id"), **row})
            for row in fetch_rows(COUNT_PROGRESS, [LISTED])
        ),
        **_read_needs(at),
    )


def _read_needs(at: datetime) -> dict[str, Any]:
    """What waits and what needs a human; four queries."""
    ends = fetch_rows(COUNT_ENDS, [at - timedelta(days=SKIP_DAYS)])
    [backlog] = fetch_rows(COUNT_BACKLOG, [at])
    alerts = Alert.objects.open().order_by("-raised_at")[:LISTED]
    return {
        "alerts": tuple(AlertLine(row.text, row.cause, row.url) for row in alerts),
        "skips": _list_reasons(ends, "skipped", "failed", "cancelled"),
        "quarantined_deliveries": sum(
            row["messages"] for row in ends if row["state"] == "quarantined"
        ),
        "quarantined_events": PendingEvent.objects.filter(
            quarantined_at__isnull=False
        ).count(),
        "pending": backlog["pending"],
        "late": backlog["late"],
    }


def fetch_rows(sql: str, params: list[Any] | Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of one statement by column name."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _count_rungs(groups: list[dict[str, Any]]) -> dict[str, int]:
    """Every count of a report by its name."""
    states = dict.fromkeys(STATES, 0)
    for row in groups:
        states[row["state"]] += row["messages"]
    in_work = states.pop("claimed") + states.pop("sending")
    sent = [row for row in groups if row["state"] == "sent"]
    return {
        **states,
        **{rung: sum(row[rung] for row in sent) for rung in RUNGS},
        "in_work": in_work,
        "planned": in_work + sum(states.values()),
        "attempted": sum(row["attempted"] for row in groups),
        "late": sum(row["late"] for row in groups),
    }


def _list_reasons(
    groups: Iterable[Mapping[str, Any]], *states: str
) -> tuple[ReasonCount, ...]:
    """Reasons of these states, the most frequent first."""
    found = [
        ReasonCount(
            row["state"],
            row["reason"],
            # A reason that a later version no longer knows speaks for itself.
            SENTENCES.get(row["reason"], row["reason"]),
            row["messages"],
        )
        for row in groups
        if row["state"] in states and row["reason"]
    ]
    return tuple(sorted(found, key=lambda item: (-item.count, item.reason)))


def _build_revenue(
    rows: Iterable[Mapping[str, Any]], sent: int, delivered: int
) -> tuple[Revenue, ...]:
    return tuple(
        _build_money(row, sent, delivered)
        for row in rows
        if row["currency"] is not None and row["gross"] is not None
    )


def _build_money(row: Mapping[str, Any], sent: int, delivered: int) -> Revenue:
    total = row["gross"] - row["refunded"]
    return Revenue(
        currency=row["currency"],
        gross=row["gross"],
        refunded=row["refunded"],
        total=total,
        conversions=row["conversions"],
        per_send=_divide_money(total, sent),
        per_delivered=_divide_money(total, delivered),
    )


def _divide_money(total: Decimal, count: int) -> Decimal | None:
    return (total / count).quantize(Decimal("0.0001")) if count else None


def _sum_totals(rows: Iterable[Mapping[str, Any]]) -> Totals:
    names = [column.name for column in fields(Totals)]
    sums = dict.fromkeys(names, 0)
    for row in rows:
        for name in names:
            sums[name] += row[name]
    return Totals(**sums)


def _build_series(
    rows: list[dict[str, Any]], first: date, last: date
) -> tuple[Day, ...]:
    by_day = {
        on: _sum_totals(row for row in rows if row["day"] == on)
        for on in _list_days(first, last)
    }
    return tuple(
        Day(on, sum_.sent, sum_.opened, sum_.clicked, sum_.converted)
        for on, sum_ in by_day.items()
    )


def _sum_currencies(earned: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Campaigns' money added up per currency."""
    found: dict[str, dict[str, Any]] = {}
    for row in earned:
        line = found.setdefault(
            row["currency"],
            {"currency": row["currency"]} | dict.fromkeys(SUMMED, 0),
        )
        for name in SUMMED:
            line[name] += row[name]
    return list(found.values())


def _build_top(
    rows: list[dict[str, Any]], earned: list[dict[str, Any]]
) -> tuple[CampaignLine, ...]:
    """The campaigns that converted most, then sent most; one query for names."""
    by_campaign: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        if row["campaign_id"] is not None:
            by_campaign[row["campaign_id"]].append(row)
    totals = {key: _sum_totals(part) for key, part in by_campaign.items()}
    order = sorted(totals, key=lambda key: (-totals[key].converted, -totals[key].sent))
    best = order[:TOP]
    names = dict(Campaign.objects.filter(pk__in=best).values_list("pk", "name"))
    return tuple(
        CampaignLine(
            key,
            names[key],
            totals[key],
            _build_revenue(
                [row for row in earned if row["campaign_id"] == key],
                totals[key].sent,
                totals[key].delivered,
            ),
        )
        for key in best
    )


def _list_days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]
