"""Make and publish preference centers, and keep every wording they showed."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import Max

from crm.models import Brand
from crm.models.audit import record_audit
from preferences.models import CenterWording, PreferenceCenter, Topic
from preferences.models.center import TEXT_FIELDS

# The topics of a new center: key, name, explanation, default, transactional.
DEFAULT_TOPICS = (
    (
        "order-updates",
        "Order Updates",
        "Confirmation, shipping and delivery of what you bought.",
        Topic.Default.OPT_OUT,
        True,
    ),
    (
        "promotions",
        "Promotions & Deals",
        "Sales, discounts and offers made for you.",
        Topic.Default.OPT_IN,
        False,
    ),
    (
        "recommendations",
        "Personalized Recommendations",
        "Items picked from what you looked at and bought.",
        Topic.Default.OPT_IN,
        False,
    ),
    (
        "new-content",
        "New Content Alerts",
        "New articles, videos and arrivals.",
        Topic.Default.OPT_IN,
        False,
    ),
    (
        "back-in-stock",
        "Back-in-Stock Notifications",
        "A note when something you wanted is available again.",
        Topic.Default.OPT_IN,
        False,
    ),
)


@transaction.atomic
def ensure_default_center(brand: Brand) -> PreferenceCenter:
    """The brand's center; made with the five topics where there is none."""
    center, is_new = PreferenceCenter.objects.get_or_create(brand=brand)
    if is_new:
        for number, (key, name, text, default, is_service) in enumerate(
            DEFAULT_TOPICS, start=1
        ):
            Topic.objects.create(
                center=center,
                key=key,
                number=number,
                position=number,
                name=name,
                description=text,
                default=default,
                is_transactional=is_service,
            )
        publish_wording(center, actor="rule")
    return center


@transaction.atomic
def publish_wording(center: PreferenceCenter, *, actor: Any) -> int:
    """Keep what the page says now; a new version only where a text changed."""
    # Two editors must not both make the next version.
    PreferenceCenter.objects.select_for_update().get(pk=center.pk)
    texts = snapshot_texts(center)
    latest = center.wordings.first()
    if latest is not None and latest.texts == texts:
        return latest.version
    version = latest.version + 1 if latest else 1
    CenterWording.objects.create(center=center, version=version, texts=texts)
    center.wording_version = version
    center.save(update_fields=["wording_version", "updated_at"])
    record_audit(
        actor=actor, action="worded", on=center, changes={"wording_version": version}
    )
    return version


def snapshot_texts(center: PreferenceCenter) -> dict[str, Any]:
    """Everything a person reads before choosing."""
    return {
        **{name: getattr(center, name) for name in TEXT_FIELDS},
        "translations": center.translations,
        "privacy_policy_url": center.privacy_policy_url,
        "privacy_policy_version": center.privacy_policy_version,
        "channels": center.channels,
        "topics": [
            {
                "id": topic.public_id,
                "name": topic.name,
                "description": topic.description,
                "default": topic.default,
                "is_transactional": topic.is_transactional,
            }
            for topic in center.topics.shown()
        ],
    }


def next_topic_number(center: PreferenceCenter) -> int:
    """Numbers are never used twice: topics stay for ever."""
    return (center.topics.aggregate(last=Max("number"))["last"] or 0) + 1
