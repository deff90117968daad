"""The page that people see where no view answers, and the JSON that programs get."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client, RequestFactory

from crm.api.pages import answer_server_error, build_policy


def read_title(page: bytes) -> str:
    found = re.search(r"<h1>(.*)</h1>", page.decode())
    assert found
    return found[1]


@pytest.mark.parametrize(
    ("_case", "path", "home"),
    [("of the admin", "/admin/nowhere/", True), ("public", "/nowhere", False)],
)
def test_a_page_that_is_not_there_says_so(
    _case: str, path: str, home: bool, admin_client: Client
) -> None:
    answer = admin_client.get(path)
    assert answer.status_code == 404
    assert read_title(answer.content) == "There is nothing here"
    assert (b'href="/admin/"' in answer.content) is home


def test_staff_without_the_right_are_told_whom_to_ask(db: None, client: Client) -> None:
    client.force_login(
        User.objects.create(username="bare", is_staff=True),
        "django.contrib.auth.backends.ModelBackend",
    )
    answer = client.get("/admin/crm/contact/")
    assert answer.status_code == 403
    assert read_title(answer.content) == "You may not do this"
    assert b"An administrator can give you a role" in answer.content


def test_a_form_without_its_secret_says_what_to_do(db: None) -> None:
    answer = Client(enforce_csrf_checks=True).post("/admin/login/", {"username": "a"})
    assert answer.status_code == 403
    assert b"reload the page" in answer.content


@pytest.mark.parametrize("path", ["/admin/", "/p/x", "/v1/track"])
def test_a_crash_is_answered_without_the_database(
    path: str, rf: RequestFactory
) -> None:
    answer = answer_server_error(rf.get(path))
    assert answer.status_code == 500
    assert answer["Content-Type"].startswith(
        "application/json" if path == "/v1/track" else "text/html"
    )
    assert b"Something went wrong" in answer.content


def test_the_browser_takes_the_pages_own_style(rf: RequestFactory) -> None:
    page = answer_server_error(rf.get("/admin/")).content.decode()
    style: Any = re.search(r"<style>(.*)</style>", page, re.DOTALL)
    digest = b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"'sha256-{digest}'" in build_policy()
