"""The sidebar in the product's words: what a person may not see is not there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

# Title, then (words, icon, "<app>_<model>" or a named page).
SECTIONS = (
    (
        "Engage",
        (
            ("Campaigns", "campaign", "notifications_campaign"),
            ("Segments", "groups", "segments_segment"),
            ("Lifecycle", "cycle", "segments_lifecycle"),
            ("Templates", "draft", "notifications_template"),
            ("Messages", "notifications", "notifications_delivery"),
        ),
    ),
    (
        "People",
        (
            ("Contacts", "person", "crm_contact"),
            ("Events", "bolt", "crm_event"),
            ("Orders", "receipt_long", "crm_order"),
            ("Subscriptions", "autorenew", "crm_subscription"),
            ("Devices", "smartphone", "crm_device"),
            ("Imports", "upload_file", "crm_importjob"),
            ("Exports", "download", "crm_exportlink"),
            ("Merges", "merge", "crm_merge"),
            ("Computed traits", "function", "crm_computedtrait"),
            ("Erased people", "person_off", "crm_tombstone"),
            ("Data quality", "fact_check", "crm_eventday"),
            ("Tracking plan", "checklist", "crm_plannedevent"),
            ("Data fixes", "build", "crm_datafix"),
        ),
    ),
    (
        "Catalogs",
        (
            ("Items", "sell", "crm_catalogitem"),
            ("Catalogs", "shelves", "crm_catalog"),
            ("Feeds", "rss_feed", "crm_feed"),
        ),
    ),
    (
        "Consent",
        (
            ("Preference centers", "tune", "preferences_preferencecenter"),
            ("Suppressions", "do_not_disturb_on", "preferences_suppression"),
            ("Consent record", "verified_user", "preferences_consentrecord"),
        ),
    ),
    (
        "Guard rails",
        (
            ("Stop sending", "emergency_home", "notifications_switch"),
            ("Frequency caps", "speed", "notifications_frequencycap"),
            ("Quiet hours", "bedtime", "notifications_quiethours"),
            ("Alerts", "warning", "notifications_alert"),
            ("Stuck events", "report", "crm_pendingevent"),
        ),
    ),
    (
        "Set up",
        (
            ("Senders", "send", "notifications_sender"),
            ("Brands", "storefront", "crm_brand"),
            ("API keys", "key", "crm_apikey"),
            ("Staff", "badge", "auth_user"),
            ("Roles", "shield_person", "auth_group"),
            ("Audit trail", "history", "crm_auditentry"),
            ("Ticks", "schedule", "django_celery_beat_periodictask"),
        ),
    ),
)


def build_navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """unfold calls it for each page; links of things not registered are left out."""
    first: list[dict[str, Any]] = [
        {"title": "Overview", "icon": "home", "link": reverse("admin:index")}
    ]
    if settings.SANDBOX:
        first.append(
            {
                "title": "Phone screen",
                "icon": "phone_iphone",
                "link": reverse("sandbox:phone"),
            }
        )
    groups = [{"title": "", "separator": False, "items": first}]
    for title, items in SECTIONS:
        found = [_build_item(request, *item) for item in items]
        seen = [item for item in found if item is not None]
        if seen:
            groups.append({"title": title, "separator": True, "items": seen})
    return groups


def _build_item(
    request: HttpRequest, title: str, icon: str, model: str
) -> dict[str, Any] | None:
    app, _, name = model.rpartition("_")
    if not request.user.has_perm(f"{app}.view_{name}"):
        return None
    link = reverse(f"admin:{model}_changelist")
    return {"title": title, "icon": icon, "link": link, "active": _is_under(link)}


def _is_under(link: str) -> Callable[[HttpRequest], bool]:
    return lambda request: request.path.startswith(link)
