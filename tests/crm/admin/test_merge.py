"""Staff see merges, make them and undo them; each needs its right and a reason
where it is refused."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client

from crm.events.merge import merge_contacts
from crm.models import AuditEntry, Contact, Merge
from tests.factories import make_contact, make_device, make_event

pytestmark = pytest.mark.django_db


@pytest.fixture
def pair() -> tuple[Contact, Contact]:
    gone, stayed = make_contact("ada-old"), make_contact("ada")
    make_device(gone)
    make_event(gone)
    return gone, stayed


@pytest.fixture
def merge(pair: tuple[Contact, Contact]) -> Merge:
    gone, stayed = pair
    merge_contacts(
        source_id=gone.pk, target_id=stayed.pk, actor="rule", reason="same phone"
    )
    return Merge.objects.get()


def log_in(*rights: str, role: str = "") -> Client:
    user = User.objects.create_user("clerk", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    if role:
        user.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    return client


def test_the_list_and_the_page_tell_who_when_and_why(
    merge: Merge, admin_client: Client
) -> None:
    listed = admin_client.get("/admin/crm/merge/", {"q": "ada"}).content.decode()
    page = admin_client.get(f"/admin/crm/merge/{merge.pk}/change/").content.decode()
    assert "→ ada" in listed
    for text in (str(merge.source.uuid), "same phone", "a call of the app", "Undo"):
        assert text in page
    assert "→ ada" not in admin_client.get("/admin/crm/merge/?q=bob").content.decode()


def test_staff_undo_a_merge_with_their_reason(merge: Merge) -> None:
    client = log_in(role="Support")
    answer = client.post(f"/admin/crm/merge/{merge.pk}/undo/", {"reason": "two Adas"})
    assert answer["Location"] == f"/admin/crm/contact/{merge.source_id}/change/"
    merge.refresh_from_db()
    assert merge.undone_by == "clerk"
    entry = AuditEntry.objects.get(action="unmerged")
    assert (entry.actor_name, entry.reason) == ("clerk", "two Adas")
    page = client.get(f"/admin/crm/merge/{merge.pk}/change/").content.decode()
    assert "Undo this merge" not in page


def test_a_refused_undo_says_why(merge: Merge, admin_client: Client) -> None:
    merge_contacts(
        source_id=merge.target_id, target_id=make_contact("eve").pk, actor="rule"
    )
    address = f"/admin/crm/merge/{merge.pk}/undo/"
    answer = admin_client.post(address, follow=True).content.decode()
    assert "was merged on since: undo that merge first." in answer
    merge.refresh_from_db()
    assert merge.undone_at is None


def test_staff_choose_look_and_confirm(pair: tuple[Contact, Contact]) -> None:
    gone, stayed = pair
    client = log_in(role="Sales")
    page = f"/admin/crm/contact/{stayed.pk}/merge/"
    assert page in client.get(page.replace("merge", "change")).content.decode()
    found = client.get(page, {"q": "ada"})
    assert [one.pk for one in found.context["people"]] == [gone.pk]
    shown = client.get(page, {"q": "ada", "other": gone.pk})
    assert (shown.context["goes"], shown.context["stays"]) == (gone, stayed)
    moving = [("identifiers", 1), ("devices", 1), ("events", 1)]
    assert shown.context["moving"] == moving
    swapped = client.get(page, {"other": gone.pk, "swap": "1"}).context
    assert (swapped["goes"], swapped["stays"]) == (stayed, gone)
    said = {"goes": gone.pk, "stays": stayed.pk, "reason": "same phone"}
    answer = client.post(f"{page}now/", said, follow=True)
    made = Merge.objects.get()
    assert (made.source, made.target, made.made_by) == (gone, stayed, "clerk")
    assert made.reason == "same phone"
    content = answer.content.decode()
    assert "was merged into ada." in content
    assert "Merged into this contact" in content
    assert f"/admin/crm/merge/{made.pk}/change/" in content
    old = client.get(f"/admin/crm/contact/{gone.pk}/change/")
    assert old["Location"] == f"/admin/crm/contact/{stayed.pk}/change/"


@pytest.mark.parametrize(
    ("_case", "goes", "stays"),
    [
        ("nobody", "999999", "{stayed}"),
        ("no number", "x", "{stayed}"),
        ("too long", "9" * 30, "{stayed}"),
        ("another page's people", "{gone}", "{other}"),
        ("the same", "{stayed}", "{stayed}"),
        ("left out", "", ""),
    ],
)
def test_a_wrong_pair_is_refused_and_nothing_changes(
    _case: str,
    goes: str,
    stays: str,
    pair: tuple[Contact, Contact],
    admin_client: Client,
) -> None:
    gone, stayed = pair
    ids = {"gone": gone.pk, "stayed": stayed.pk, "other": make_contact().pk}
    said = {"goes": goes.format(**ids), "stays": stays.format(**ids)}
    page = f"/admin/crm/contact/{stayed.pk}/merge/"
    answer = admin_client.post(f"{page}now/", said)
    assert answer["Location"] == page
    assert not Merge.objects.exists()
    for query in ("?other=x", "?other=" + "9" * 40, f"?other={stayed.pk}", "?q=%00"):
        assert admin_client.get(page + query).status_code in (200, 400)


def test_merging_needs_the_right(pair: tuple[Contact, Contact]) -> None:
    gone, stayed = pair
    client = log_in("view_contact", "change_contact", "view_merge")
    page = f"/admin/crm/contact/{stayed.pk}/merge/"
    assert page not in client.get(page.replace("merge", "change")).content.decode()
    said = {"goes": gone.pk, "stays": stayed.pk}
    assert client.get(page).status_code == 403
    assert client.post(f"{page}now/", said).status_code == 403
    assert not Merge.objects.exists()


def test_undoing_needs_the_right(merge: Merge) -> None:
    client = log_in("view_merge", "view_contact", "change_contact")
    page = client.get(f"/admin/crm/merge/{merge.pk}/change/").content.decode()
    assert "Your role may not undo merges." in page
    assert client.post(f"/admin/crm/merge/{merge.pk}/undo/").status_code == 403
    assert client.get(f"/admin/crm/merge/{merge.pk}/undo/").status_code == 405
    merge.refresh_from_db()
    assert merge.undone_at is None
