"""Port `effects`: opt-outs, choices and stops that arrive as events or traits.

Runs inside the ingest transaction, so that the word is before or after a gate.
A late one yields to what the person said since.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils import timezone

from crm.models import Contact
from crm.ports.effects import SUPPRESSED, UNSUPPRESSED, Effect
from preferences.consent import Choice, Evidence, Statement, record_statements
from preferences.models import PreferenceCenter, Suppression, Topic
from preferences.shapes import ShapeError, read_json_choices
from preferences.suppressions import lift_suppression, suppress_contact

UNSUBSCRIBED = "unsubscribed"
CHOICES = "cio_subscription_preferences"


class ConsentEffects:
    """`unsubscribed` true ends everything, false lifts that and nothing else."""

    event_names = frozenset({UNSUBSCRIBED, "Unsubscribed", CHOICES})
    trait_names = frozenset({UNSUBSCRIBED, CHOICES})
    is_consent = True

    def apply(self, effects: Sequence[Effect]) -> None:
        center = PreferenceCenter.objects.default()
        if center is None:
            return
        topics = list(center.topics.all())
        now = timezone.now()
        statements = []
        for effect in effects:
            changes = read_effect_choices(effect, topics)
            if changes:
                source = f"event:{effect.source}"
                at = min(effect.occurred_at, now)
                evidence = Evidence(at, "rule", source, center.wording_version)
                statements.append(
                    Statement(effect.contact_id, changes, evidence, is_dated=True)
                )
        record_statements(statements, center=center)


class SuppressionEffects:
    """`User Suppressed` stops every channel; `User Unsuppressed` lifts that stop,
    and leaves those of bounces, complaints and staff."""

    event_names = frozenset({SUPPRESSED, UNSUPPRESSED})
    trait_names: frozenset[str] = frozenset()
    is_consent = True

    def apply(self, effects: Sequence[Effect]) -> None:
        people = Contact.objects.in_bulk({effect.contact_id for effect in effects})
        for effect in effects:
            apply_stop(people[effect.contact_id], effect)


def apply_stop(contact: Contact, effect: Effect) -> None:
    now, actor = timezone.now(), f"event:{effect.source}"
    if effect.name == SUPPRESSED:
        suppress_contact(
            contact,
            channel="",
            reason=Suppression.Reason.REQUESTED,
            at=now,
            actor=actor,
        )
        return
    requested = Suppression.objects.live().of_contacts([contact.pk])
    for row in requested.filter(reason=Suppression.Reason.REQUESTED):
        lift_suppression(row, at=now, actor=actor)


def read_effect_choices(effect: Effect, topics: Sequence[Topic]) -> list[Choice]:
    """What this item says about consent; a word we cannot read says nothing."""
    choices: list[Choice] = []
    said = {**effect.properties} if effect.name in ConsentEffects.event_names else {}
    said |= {k: v for k, v in effect.traits.items() if v is not None}
    flag = read_flag(said.get(UNSUBSCRIBED))
    if flag is None and effect.name.lower() == UNSUBSCRIBED and CHOICES not in said:
        flag = True
    if flag is not None:
        choices.append(Choice(subscribed=not flag))
    for part in split_words(said.get(CHOICES)):
        try:
            choices += read_json_choices(part, topics)
        except ShapeError:
            # A topic or channel of another system: the rest still counts.
            continue
    return choices


def read_flag(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(str(value).lower())


def split_words(value: Any) -> list[dict[str, Any]]:
    """{topics: {a: true}, channels: {b: false}} → one small object per word."""
    if not isinstance(value, Mapping):
        return []
    return [
        {part: {key: word}}
        for part in ("topics", "channels")
        if isinstance(value.get(part), Mapping)
        for key, word in value[part].items()
    ]
