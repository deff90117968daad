"""The phone screen over HTTP: page, fragment, filters and who may see it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from notifications.sandbox.log import SandboxLog, find_end

pytestmark = pytest.mark.urls("tests.notifications.sandbox.site")


@pytest.fixture
def log_path(tmp_path: Path, settings: Settings) -> Path:
    settings.SANDBOX, settings.DEBUG = True, True
    settings.SANDBOX_LOG = tmp_path / "log.jsonl"
    return tmp_path / "log.jsonl"


def add_message(path: Path, number: int, **notification: str) -> None:
    message: dict[str, Any] = {
        "notification": {"title": f"Title {number}"} | notification,
        "data": {
            "delivery_id": f"d-{number}",
            "apropos_token": f"signed-{number}",
            "link": "shop://basket",
            "buttons": '[{"id": "go", "title": "Go now", "link": "shop://go"}]',
        },
        "android": {},
    }
    log = SandboxLog(path)
    log.append(
        at=1_700_000_000.0 + number,
        project="p",
        name=f"n-{number}",
        address=f"phone-{number % 2}",
        request=json.dumps({"message": message}).encode(),
    )
    log.close()


def test_the_page_shows_messages_newest_first_under_a_loud_banner(
    client: Client, log_path: Path
) -> None:
    add_message(log_path, 1)
    add_message(log_path, 2)
    page = client.get("/sandbox/").content.decode()
    assert page.index("Title 2") < page.index("Title 1")
    assert "Nothing on this page reached a real phone" in page


def test_an_empty_sandbox_says_so(client: Client, log_path: Path) -> None:
    page = client.get("/sandbox/").content.decode()
    assert "No notifications yet." in page
    assert "data-card " not in page


def test_every_deed_is_a_form_to_the_signed_endpoint(
    client: Client, log_path: Path
) -> None:
    add_message(log_path, 1)
    page = client.get("/sandbox/?device=phone-1").content.decode()
    actions = re.findall(r'method="post" action="([^"]+)"', page)
    assert actions == ["/v1/push/d-1/events"] * 3
    events = re.findall(r'name="event" value="(\w+)"', page)
    assert events == ["opened", "clicked", "dismissed"]
    assert 'name="token" value="signed-1"' in page
    assert 'name="client_id" value="n-1"' in page
    assert 'name="button" value="go"' in page
    following = re.findall(r'name="next" value="([^"]+)"', page)
    assert following[0] == (
        "/sandbox/?device=phone-1&amp;done=opened&amp;link=shop%3A%2F%2Fbasket"
    )


def test_after_a_plain_form_the_page_says_what_would_open(
    client: Client, log_path: Path
) -> None:
    page = client.get("/sandbox/?done=opened&link=shop://x").content.decode()
    assert re.search(r"Opened\..*<code>shop://x</code>", page, re.DOTALL)


def test_the_page_names_the_tokens_that_fail(client: Client, log_path: Path) -> None:
    page = client.get("/sandbox/").content.decode()
    for suffix in ("-unregistered", "-quota", "-sender-mismatch", "-silent"):
        assert f"<code>{suffix}</code>" in page


def test_one_device_is_shown_alone(client: Client, log_path: Path) -> None:
    add_message(log_path, 1)
    add_message(log_path, 2)
    page = client.get("/sandbox/?device=phone-0").content.decode()
    assert "Title 2" in page
    assert "Title 1" not in page
    assert '<option value="phone-1">' in page


def test_what_people_wrote_is_escaped(client: Client, log_path: Path) -> None:
    add_message(log_path, 1, title="<script>alert(1)</script>", body='"><img src=x>')
    page = client.get("/sandbox/").content.decode()
    assert "<script>alert" not in page
    assert "<img src=x>" not in page


def test_the_page_needs_no_inline_script_or_style(
    client: Client, log_path: Path
) -> None:
    add_message(log_path, 1)
    page = client.get("/sandbox/").content.decode()
    assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", page)
    assert not re.search(r'(src|href)="(https?:)?//', page)


def test_polling_brings_only_what_is_new(client: Client, log_path: Path) -> None:
    add_message(log_path, 1)
    after = find_end(log_path)
    assert client.get(f"/sandbox/cards/?after={after}").status_code == 204
    add_message(log_path, 2)
    fragment = client.get(f"/sandbox/cards/?after={after}").content.decode()
    assert "Title 2" in fragment
    assert "Title 1" not in fragment
    assert f"after={find_end(log_path)}" in fragment
    assert "<html" not in fragment


@pytest.mark.parametrize("after", ["", "x", "-1", "٣", "9" * 40, "1e3"])
def test_an_odd_position_is_the_end(after: str, client: Client, log_path: Path) -> None:
    add_message(log_path, 1)
    assert client.get("/sandbox/cards/", {"after": after}).status_code == 204


def test_a_log_made_anew_is_read_from_its_start(client: Client, log_path: Path) -> None:
    add_message(log_path, 1)
    fragment = client.get("/sandbox/cards/?after=99999").content.decode()
    assert "Title 1" in fragment


@pytest.mark.parametrize("path", ["/sandbox/", "/sandbox/cards/"])
def test_it_is_not_there_where_the_sandbox_is_off(
    path: str, client: Client, log_path: Path, settings: Settings
) -> None:
    settings.SANDBOX = False
    assert client.get(path).status_code == 404


@pytest.mark.django_db
def test_without_debug_it_is_for_staff(
    client: Client,
    admin_client: Client,
    log_path: Path,
    settings: Settings,
) -> None:
    settings.DEBUG, settings.SECURE_SSL_REDIRECT = False, False
    settings.LOGIN_URL = "/login/"
    answer = client.get("/sandbox/")
    assert (answer.status_code, answer["Location"]) == (302, "/login/?next=/sandbox/")
    assert admin_client.get("/sandbox/").status_code == 200


def test_it_only_reads(client: Client, log_path: Path) -> None:
    assert client.post("/sandbox/").status_code == 405
