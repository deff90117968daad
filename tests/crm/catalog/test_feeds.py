"""Feeds over a real socket: asked when due, bounded, each entry in the catalog once."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.utils import timezone

from crm import egress
from crm.catalog.feeds import ask_soon, fetch_next, save_feed
from crm.catalog.items import archive_items
from crm.egress import EgressRefused
from crm.models import AuditEntry, Catalog, CatalogChange, CatalogItem, Feed
from tests.crm.events.calls import run_together
from tests.factories import make_catalog

pytestmark = pytest.mark.django_db
Answer = Callable[[BaseHTTPRequestHandler], None]


class Site:
    """A web site on loopback that answers as it is told, and remembers who asked."""

    def __init__(self) -> None:
        self.answer: Answer = lambda call: reply(call, 404)
        self.asked: list[dict[str, str]] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append({k.lower(): v for k, v in self.headers.items()})
                try:
                    site.answer(self)
                except (BrokenPipeError, ConnectionResetError):
                    return

            def log_message(self, *_: Any) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/feed"


def reply(
    call: BaseHTTPRequestHandler, status: int, body: bytes = b"", **headers: str
) -> None:
    call.send_response(status)
    for name, value in {**headers, "Content-Length": str(len(body))}.items():
        call.send_header(name.replace("_", "-"), value)
    call.end_headers()
    call.wfile.write(body)


def write_feed(*names: str) -> bytes:
    items = "".join(
        f"<item><title>{name}</title><guid>{name}</guid></item>" for name in names
    )
    return f"<rss><channel>{items}</channel></rss>".encode()


@pytest.fixture
def site(settings: Any) -> Iterator[Site]:
    settings.EGRESS_ALLOW_LOOPBACK = True
    site = Site()
    threading.Thread(target=site.server.serve_forever, daemon=True).start()
    yield site
    site.server.shutdown()
    site.server.server_close()


@pytest.fixture
def now() -> datetime:
    return timezone.now()


@pytest.fixture
def news() -> Catalog:
    return make_catalog("news")


@pytest.fixture
def feed(site: Site, news: Catalog, now: datetime) -> Feed:
    return save_feed(Feed(catalog=news, url=site.url), actor="test", at=now)


def test_each_entry_enters_the_catalog_and_is_news_once(
    site: Site, feed: Feed, now: datetime
) -> None:
    site.answer = lambda call: reply(call, 200, write_feed("a", "b"))
    fetch_next(at=now)
    # What the feed held before us is no news.
    assert not CatalogChange.objects.exclude(event="").exists()
    site.answer = lambda call: reply(call, 200, write_feed("c", "a", "b"))
    for hour in (1, 2):
        fetch_next(at=now + timedelta(hours=hour))
    news = CatalogChange.objects.filter(event="New Content")
    assert [row.item.code for row in news] == ["c"]
    assert CatalogItem.objects.count() == 3
    feed.refresh_from_db()
    assert (feed.result, feed.entries, feed.entries_new) == ("read", 3, 0)


def test_a_feed_is_asked_when_it_is_due_and_not_before(
    site: Site, feed: Feed, now: datetime
) -> None:
    site.answer = lambda call: reply(call, 200, write_feed("a"))
    assert fetch_next(at=now) is not None
    assert fetch_next(at=now + timedelta(minutes=29)) is None
    assert ask_soon([feed], at=now) == 1
    assert fetch_next(at=now) is not None
    Feed.objects.update(is_active=False)
    assert fetch_next(at=now + timedelta(days=9)) is None
    assert len(site.asked) == 2


def test_an_unchanged_feed_is_told_by_what_its_server_said(
    site: Site, feed: Feed, now: datetime
) -> None:
    def answer(call: BaseHTTPRequestHandler) -> None:
        if call.headers["If-None-Match"] == '"1"':
            reply(call, 304)
        else:
            reply(call, 200, write_feed("a"), ETag='"1"', Last_Modified="yesterday")

    site.answer = answer
    for hour in range(2):
        fetch_next(at=now + timedelta(hours=hour))
    feed.refresh_from_db()
    assert (feed.result, feed.entries) == ("unchanged", 1)
    assert site.asked[1]["if-modified-since"] == "yesterday"


@pytest.mark.parametrize(
    ("_case", "answer", "words"),
    [
        ("gone", lambda call: reply(call, 410), "It answered 410."),
        ("a page", lambda call: reply(call, 200, b"<html/>"), "Neither RSS nor Atom"),
        ("large", lambda call: reply(call, 200, b"a" * 2_100_000), "Larger than"),
        (
            "a bomb",
            lambda call: reply(call, 200, gzip.compress(bytes(3_000_000))),
            "larger than 2097152 bytes",
        ),
        (
            "round and round",
            lambda call: reply(call, 302, Location="/feed"),
            "More than 5 redirects",
        ),
        (
            "to the inside",
            lambda call: reply(call, 302, Location="http://169.254.169.254/"),
            "not a public host",
        ),
        (
            "to a file",
            lambda call: reply(call, 302, Location="file:///etc/passwd"),
            "no address",
        ),
        ("cut off", lambda call: call.connection.close(), "No answer"),
    ],
)
def test_a_feed_that_fails_says_why_and_is_asked_less_often(
    _case: str, answer: Answer, words: str, site: Site, feed: Feed, now: datetime
) -> None:
    site.answer = answer
    fetch_next(at=now)
    feed.refresh_from_db()
    assert feed.result == "failed"
    assert words in feed.error
    assert (feed.failures, feed.next_fetch_at) == (1, now + timedelta(hours=1))
    assert not CatalogItem.objects.exists()
    site.answer = lambda call: reply(call, 200, gzip.compress(write_feed("a")))
    fetch_next(at=now + timedelta(hours=2))
    feed.refresh_from_db()
    assert (feed.result, feed.error, feed.failures) == ("read", "", 0)


def test_a_server_that_drips_is_left(
    site: Site, feed: Feed, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(egress, "TOTAL_S", 0.5)

    def drip(call: BaseHTTPRequestHandler) -> None:
        call.send_response(200)
        call.end_headers()
        for _ in range(100):
            call.wfile.write(b"a")
            time.sleep(0.1)

    site.answer = drip
    begun = time.monotonic()
    fetch_next(at=now)
    assert time.monotonic() - begun < 5
    feed.refresh_from_db()
    assert feed.error.startswith("Not done within")


def test_what_staff_archived_stays_so(site: Site, feed: Feed, now: datetime) -> None:
    site.answer = lambda call: reply(call, 200, write_feed("a", "b"))
    fetch_next(at=now)
    archive_items(feed.catalog, ["a"], source="test", at=now)
    fetch_next(at=now + timedelta(hours=1))
    assert [item.code for item in CatalogItem.objects.live()] == ["b"]


def test_a_catalog_with_typed_fields_takes_what_it_knows(
    site: Site, feed: Feed, now: datetime
) -> None:
    Catalog.objects.filter(pk="news").update(
        fields=[{"name": "author", "type": "text"}]
    )
    body = b"<rss><item><title>A</title><guid>a</guid><author>Ida</author>"
    body += b"<category>X</category></item></rss>"
    site.answer = lambda call: reply(call, 200, body)
    fetch_next(at=now)
    assert CatalogItem.objects.get().attributes == {"author": "Ida"}


@pytest.mark.parametrize("url", ["http://a.no/feed", "https://u:p@a.no/", "feed"])
def test_an_address_that_cannot_be_asked_is_refused_at_save(
    url: str, news: Catalog, now: datetime
) -> None:
    with pytest.raises(EgressRefused):
        save_feed(Feed(catalog=news, url=url), actor="test", at=now)
    assert not Feed.objects.exists()
    assert not AuditEntry.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_eight_workers_ask_a_feed_once(site: Site) -> None:
    now = timezone.now()
    news = make_catalog("news")
    save_feed(Feed(catalog=news, url=site.url), actor="test", at=now)
    site.answer = lambda call: reply(call, 200, write_feed("a"))
    results = run_together([lambda: fetch_next(at=now)] * 8)
    assert sum(result is not None for result in results) == 1
    assert len(site.asked) == 1
