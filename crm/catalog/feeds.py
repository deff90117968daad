"""Feeds: asked when due, read within bounds, each entry in the catalog once."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction

from crm import egress
from crm.catalog.feed_entries import NotAFeed, read_feed
from crm.catalog.items import Saved, save_items
from crm.events.limits import BodyRefused, unpack_body
from crm.models import CatalogItem, Feed
from crm.models.audit import record_audit

MAX_BYTES: Final = 2 * 1024 * 1024
# A feed that fails is asked less and less often, and once a day at last.
MAX_WAIT: Final = timedelta(days=1)


@transaction.atomic
def save_feed(feed: Feed, *, actor: Any, at: datetime) -> Feed:
    """Make or change a feed; it is asked at once. Raises EgressRefused for an address
    that can not be asked."""
    egress.parse_address(feed.url)
    known = feed.pk is not None
    if known and Feed.objects.filter(pk=feed.pk).exclude(url=feed.url).exists():
        # Another address has other answers, and a past of its own.
        feed.etag = feed.last_modified = ""
        feed.first_read_at = None
    feed.next_fetch_at, feed.failures = at, 0
    feed.save()
    record_audit(actor=actor, action="edited" if known else "added", on=feed)
    return feed


def fetch_next(*, at: datetime) -> Saved | None:
    """Ask the next feed that is due and that nobody has in hand; None where none is.

    1. Take it: its next turn is set and committed before anything is asked.
    2. Ask and read, outside of any transaction.
    3. Save its entries and what came of it, in one.
    """
    feed = Feed.objects.due(at).select_related("catalog").order_by("next_fetch_at")
    for one in feed[:10]:
        until = at + timedelta(minutes=one.every_min)
        if Feed.objects.claim(one, until=until):
            one.next_fetch_at = until
            return _fetch(one, at=at)
    return None


def _fetch(feed: Feed, *, at: datetime) -> Saved:
    headers = {
        "If-None-Match": feed.etag,
        "If-Modified-Since": feed.last_modified,
        "User-Agent": "Apropos",
        "Accept": "application/rss+xml, application/atom+xml, application/xml;q=0.9",
    }
    said = {name: value for name, value in headers.items() if value}
    try:
        answer = egress.fetch_url(feed.url, headers=said, max_bytes=MAX_BYTES)
        if answer.status == 304:
            return _finish(feed, Feed.Result.UNCHANGED, at=at)
        if answer.status != 200:
            return _fail(feed, f"It answered {answer.status}.", at=at)
        rows = read_feed(unpack_body(answer.body, MAX_BYTES))
    except (egress.EgressRefused, NotAFeed, BodyRefused) as error:
        return _fail(feed, str(error), at=at)
    feed.etag = answer.headers.get("etag", "")[:500]
    feed.last_modified = answer.headers.get("last-modified", "")[:100]
    return _take_in(feed, rows, at=at)


@transaction.atomic
def _take_in(feed: Feed, rows: list[dict[str, Any]], *, at: datetime) -> Saved:
    """Entries by their id; what staff archived stays so."""
    saved = save_items(
        feed.catalog,
        _leave_out_archived(feed, rows),
        source=f"feed:{feed.pk}",
        at=at,
        partial=True,
        # What was there before us is no news.
        quiet=feed.first_read_at is None,
    )
    feed.entries, feed.entries_new = len(rows), saved.new
    feed.first_read_at = feed.first_read_at or at
    told = [
        f"Entry {index + 1}: {fault.path}: {fault.message}"
        for index, fault in sorted(saved.refused.items())
    ]
    _finish(feed, Feed.Result.READ, at=at, error=" ".join(told[:3]))
    return saved


def _leave_out_archived(
    feed: Feed, rows: list[dict[str, Any]]
) -> Iterable[dict[str, Any]]:
    fields = {field["name"] for field in feed.catalog.fields}
    mine = CatalogItem.objects.filter(catalog=feed.catalog_id)
    archived = set(
        mine.coded(row["code"] for row in rows)
        .exclude(archived_at=None)
        .values_list("code", flat=True)
    )
    for row in rows:
        if fields:
            told = row["attributes"]
            row["attributes"] = {k: v for k, v in told.items() if k in fields}
        if row["code"] not in archived:
            yield row


def _fail(feed: Feed, error: str, *, at: datetime) -> Saved:
    feed.failures += 1
    wait = timedelta(minutes=feed.every_min) * 2 ** min(feed.failures, 10)
    feed.next_fetch_at = at + min(wait, MAX_WAIT)
    return _finish(feed, Feed.Result.FAILED, at=at, error=error)


def _finish(feed: Feed, result: str, *, at: datetime, error: str = "") -> Saved:
    feed.result, feed.error, feed.fetched_at = result, error[:500], at
    if result != Feed.Result.FAILED:
        feed.failures = 0
    feed.save(
        update_fields=[
            "result",
            "error",
            "failures",
            "fetched_at",
            "next_fetch_at",
            "etag",
            "last_modified",
            "first_read_at",
            "entries",
            "entries_new",
        ]
    )
    return Saved()


def ask_soon(feeds: Iterable[Feed], *, at: datetime) -> int:
    """Let these feeds be due now; answers how many are active."""
    mine = Feed.objects.filter(pk__in=[feed.pk for feed in feeds], is_active=True)
    return mine.update(next_fetch_at=at)
