"""Port `audiences`: campaigns that send to a segment, and whom they could reach."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.urls import reverse

from crm.ports.audiences import ChannelReach, Use
from crm.ports.facts import Sql
from notifications.decisioning.reach import measure_reach
from notifications.models import Campaign, CampaignVersion, Sender
from notifications.models.channel import Channel, PurposeClass

# What a message needs is known for these; the others have no address to look at.
CHANNELS = (Channel.PUSH, Channel.EMAIL, Channel.SMS)
# A message that people need: it asks for no opt-in, so it has no topic.
SERVICE = "service"
TOPIC: Any = CampaignVersion._meta.get_field("topic").related_model


class CampaignAudiences:
    def list_uses(self, segment_id: int) -> Sequence[Use]:
        return [
            Use(
                "campaign",
                campaign.name,
                campaign.get_state_display(),
                reverse("admin:notifications_campaign_report", args=[campaign.pk]),
                is_live=campaign.state != Campaign.State.DRAFT,
            )
            for campaign in _list_open(segment_id)
        ]

    def list_subjects(self) -> Sequence[tuple[str, str]]:
        topics = TOPIC.objects.shown().filter(is_transactional=False)
        shown = [(str(topic.pk), f"Promotional: {topic.name}") for topic in topics]
        return [*shown, (SERVICE, "A message that people need (no opt-in)")]

    def measure_reach(
        self, people: Sql, *, subject: str, at: datetime
    ) -> Sequence[ChannelReach]:
        topic_id = _find_topic(subject)
        senders = set(Sender.objects.values_list("channel", flat=True))
        return [
            _measure_channel(
                channel,
                people,
                topic_id=topic_id,
                note=""
                if channel in senders
                else "No sender for this channel: nothing leaves by it yet.",
                at=at,
            )
            for channel in CHANNELS
        ]


def _list_open(segment_id: int) -> list[Campaign]:
    """Campaigns whose definition names this segment, and that have not ended."""
    found = Campaign.objects.filter(current_version__segment_id=segment_id)
    return list(found.exclude(state__in=Campaign.FINAL).order_by("name"))


def _find_topic(subject: str) -> int | None:
    if subject == SERVICE:
        return None
    for topic in TOPIC.objects.shown():
        if str(topic.pk) == subject:
            return topic.pk
    raise LookupError(f"there is no topic {subject[:60]!r}")


def _measure_channel(
    channel: Channel, people: Sql, *, topic_id: int | None, note: str, at: datetime
) -> ChannelReach:
    promotional, service = PurposeClass.PROMOTIONAL, PurposeClass.TRANSACTIONAL
    version = CampaignVersion(
        topic_id=topic_id,
        channel=channel,
        purpose_class=service if topic_id is None else promotional,
    )
    reach = measure_reach(version, people=people.text, params=[*people.params], at=at)
    return ChannelReach(
        str(channel.label),
        people=reach.audience,
        reachable=reach.reachable,
        reasons=reach.in_words,
        is_cut=reach.is_cut,
        note=note,
    )
