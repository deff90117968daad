"""The headers of each kind of page, and a browser that finds nothing to complain of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import Page, sync_playwright

from crm.api.pages import build_policy
from crm.api.security import (
    DATA_POLICY,
    DOCS_POLICY,
    PHONE_POLICY,
    STAFF_POLICY,
)
from preferences.tokens import build_preference_url, build_unsubscribe_url
from tests.edges.world import World, forget_log, make_world
from tests.factories import make_api_key

BACKEND = "django.contrib.auth.backends.ModelBackend"
KINDS = [
    ("the admin", "/admin/", STAFF_POLICY),
    ("the login", "/admin/login/", STAFF_POLICY),
    ("a refusal of the middleware", "/admin/?q=%00", build_policy()),
    ("nothing in the admin", "/admin/nowhere", build_policy()),
    ("the API's documentation", "/api/docs/", DOCS_POLICY),
    ("the API", "/api/contacts/", DATA_POLICY),
    ("nothing in the API", "/api/nowhere/", DATA_POLICY),
    ("ingest", "/v1/batch", DATA_POLICY),
    ("the root", "/", DATA_POLICY),
    ("nothing", "/nowhere", build_policy()),
    ("health", "/healthz", DATA_POLICY),
    ("the phone screen", "/sandbox/", PHONE_POLICY),
]


@pytest.fixture
def world(settings: Any, tmp_path: Any) -> World:
    forget_log(settings, tmp_path)
    return make_world()


@pytest.mark.django_db
@pytest.mark.parametrize(("_case", "path", "policy"), KINDS)
def test_each_kind_of_answer_has_its_policy(
    _case: str, path: str, policy: str, world: World, client: Client
) -> None:
    client.force_login(world.staff, BACKEND)
    answer = client.get(path)
    assert answer["Content-Security-Policy"] == policy
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["Referrer-Policy"] == "same-origin"


@pytest.mark.django_db
@pytest.mark.parametrize("policy", [STAFF_POLICY, DOCS_POLICY, PHONE_POLICY])
def test_no_policy_lets_a_script_of_the_page_itself_run(policy: str) -> None:
    scripts = re.search(r"script-src ([^;]*)", policy)
    assert scripts
    assert set(scripts[1].split()) <= {"'self'", "'unsafe-eval'"}
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["page", "link", "unsubscribe", "unknown"])
def test_a_public_page_leaks_nothing_and_loads_nothing_foreign(
    kind: str, world: World, client: Client
) -> None:
    facts = {"center": world.center, "site_url": "/"}
    link = build_preference_url(world.contact, **facts)
    if kind == "page":
        client.get(link)
    address = {
        "page": "/preferences/",
        "link": link,
        "unsubscribe": build_unsubscribe_url(world.contact, **facts),
        "unknown": "/p/nothing",
    }[kind]
    answer = client.get(address)
    policy = answer["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert not re.search(r"https?:|\*", policy)
    assert answer["Referrer-Policy"] == "no-referrer"
    assert "no-store" in answer["Cache-Control"]
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["X-Frame-Options"] == "DENY"
    html = answer.content.decode()
    foreign = r"""(?:src|href|action)=["']?(?:https?:)?//(?!testserver)"""
    assert re.findall(foreign, html) == []


@pytest.mark.django_db
def test_an_answer_of_the_api_is_told_to_no_cache_that_is_shared(
    world: World, client: Client
) -> None:
    header = {"Authorization": f"Bearer {make_api_key('read')}"}
    answer = client.get("/api/contacts/", headers=header)
    assert answer.status_code == 200
    assert "public" not in answer.get("Cache-Control", "")


PACKED = {"accept-encoding": "gzip"}


def test_a_page_is_packed_and_its_length_does_not_tell_what_is_in_it(
    admin_client: Client,
) -> None:
    url = "/admin/notifications/campaign/"
    plain = admin_client.get(url)
    packed = [admin_client.get(url, headers=PACKED) for _ in range(8)]
    assert "Content-Encoding" not in plain
    assert {answer["Content-Encoding"] for answer in packed} == {"gzip"}
    assert all("Accept-Encoding" in answer["Vary"] for answer in packed)
    sizes = {len(answer.content) for answer in packed}
    assert max(sizes) * 4 < len(plain.content)
    # Random padding: the same page, several lengths.
    assert len(sizes) > 1


def test_a_short_answer_of_the_api_is_sent_as_it_is(client: Client, db: None) -> None:
    key = make_api_key("track")
    body = {"userId": "ada", "event": "Seen", "writeKey": key}
    answer = client.post("/v1/track", body, "application/json", headers=PACKED)
    assert answer.status_code == 200
    assert "Content-Encoding" not in answer


@pytest.fixture
def page(chromium_path: str, live_server: Any) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium_path, args=["--no-sandbox"]
        )
        yield browser.new_page(base_url=live_server.url)
        browser.close()


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_no_page_breaks_its_own_policy(page: Page, world: World) -> None:
    """The browser is the judge: a refused script, style or picture is a complaint."""
    User.objects.create_superuser("ada", "a@example.com", "ada")
    complaints: list[str] = []
    page.on("console", lambda said: note(complaints, page, said.text))
    page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))
    page.goto("/admin/login/?next=/admin/")
    page.fill("[name=username]", "ada")
    page.fill("[name=password]", "ada")
    page.click("button[type=submit]")
    page.wait_for_url("**/admin/")
    addresses = list_pages(world)
    for address in addresses:
        answer = page.goto(address, wait_until="networkidle")
        assert answer is not None
        assert answer.status == 200, address
    assert complaints == []


def note(complaints: list[str], page: Page, said: str) -> None:
    if "Content Security Policy" in said or "Refused to" in said:
        complaints.append(f"{page.url}: {said}")


def list_pages(world: World) -> list[str]:
    contact, campaign = world.contact.pk, world.campaign.pk
    campaigns = f"/admin/notifications/campaign/{campaign}"
    return [
        "/admin/",
        "/admin/crm/contact/",
        f"/admin/crm/contact/{contact}/change/",
        "/admin/crm/event/",
        "/admin/crm/catalogitem/",
        "/admin/segments/segment/add/",
        f"/admin/segments/segment/{world.segment.pk}/change/",
        f"/admin/segments/segment/{world.segment.pk}/people/",
        "/admin/notifications/campaign/",
        "/admin/notifications/campaign/add/",
        f"{campaigns}/change/",
        f"{campaigns}/preview/",
        f"{campaigns}/check/",
        f"{campaigns}/report/",
        f"/admin/notifications/delivery/{world.delivery.pk}/change/",
        f"/admin/preferences/preferencecenter/{world.center.pk}/change/",
        "/admin/notifications/sender/add/",
        "/admin/auth/user/add/",
        "/api/docs/",
        "/sandbox/",
    ]
