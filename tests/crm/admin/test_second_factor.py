"""One's own second factor: set up, asked for at login, changed, lost."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from playwright.sync_api import sync_playwright

from crm.models import AuditEntry
from crm.second_factor.factors import (
    begin_setup,
    count_recovery_codes,
    find_factor,
    find_unfinished,
    has_factor,
)
from tests.staff import PASSWORD, log_in, make_factor, make_staff, read_app

pytestmark = pytest.mark.django_db
HOME = "/admin/second-factor/"
VERIFY = f"{HOME}verify/"
CODE = re.compile(r"<code>([a-z2-7]{5}-[a-z2-7]{5})</code>")


def give_password(client: Client, name: str = "ada", to: str = "/admin/") -> str:
    """Where the login's redirects end."""
    answer = client.post(
        f"/admin/login/?next={to}",
        {"username": name, "password": PASSWORD, "next": to},
        follow=True,
    )
    return str(answer.redirect_chain[-1][0])


def is_logged_in(client: Client) -> bool:
    return client.get("/admin/password_change/").status_code == 200


def read(answer: HttpResponse) -> str:
    return answer.content.decode()


def test_the_whole_story_from_set_up_to_the_next_login(client: Client) -> None:
    ada = make_staff()
    give_password(client)
    answer = client.post(f"{HOME}begin/", {"password": PASSWORD}, follow=True)
    page = read(answer)
    device = find_unfinished(ada)
    assert device is not None
    assert 'aria-label="QR code with the secret"' in page
    assert "otpauth" not in page
    answer = client.post(f"{HOME}set-up/", {"code": read_app(device, steps=-1)})
    codes = CODE.findall(read(answer))
    assert len(codes) == 10
    assert "no-store" in answer["Cache-Control"]
    assert not any(code in read(client.get(HOME)) for code in codes)
    assert is_logged_in(client)

    again = Client()
    assert give_password(again, to="/admin/crm/contact/") == (
        f"{VERIFY}?next=%2Fadmin%2Fcrm%2Fcontact%2F"
    )
    assert not is_logged_in(again)
    wrong = again.post(VERIFY, {"code": "wrong"})
    assert "This code is wrong" in read(wrong)
    assert not is_logged_in(again)
    before = again.session.session_key
    answer = again.post(
        VERIFY, {"code": read_app(device), "next": "/admin/crm/contact/"}
    )
    assert answer["Location"] == "/admin/crm/contact/"
    assert again.session.session_key != before
    assert is_logged_in(again)


def test_a_recovery_code_opens_too(client: Client) -> None:
    _, codes = make_factor(make_staff())
    give_password(client)
    assert client.post(VERIFY, {"code": codes[0]})["Location"] == "/admin/"
    assert is_logged_in(client)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "/admin/"),
        ("get", HOME),
        ("post", f"{HOME}begin/"),
        ("post", f"{HOME}codes/"),
        ("post", f"{HOME}remove/"),
        ("post", f"{HOME}set-up/"),
        ("get", "/admin/auth/user/"),
    ],
)
def test_the_password_alone_opens_no_page(
    method: str, path: str, client: Client
) -> None:
    ada = make_staff(is_superuser=True)
    make_factor(ada)
    give_password(client)
    answer = getattr(client, method)(path, {"password": PASSWORD})
    assert answer.status_code == 302
    assert answer["Location"].startswith("/admin/login/")
    assert has_factor(ada)
    assert count_recovery_codes(ada) == 10


def test_the_password_alone_opens_no_address_of_the_api(client: Client) -> None:
    make_factor(make_staff(is_superuser=True))
    give_password(client)
    assert client.get("/api/contacts/").status_code == 401


def test_browsers_that_were_logged_in_before_are_asked_too() -> None:
    ada = make_staff()
    elsewhere = log_in(ada)
    assert is_logged_in(elsewhere)
    make_factor(ada)
    assert not is_logged_in(elsewhere)


def test_nobody_is_asked_for_a_code_before_the_password(client: Client) -> None:
    make_factor(make_staff())
    answer = client.get(VERIFY)
    assert (answer.status_code, answer["Location"]) == (302, "/admin/")


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "a:b"])
def test_a_login_leads_to_no_other_site(target: str, client: Client) -> None:
    device, _ = make_factor(make_staff())
    give_password(client)
    answer = client.post(VERIFY, {"code": read_app(device), "next": target})
    assert answer["Location"] == "/admin/"


