"""What waits for the second factor: rights × setting × proof, at the real doors."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpResponse
from django.test import Client, RequestFactory

from crm.models import ApiKey
from crm.second_factor.door import may_use, recognise_person
from notifications.models import Campaign, Delivery, Sender, Switch
from notifications.roles import ROLES, SEND_RIGHTS
from tests.factories import make_api_key, make_campaign, make_contact, make_sender
from tests.staff import log_in, make_factor, make_staff

pytestmark = pytest.mark.django_db
FREE_RIGHTS = (
    "notifications.add_switch",
    "notifications.change_campaign",
    "notifications.view_sender",
    "crm.view_contact",
    "crm.change_apikey",
)
# Who, what they ask for, what they send.
DOORS = [
    ("root", "/admin/notifications/campaign/{campaign}/launch/", {}),
    ("root", "/admin/notifications/campaign/{campaign}/cancel/", {}),
    ("Marketer", "/admin/notifications/campaign/{campaign}/launch/", {}),
    ("Marketer", "/admin/notifications/campaign/{campaign}/test/", {"contact": "1"}),
    ("Approver", "/admin/notifications/switch/resume/", {"scope": "all"}),
    ("Approver", "/admin/notifications/campaign/{campaign}/launch/", {}),
    ("root", "/admin/notifications/sender/add/", {"name": "x"}),
    ("root", "/admin/notifications/sender/{sender}/resume/", {}),
    ("root", "/admin/notifications/sender/{sender}/change/", {"name": "x"}),
    ("Administrator", "/admin/crm/apikey/add/", {"name": "x", "scopes": ["send"]}),
    ("Administrator", "/admin/auth/user/add/", {"username": "x"}),
    ("root", "/admin/auth/user/{person}/password/", {}),
]


def make_person(role: str) -> User:
    if role == "root":
        return make_staff("root", is_superuser=True)
    return make_staff(role.lower(), role)


def say_code(answer: HttpResponse) -> str:
    return str(answer.json()["code"])


@pytest.mark.parametrize("is_superuser", [False, True])
@pytest.mark.parametrize(
    ("setting", "proved", "right", "expected"),
    [
        *(("required", False, right, False) for right in sorted(SEND_RIGHTS)),
        *(("required", True, right, True) for right in sorted(SEND_RIGHTS)),
        *(("off", False, right, True) for right in sorted(SEND_RIGHTS)),
        *(("required", False, right, True) for right in FREE_RIGHTS),
    ],
)
def test_a_right_that_sends_waits_where_it_is_required(
    setting: str,
    proved: bool,
    right: str,
    expected: bool,
    is_superuser: bool,
    settings: Any,
) -> None:
    settings.SECOND_FACTOR = setting
    person = make_staff("ada", "Administrator", is_superuser=is_superuser)
    person.is_verified = lambda: proved  # type: ignore[attr-defined]
    person = recognise_person(RequestFactory().get("/"), person)
    assert person.has_perm(right) is expected
    assert person.withheld == (set() if expected else {right})


def test_a_right_that_somebody_has_not_is_not_called_withheld(settings: Any) -> None:
    settings.SECOND_FACTOR = "required"
    person = make_staff("ada", "Sales")
    person.is_verified = lambda: False  # type: ignore[attr-defined]
    person = recognise_person(RequestFactory().get("/"), person)
    assert not may_use(person, "notifications.launch_campaign")
    assert person.withheld == set()


def test_who_owes_a_code_is_nobody() -> None:
    person = make_staff()
    make_factor(person)
    person.is_verified = lambda: False  # type: ignore[attr-defined]
    request = RequestFactory().get("/")
    assert isinstance(recognise_person(request, person), AnonymousUser)
    assert request.half_signed_in == person  # type: ignore[attr-defined]


@pytest.mark.parametrize(("role", "path", "said"), DOORS)
@pytest.mark.parametrize(
    ("setting", "proved", "opens"),
    [("required", False, False), ("required", True, True), ("off", False, True)],
)
def test_the_door_answers_with_the_way_to_the_set_up(
    role: str,
    path: str,
    said: dict[str, Any],
    setting: str,
    proved: bool,
    opens: bool,
    settings: Any,
) -> None:
    settings.SECOND_FACTOR = setting
    person = make_person(role)
    sender, campaign = make_sender(), make_campaign()
    Switch.objects.create(scope="all")
    client = log_in(person, proved=proved)
    rows = {"campaign": campaign.pk, "sender": sender.pk, "person": person.pk}
    answer = client.post(path.format(**rows), said)
    if opens:
        assert answer.status_code in (200, 302)
        return
    assert answer.status_code == 403
    assert "once you have set up a second factor" in answer.content.decode()
    assert 'href="/admin/second-factor/"' in answer.content.decode()
    before = campaign.state
    campaign.refresh_from_db()
    assert campaign.state == before
    assert Switch.objects.filter(scope="all").exists()
    assert not Delivery.objects.exists()
    assert not ApiKey.objects.exists()
    assert not User.objects.filter(username="x").exists()
    assert not Sender.objects.filter(name="x").exists()


def test_stopping_never_waits(settings: Any) -> None:
    settings.SECOND_FACTOR = "required"
    client = log_in(make_staff("sue", "Support"))
    client.post("/admin/notifications/switch/stop/", {"scope": "all"})
    assert Switch.objects.filter(scope="all").exists()


def test_who_lacks_a_right_for_good_gets_the_plain_refusal(settings: Any) -> None:
    settings.SECOND_FACTOR = "required"
    client = log_in(make_staff("sam", "Sales"))
    path = f"/admin/notifications/campaign/{make_campaign().pk}/launch/"
    answer = client.post(path)
    assert answer.status_code == 403
    assert "second factor" not in answer.content.decode()


@pytest.mark.parametrize(
    ("setting", "role", "expected"),
    [
        ("required", "Marketer", True),
        ("required", "Approver", True),
        ("required", "Sales", False),
        ("off", "Marketer", False),
    ],
)
def test_pages_ask_for_it_where_rights_wait(
    setting: str, role: str, expected: bool, settings: Any
) -> None:
    settings.SECOND_FACTOR = setting
    for path in ("/admin/", "/admin/notifications/campaign/"):
        page = log_in(make_staff(path, role)).get(path).content.decode()
        assert ("One step is missing" in page) is expected


def test_the_preview_says_why_no_test_can_be_sent(settings: Any) -> None:
    settings.SECOND_FACTOR = "required"
    make_contact()
    path = f"/admin/notifications/campaign/{make_campaign().pk}/preview/"
    person = make_staff("mara", "Marketer")
    page = log_in(person).get(path).content.decode()
    assert "to send tests" in page
    assert "Send a test to" not in page
    page = log_in(person, proved=True).get(path).content.decode()
    assert "Send a test to" in page


@pytest.mark.parametrize("deed", ["launch", "pause", "resume", "cancel"])
def test_the_api_says_so_to_a_session_and_asks_no_key(deed: str, settings: Any) -> None:
    settings.SECOND_FACTOR = "required"
    campaign = make_campaign()
    path = f"/api/campaigns/{campaign.pk}/{deed}/"
    person = make_staff("mara", "Marketer")
    answer = log_in(person).post(path, {}, content_type="application/json")
    assert (answer.status_code, say_code(answer)) == (403, "second_factor_required")
    assert "/admin/second-factor/" in answer.json()["message"]
    assert Campaign.objects.get().state == campaign.state
    proved = log_in(person, proved=True)
    answer = proved.post(path, {}, content_type="application/json")
    assert answer.status_code != 403
    header = {"authorization": f"Bearer {make_api_key('send')}"}
    answer = Client().post(path, {}, content_type="application/json", headers=header)
    assert answer.status_code != 403


def test_every_role_that_may_launch_may_not_do_it_by_password_alone() -> None:
    senders = {name for name, codes in ROLES.items() if codes & SEND_RIGHTS}
    assert senders == {"Marketer", "Approver"}
