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


def test_undoing_needs_the_right(merge: Merge) -> None:
    client = log_in("view_merge", "view_contact", "change_contact")
    page = client.get(f"/admin/crm/merge/{merge.pk}/change/").content.decode()
    assert "Your role may not undo merges." in page
    assert client.post(f"/admin/crm/merge/{merge.pk}/undo/").status_code == 403
    assert client.get(f"/admin/crm/merge/{merge.pk}/undo/").status_code == 405
    merge.refresh_from_db()
    assert merge.undone_at is None
