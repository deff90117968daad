"""Stored XSS: what people send and staff type is shown as text, on every page."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from django.conf import settings as site
from django.test import Client

from crm.models import DataFix, PlannedEvent
from notifications.sandbox.log import SandboxLog
from preferences.tokens import build_preference_url, build_unsubscribe_url
from tests.edges.world import World, forget_log, make_world

pytestmark = pytest.mark.django_db
BACKEND = "django.contrib.auth.backends.ModelBackend"
MARK = "zqx"
# Each would make an element or an attribute with the mark in it.
POLYGLOTS = [
    '" autofocus onfocus=zqx() x="',
    "'><svg/onload=zqx()>",
    "</title></style></script><b zqx>",
    '<!--<img src="--><img src=x onerror=zqx()//">',
    "<script>alert('zqx')</script>",
    '"><img src=x onerror=zqx()>',
    "</textarea><iframe srcdoc=zqx>",
    "' x-data x-init='zqx()",
    '" hx-get=/zqx hx-trigger=load "',
    '<a href="javascript:zqx()">zqx</a>',
    "javascript:/*--></title><svg/onload=zqx()>",
    "{{constructor.constructor('zqx()')()}}<p zqx>",
    '<math><mi//xlink:href="data:x,<script>zqx</script>">',
    "&lt;script&gt;zqx&lt;/script&gt;<u zqx>",
    "`'\"><template zqx><form action=//zqx>",
]
# Between them they leave a text, either quote, a comment and a script.
QUICK = 4
PAGES_OF_EACH = [
    pytest.param(text, marks=[] if place < QUICK else [pytest.mark.slow])
    for place, text in enumerate(POLYGLOTS)
]
# Where a page may hold the mark: as a text, or as the value of these.
PLAIN = re.compile(
    r"value|title|aria-[a-z]+|alt|placeholder|content|label|id|name|for|data-[a-z-]+|"
    r"href|action|src|list|datetime|class"
)
SCRIPTING = re.compile(r"on[a-z]+|srcdoc|style|hx-.+|x-.+|@.+|:.+")


class MarkFinder(HTMLParser):
    """Elements and attributes that the mark made, not the page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self.seen = 0
        self._in_script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_script = tag == "script"
        for name, value in attrs:
            if MARK in name:
                self.found.append(f"<{tag} {name}>")
            if MARK not in (value or ""):
                continue
            self.seen += 1
            word = (value or "").strip().lower()
            # A push may name any picture, by its full address.
            fine = ("https://",) if name == "src" else ("/", "?", "#")
            leads_away = name in ("href", "action", "src") and not word.startswith(fine)
            if leads_away or SCRIPTING.fullmatch(name) or not PLAIN.fullmatch(name):
                self.found.append(f"<{tag} {name}={value!r}>")

    def handle_endtag(self, tag: str) -> None:
        self._in_script = False

    def handle_data(self, data: str) -> None:
        self.seen += data.count(MARK)
        if self._in_script and MARK in data:
            self.found.append(f"<script>: {data[:200]}")

    def handle_comment(self, data: str) -> None:
        if MARK in data:
            self.found.append(f"<!-- {data[:200]}")


def find_marks(html: str) -> MarkFinder:
    finder = MarkFinder()
    finder.feed(html)
    finder.close()
    return finder


@pytest.mark.parametrize("text", POLYGLOTS)
def test_the_finder_sees_what_a_careless_page_would_show(text: str) -> None:
    page = f"<p title=\"{text}\">{text}</p><input value='{text}'><textarea>{text}"
    assert find_marks(page).found


@pytest.mark.parametrize("text", PAGES_OF_EACH)
def test_no_page_runs_what_it_shows(
    text: str, client: Client, settings: Any, tmp_path: Any
) -> None:
    forget_log(settings, tmp_path)
    world = make_world(text)
    write_message(text, world)
    client.force_login(world.staff, BACKEND)
    broken: dict[str, list[str]] = {}
    seen: set[str] = set()
    pages = list_pages(world)
    for page in pages:
        answer = client.get(page, follow=True)
        assert answer.status_code == 200, page
        finder = find_marks(answer.content.decode())
        seen |= {page} if finder.seen else set()
        if finder.found:
            broken[page] = finder.found
    assert broken == {}
    # A page that shows none of it proves nothing.
    assert [page for page in pages if page not in seen and not QUIET.search(page)] == []


def write_message(text: str, world: World) -> None:
    """One push in the sandbox's log, as a campaign with this text sends it."""
    log = SandboxLog(site.SANDBOX_LOG)
    message = {
        "notification": {"title": text, "body": text, "image": f"https://{text}"},
        "data": {
            "delivery_id": str(world.delivery.pk),
            "apropos_token": text,
            "link": text,
            "buttons": json.dumps([{"id": text, "title": text, "link": text}]),
        },
    }
    log.append(
        at=1_700_000_000.0,
        project="p",
        name=text,
        address=text,
        request=json.dumps({"message": message}).encode(),
    )
    log.close()


# Pages that need not name any of it.
QUIET = re.compile(
    r"^/admin/$|/check/$|campaign/\d+/people/$|^/unsubscribe/|/auditentry/$|/segment/add/$"
)


def list_pages(world: World) -> list[str]:
    campaigns = "/admin/notifications/campaign"
    facts = {"center": world.center, "site_url": "/"}
    campaign = f"{campaigns}/{world.campaign.pk}"
    return [
        "/admin/",
        "/admin/crm/contact/",
        f"/admin/crm/contact/{world.contact.pk}/change/",
        "/admin/crm/event/",
        "/admin/crm/eventname/",
        "/admin/crm/eventday/",
        "/admin/crm/eventday/?part=properties",
        "/admin/crm/datafix/",
        f"/admin/crm/datafix/{DataFix.objects.latest('pk').pk}/change/",
        "/admin/crm/plannedevent/",
        f"/admin/crm/plannedevent/{PlannedEvent.objects.latest('pk').pk}/change/",
        "/admin/crm/eventday/?part=rejected",
        "/admin/crm/device/",
        "/admin/crm/catalogitem/",
        "/admin/crm/auditentry/",
        "/admin/crm/pendingevent/",
        "/admin/segments/segment/",
        "/admin/segments/segment/add/",
        f"/admin/segments/segment/{world.segment.pk}/change/",
        f"/admin/segments/segment/{world.segment.pk}/people/",
        f"{campaigns}/",
        f"{campaigns}/add/",
        f"{campaign}/change/",
        f"{campaign}/preview/?contact={world.contact.pk}",
        f"{campaign}/people/",
        f"{campaign}/check/",
        f"{campaign}/report/",
        "/admin/notifications/delivery/",
        f"/admin/notifications/delivery/{world.delivery.pk}/change/",
        "/admin/notifications/alert/",
        "/admin/notifications/switch/",
        "/admin/notifications/frequencycap/",
        "/admin/notifications/quiethours/",
        f"/admin/preferences/preferencecenter/{world.center.pk}/change/",
        f"/preferences/preview/{world.center.pk}/",
        "/admin/preferences/suppression/",
        build_unsubscribe_url(world.contact, **facts),
        build_preference_url(world.contact, **facts),
        "/sandbox/",
        "/sandbox/cards/?after=0",
    ]
