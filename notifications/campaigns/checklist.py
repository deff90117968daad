"""The list before launch: what blocks it, what staff should look at, who it reaches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crm.clock import read_clock
from crm.models import Contact
from notifications.campaigns.audience import select_people
from notifications.campaigns.preview import (
    draft_delivery,
    find_sender,
    find_trigger_events,
    sample_audience,
)
from notifications.content.checks import Check, check_locales, check_push
from notifications.decisioning.reach import Reach, measure_reach
from notifications.delivery.messages import (
    build_contexts,
    build_link_rules,
    load_contents,
)
from notifications.models import Campaign, CampaignVersion, Sender, Switch

# Contacts that fallbacks, languages and renders are checked with.
SAMPLE = 200
RENDERED = 5


@dataclass(frozen=True, slots=True)
class Checklist:
    """`checks` carry the language they were found in, '' where it is of no matter."""

    checks: tuple[tuple[str, Check], ...]
    reach: Reach | None

    @property
    def errors(self) -> list[tuple[str, Check]]:
        return [item for item in self.checks if item[1].level == "error"]

    @property
    def warnings(self) -> list[tuple[str, Check]]:
        return [item for item in self.checks if item[1].level == "warning"]


def check_campaign(campaign: Campaign) -> Checklist:
    """Everything that can be known before the launch; a fixed number of queries."""
    version = campaign.current_version
    if version is None or version.template_version_id is None:
        missing = Check("error", "no_message", "Write the message first.", "title")
        return Checklist((("", missing),), None)
    at = read_clock()
    people, params = select_people(version)
    reach = measure_reach(version, people=people, params=params, at=at)
    sender = find_sender(version)
    found = [("", check) for check in _check_setting(version, sender, reach, at=at)]
    if sender is not None:
        found += _check_texts(campaign, version, sender=sender, at=at)
    return Checklist(tuple(found), reach)


def _check_texts(
    campaign: Campaign, version: CampaignVersion, *, sender: Sender, at: datetime
) -> list[tuple[str, Check]]:
    sample = sample_audience(version, limit=SAMPLE)
    contexts = _build_samples(version, sample[:RENDERED], sender=sender, at=at)
    contents = load_contents(version.template_version_id, version.channel)
    rules = build_link_rules(version, sender=sender, name=campaign.name)
    coverage = measure_coverage(sample)
    found = [
        (locale, check)
        for locale, content in contents.items()
        for check in check_push(
            content, coverage=coverage, samples=contexts, rules=rules
        )
    ]
    wanted = Counter(contact.locale for contact in sample if contact.locale)
    default = next(iter(contents), "en")
    found += [
        ("", check)
        for check in check_locales(list(contents), wanted=wanted, default=default)
    ]
    return found


def _build_samples(
    version: CampaignVersion, sample: list[Contact], *, sender: Sender, at: datetime
) -> list[dict[str, Any]]:
    """What these people's messages would see; without their event there is none."""
    events = find_trigger_events(version, sample)
    if version.kind == CampaignVersion.Kind.EVENT:
        sample = [contact for contact in sample if contact.pk in events]
    rows = [
        draft_delivery(
            version, contact, sender=sender, at=at, event=events.get(contact.pk)
        )
        for contact in sample
    ]
    return build_contexts(rows, sender=sender, at=at)


def measure_coverage(sample: list[Contact]) -> Mapping[str, float] | None:
    """The share of people that have each trait; None where nobody is there to ask."""
    if not sample:
        return None
    counts: Counter[str] = Counter()
    for contact in sample:
        told = {
            key
            for key, value in contact.known_traits.items()
            if value not in (None, "")
        }
        columns = {
            "email": contact.email,
            "phone": contact.phone,
            "locale": contact.locale,
            "timezone": contact.time_zone,
            "external_id": contact.external_id,
            "id": str(contact.uuid),
        }
        counts.update(told | {name for name, value in columns.items() if value})
    return {name: count / len(sample) for name, count in counts.items()}


def _check_setting(
    version: CampaignVersion, sender: Sender | None, reach: Reach, *, at: datetime
) -> list[Check]:
    found: list[Check] = []
    if sender is None:
        text = "There is no sender for push yet: add one under Senders."
        found.append(Check("error", "no_sender", text, "sender"))
    elif sender.paused_at:
        text = f"The sender {sender.name} is paused: {sender.paused_reason}"
        found.append(Check("warning", "sender_paused", text, "sender"))
    if version.offer_ends_at and version.offer_ends_at <= at:
        text = "The offer is over already."
        found.append(Check("error", "offer_over", text, "offer_ends_at"))
    if version.send_at and version.send_at < at and version.kind == "once":
        text = "The time to send has passed: it would leave at once."
        found.append(Check("warning", "send_at_past", text, "send_at"))
    if not version.goal_event:
        text = "No goal: nobody will know whether it worked."
        found.append(Check("warning", "no_goal", text, "goal_event"))
    waits = version.kind in ("event", "segment_entered")
    if not reach.audience and not waits:
        text = "The audience is empty: nobody would get it."
        found.append(Check("warning", "empty_audience", text, "segment"))
    stopped = Switch.objects.stopped_scopes()
    if stopped:
        text = f"A kill switch is off ({', '.join(stopped)}): messages would wait."
        found.append(Check("warning", "switch_off", text))
    return found
