"""Roles: laid by the migration on an empty database, and no wider than the table."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, Permission, User

from notifications.roles import ROLES, grant_roles

pytestmark = pytest.mark.django_db


def test_the_migrations_of_an_empty_database_leave_five_roles_with_rights() -> None:
    # The test's database was made by the migrations alone.
    counts = {group.name: group.permissions.count() for group in Group.objects.all()}
    assert set(counts) == set(ROLES)
    assert all(counts.values())
    assert counts["Administrator"] > max(
        count for name, count in counts.items() if name != "Administrator"
    )


@pytest.mark.parametrize(
    ("_case", "role", "right", "expected"),
    [
        ("writes", "Marketer", "notifications.change_campaign", True),
        ("launches", "Marketer", "notifications.launch_campaign", True),
        ("tests", "Marketer", "notifications.send_test", True),
        ("may stop", "Marketer", "notifications.add_switch", True),
        ("not resume", "Marketer", "notifications.delete_switch", False),
        ("no keys", "Marketer", "crm.add_apikey", False),
        ("no senders", "Marketer", "notifications.change_sender", False),
        ("reads", "Support", "notifications.view_delivery", True),
        ("no launch", "Support", "notifications.launch_campaign", False),
        ("suppresses", "Support", "preferences.add_suppression", True),
        ("imports", "Marketer", "crm.add_importjob", True),
        ("imports", "Sales", "crm.add_importjob", True),
        ("no imports", "Support", "crm.add_importjob", False),
        ("undoes merges", "Support", "crm.change_merge", True),
        ("no merges", "Marketer", "crm.change_merge", False),
        ("reads", "Sales", "crm.view_contact", True),
        ("no campaigns", "Sales", "notifications.change_campaign", False),
        ("launches", "Approver", "notifications.launch_campaign", True),
        ("no tests", "Approver", "notifications.send_test", False),
        ("not writes", "Approver", "notifications.change_campaign", False),
        ("resumes", "Approver", "notifications.delete_switch", True),
        ("all", "Administrator", "notifications.change_sender", True),
        ("staff", "Administrator", "auth.add_user", True),
    ],
)
def test_a_role_may_what_its_line_says(
    _case: str, role: str, right: str, expected: bool
) -> None:
    user = User.objects.create_user(f"{role} {_case}")
    user.groups.add(Group.objects.get(name=role))
    assert user.has_perm(right) is expected


def test_granting_again_takes_away_what_the_table_does_not_say() -> None:
    group = Group.objects.get(name="Sales")
    before = set(group.permissions.all())
    group.permissions.add(Permission.objects.get(codename="add_apikey"))
    grant_roles(Group.objects, Permission.objects)
    assert set(group.permissions.all()) == before


def test_every_code_of_the_table_names_a_permission() -> None:
    known = {
        f"{row.content_type.app_label}.{row.codename}"
        for row in Permission.objects.select_related("content_type")
    }
    said = {code for codes in ROLES.values() for code in codes}
    assert said - known == set()
