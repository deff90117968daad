"""Fixes of data in the admin: from the defect to the deed and back."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone

from crm.models import DataFix, EventName, PropertyKind
from tests.factories import make_contact, make_event
from tests.staff import log_in, make_staff

pytestmark = pytest.mark.django_db
PAGE = "/admin/crm/datafix/"
RENAME = {"kind": "rename", "name": "viewed_page", "target": "Viewed Page"}


def test_a_defect_leads_to_its_fix(admin_client: Client) -> None:
    for name in ("Viewed Page", "viewed_page"):
        EventName.objects.create(name=name)
    for kind in ("number", "text"):
        PropertyKind.objects.create(name="Viewed", property="pri ce", kind=kind)

    names = admin_client.get("/admin/crm/eventday/?part=names").content.decode()
    link = f"{PAGE}add/?kind=rename&amp;name=viewed_page&amp;target=Viewed%20Page"
    assert link in names
    form = admin_client.get(link.replace("&amp;", "&")).content.decode()
    assert 'value="viewed_page"' in form
    assert 'value="Viewed Page"' in form
    properties = admin_client.get("/admin/crm/eventday/?part=properties")
    said = "?kind=coerce&amp;name=Viewed&amp;key=pri%20ce&amp;target=number"
    assert said in properties.content.decode()


def test_a_fix_goes_from_draft_to_applied_to_undone() -> None:
    mia = log_in(make_staff("mia", "Marketer"))
    make_event(make_contact(), "viewed_page", occurred_at=timezone.now())
    answer = mia.post(f"{PAGE}add/", RENAME)
    fix = DataFix.objects.get()
    own = f"{PAGE}{fix.pk}/"
    assert answer["Location"] == f"{own}change/"
    page = mia.get(f"{own}change/").content.decode()
    assert "What it would do" in page
    assert "Apply from now on" in page

    for deed, state in (("apply", "applied"), ("undo", "undone"), ("undo", "undone")):
        assert mia.post(f"{own}{deed}/").status_code == 302
        fix.refresh_from_db()
        assert fix.state == state
        assert state.capitalize() in mia.get(f"{own}change/").content.decode()
    assert fix.made_by is not None
    assert fix.made_by.username == "mia"


def test_a_fault_names_its_field(admin_client: Client) -> None:
    answer = admin_client.post(f"{PAGE}add/", {**RENAME, "target": ""})

    assert answer.status_code == 200
    assert b"Say another name." in answer.content
    assert not DataFix.objects.exists()


def test_support_sees_fixes_and_makes_none() -> None:
    fix = DataFix.objects.create(kind="block", name="Spam")
    sue = log_in(make_staff("sue", "Support"))

    page = sue.get(f"{PAGE}{fix.pk}/change/")
    assert (page.status_code, b"Apply from" in page.content) == (200, False)
    assert sue.get(f"{PAGE}add/").status_code == 403
    assert sue.post(f"{PAGE}{fix.pk}/apply/").status_code == 403
    fix.refresh_from_db()
    assert fix.state == "draft"


@pytest.mark.parametrize("query", ["", "?q=x", "?kind__exact=block", "?o=1", "?x=1"])
def test_the_list_answers(query: str, admin_client: Client) -> None:
    DataFix.objects.create(kind="block", name="Spam")

    assert admin_client.get(PAGE + query).status_code in (200, 302)
    assert admin_client.get(f"{PAGE}999999/change/").status_code == 302
    assert admin_client.post(f"{PAGE}999999/apply/").status_code == 404