def test_somebody_else_may_log_in_instead(client: Client) -> None:
    make_factor(make_staff("ada"))
    make_staff("bob")
    give_password(client, "ada")
    assert client.get(f"{HOME}leave/").status_code == 405
    client.post(f"{HOME}leave/")
    assert client.get("/admin/login/").status_code == 200
    give_password(client, "bob")
    assert is_logged_in(client)


@pytest.mark.parametrize("deed", ["begin", "codes", "remove"])
def test_a_change_asks_for_the_password_again(deed: str) -> None:
    ada = make_staff()
    client = log_in(ada, proved=True)
    factor = find_factor(ada)
    for said in ({}, {"password": "wrong"}):
        answer = client.post(f"{HOME}{deed}/", said)
        assert answer.status_code == 200
    assert "This is not your password." in read(answer)
    assert find_factor(ada) == factor
    assert find_unfinished(ada) is None
    assert AuditEntry.objects.filter(action__startswith="re").count() == 0


def test_wrong_passwords_there_lock_like_those_of_the_login(settings: Any) -> None:
    settings.AXES_FAILURE_LIMIT = 3
    client = log_in(make_staff())
    states = [
        client.post(f"{HOME}begin/", {"password": "wrong"}).status_code
        for _ in range(4)
    ]
    assert states == [200, 200, 429, 429]


@pytest.mark.parametrize("name", ["ada", "nobody"])
def test_too_many_wrong_passwords_lock_a_name_that_exists_or_not(
    name: str, client: Client, settings: Any
) -> None:
    settings.AXES_FAILURE_LIMIT = 3
    make_staff("ada")
    said = [
        client.post("/admin/login/", {"username": name, "password": f"wrong {n}"})
        for n in range(3)
    ]
    right = client.post("/admin/login/", {"username": name, "password": PASSWORD})
    assert [answer.status_code for answer in (*said, right)] == [200, 200, 429, 429]
    assert "Please enter the correct username and password" in read(said[0])
    assert "Too many wrong passwords came for this name" in read(right)
    assert not is_logged_in(client)
    assert name not in read(right)


def test_new_codes_are_shown_once_and_the_factor_can_be_removed() -> None:
    ada = make_staff()
    client = log_in(ada, proved=True)
    page = read(client.post(f"{HOME}codes/", {"password": PASSWORD}))
    assert len(CODE.findall(page)) == 10
    assert "10 left" in read(client.get(HOME))
    answer = client.post(f"{HOME}remove/", {"password": PASSWORD}, follow=True)
    assert "Your second factor is removed." in read(answer)
    assert "Not set up yet" in read(answer)
    assert not has_factor(ada)


def test_codes_without_a_factor_and_a_set_up_not_begun_lead_home() -> None:
    ada = make_staff()
    client = log_in(ada)
    for path in ("codes/", "set-up/"):
        answer = client.post(f"{HOME}{path}", {"password": PASSWORD, "code": "1"})
        assert (answer.status_code, answer["Location"]) == (302, HOME)
    assert count_recovery_codes(ada) == 0


def test_a_wrong_code_at_set_up_is_explained_and_the_secret_stays() -> None:
    ada = make_staff()
    client = log_in(ada)
    device = begin_setup(ada)
    page = read(client.post(f"{HOME}set-up/", {"code": "0"}))
    assert "check that the clock of your phone" in page
    assert find_unfinished(ada) == device


def test_an_administrator_resets_somebody_elses() -> None:
    ada, root = make_staff("ada"), make_staff("root", is_superuser=True)
    make_factor(ada)
    client = log_in(root)
    said = {"action": "reset_second_factor", "_selected_action": [ada.pk]}
    page = read(client.post("/admin/auth/user/", said, follow=True))
    assert "1 second factors reset." in page
    assert not has_factor(ada)
    entry = AuditEntry.objects.get(action="reset second factor")
    assert (entry.actor, entry.object_name) == (root, "ada")


def test_the_secrets_of_others_have_no_page() -> None:
    client = log_in(make_staff("root", is_superuser=True))
    for path in ("otp_totp/totpdevice/", "otp_static/staticdevice/"):
        assert client.get(f"/admin/{path}").status_code == 404


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_both_steps_of_a_login_work_without_scripts(
    live_server: Any, chromium_path: str
) -> None:
    _, codes = make_factor(make_staff())
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium_path, args=flags)
        page = browser.new_context(java_script_enabled=False).new_page()
        page.goto(f"{live_server.url}/admin/password_change/")
        page.fill("#id_username", "ada")
        page.fill("#id_password", PASSWORD)
        page.click("#login-form button")
        page.fill("#id_code", codes[0])
        page.click("#login-form button")
        where = page.url
        browser.close()
    assert where == f"{live_server.url}/admin/password_change/"
