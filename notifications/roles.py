"""Roles: what each kind of staff may do, as groups; laid by a migration.

Data, so that the migration, the documentation and the tests read one table. Codes
are Django's: "<app>.<view|add|change|delete>_<model>".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

APPS: Final = (
    "auth",
    "django_celery_beat",
    "crm",
    "preferences",
    "segments",
    "notifications",
)


def _codes(app: str, models: str, verbs: str = "view") -> set[str]:
    return {
        f"{app}.{verb}_{model}" for model in models.split() for verb in verbs.split()
    }


SEE_PEOPLE = _codes(
    "crm",
    "contact device event eventname catalog catalogitem feed brand merge "
    "eventday datafix plannedevent computedtrait order subscription",
)
SEE_CONSENT = _codes(
    "preferences", "preferencecenter topic subscription consentrecord suppression"
)
SEE_MESSAGES = _codes(
    "notifications",
    "campaign campaignversion template templateversion delivery attempt alert "
    "sender frequencycap quiethours switch",
) | _codes("segments", "segment segmentversion membership membershipchange lifecycle")
# Stopping is safe, so whoever sees a wrong message may stop it.
STOP = {"notifications.add_switch"}
# What reaches customers, brings back what was stopped, or hands out the means to:
# where the second factor is required, these wait for it. A right to approve goes here.
SEND_RIGHTS: Final = frozenset(
    {
        "notifications.launch_campaign",
        "notifications.send_test",
        "notifications.delete_switch",
        "notifications.change_delivery",
        "crm.add_apikey",
    }
    | _codes("notifications", "sender", "add change delete")
    | _codes("auth", "user group", "add change delete")
)
SCHEDULES = _codes("django_celery_beat", "intervalschedule crontabschedule", "view add")

ROLES: Final[dict[str, set[str]]] = {
    "Marketer": SEE_PEOPLE
    | SEE_CONSENT
    | SEE_MESSAGES
    | STOP
    | SCHEDULES
    | _codes("segments", "segment", "add change delete")
    | _codes("segments", "lifecycle", "add change")
    | _codes("crm", "datafix", "add change")
    | _codes("crm", "plannedevent computedtrait", "add change delete")
    | _codes("notifications", "campaign template", "add change")
    | _codes("crm", "catalog catalogitem feed", "add change")
    | _codes("crm", "importjob", "view add")
    | _codes("notifications", "alert", "change")
    | {"notifications.launch_campaign", "notifications.send_test"},
    "Support": SEE_PEOPLE
    | SEE_CONSENT
    | SEE_MESSAGES
    | STOP
    | _codes("crm", "contact merge", "change")
    | _codes("preferences", "suppression", "add change"),
    "Sales": SEE_PEOPLE
    | SEE_MESSAGES
    | _codes("crm", "contact", "add change")
    | _codes("crm", "merge", "change")
    | _codes("crm", "catalogitem", "add change")
    | _codes("crm", "importjob", "view add"),
    "Approver": SEE_PEOPLE
    | SEE_CONSENT
    | SEE_MESSAGES
    | STOP
    | _codes("crm", "auditentry")
    | _codes("notifications", "alert delivery", "change")
    | _codes("notifications", "switch", "delete")
    | {"notifications.launch_campaign"},
    # Everything there is; `grant_roles` fills it in.
    "Administrator": set(),
}


def grant_roles(groups: Any, permissions: Any) -> None:
    """Give each role what the table says, and nothing else; safe to run again.

    Takes the managers of Group and Permission, so that a migration can pass its own.
    Codes of models that do not exist (yet) are passed over.
    """
    known = {
        f"{row.content_type.app_label}.{row.codename}": row
        for row in permissions.select_related("content_type")
    }
    for name, codes in ROLES.items():
        group, _ = groups.get_or_create(name=name)
        wanted: Iterable[str] = codes or (
            code for code in known if code.split(".")[0] in APPS
        )
        group.permissions.set([known[code] for code in wanted if code in known])
