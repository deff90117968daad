"""The phone in a real browser: what arrives by itself, and what a tap reports."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from tests.notifications.sandbox import site
from tests.notifications.sandbox.test_views import add_message

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls("tests.notifications.sandbox.site"),
]
# Playwright runs an event loop in this thread, which Django would refuse.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "1")


@pytest.fixture
def log_path(tmp_path: Path, settings: Settings) -> Path:
    settings.SANDBOX, settings.DEBUG = True, True
    settings.SANDBOX_LOG = tmp_path / "log.jsonl"
    site.reported.clear()
    return tmp_path / "log.jsonl"


@pytest.fixture
def browser(chromium_path: str) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium_path, args=["--no-sandbox"]
        )
        yield browser
        browser.close()


def wait_for_report(page: Any, event: str) -> dict[str, Any]:
    page.locator(".reports b", has_text=event).first.wait_for()
    facts = [json.loads(body) for _path, body in site.reported]
    return next(fact for fact in facts if fact["event"] == event)


def test_a_push_arrives_by_itself_and_its_tap_is_reported(
    browser: Any, live_server: LiveServer, log_path: Path
) -> None:
    page = browser.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{live_server.url}/sandbox/")
    assert page.get_by_text("No notifications yet.").is_visible()
    add_message(log_path, 1)
    page.locator(".title", has_text="Title 1").wait_for(timeout=6000)
    assert not page.get_by_text("No notifications yet.").is_visible()
    wait_for_report(page, "delivered")
    page.get_by_role("button", name="Open “Title 1”").click()
    assert page.locator("[data-opened-link]").inner_text() == "shop://basket"
    fact = wait_for_report(page, "opened")
    assert (fact["token"], fact["client_id"]) == ("signed-1", "n-1")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", fact["at"])
    assert {path for path, _body in site.reported} == {"/v1/push/d-1/events"}
    assert errors == []


def test_a_button_names_itself_and_opens_its_own_link(
    browser: Any, live_server: LiveServer, log_path: Path
) -> None:
    add_message(log_path, 1)
    page = browser.new_page()
    page.goto(f"{live_server.url}/sandbox/")
    page.get_by_role("button", name="Go now").click()
    assert page.locator("[data-opened-link]").inner_text() == "shop://go"
    assert wait_for_report(page, "clicked")["button"] == "go"


def test_a_dismissed_card_stays_so_after_a_reload(
    browser: Any, live_server: LiveServer, log_path: Path
) -> None:
    add_message(log_path, 1)
    page = browser.new_page()
    page.goto(f"{live_server.url}/sandbox/")
    page.get_by_role("button", name="Dismiss").click()
    wait_for_report(page, "dismissed")
    page.reload()
    page.locator(".card.dismissed").wait_for()
    assert [json.loads(body)["event"] for _path, body in site.reported].count(
        "delivered"
    ) == 1


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_the_page_never_scrolls_sideways(
    width: int, browser: Any, live_server: LiveServer, log_path: Path
) -> None:
    add_message(log_path, 1, title="W" * 300, body="ﷺ" * 200)
    page = browser.new_page(viewport={"width": width, "height": 800})
    page.goto(f"{live_server.url}/sandbox/")
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= width


def test_without_javascript_a_tap_is_a_plain_form(
    browser: Any, live_server: LiveServer, log_path: Path
) -> None:
    add_message(log_path, 1)
    page = browser.new_page(java_script_enabled=False)
    page.goto(f"{live_server.url}/sandbox/")
    page.get_by_role("button", name="Open “Title 1”").click()
    assert page.get_by_role("status").inner_text().split() == (
        ["Opened.", "The", "app", "would", "open", "shop://basket"]
    )
    [(path, body)] = site.reported
    assert path == "/v1/push/d-1/events"
    assert b"event=opened&token=signed-1&client_id=n-1" in body
