"""Port `facts`, source `reachable`: whom a message could reach, or why it could not.

    {"type": "reachable", "channel": "push", "topic": "promotions"}
    {"type": "reachable", "channel": "email", "reachable": false,
     "reason": ["no_address", "suppressed"]}

The topic is a key of the default brand's center; without one it is a message that
people need, which asks for no opt-in. Judged by the statement that counts reach before
a launch, so both find the same people. Caps, quiet hours and exits are judged when a
message is sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from crm.facts.attributes import LIVE
from crm.facts.naming import quote
from crm.facts.reading import Reader
from crm.models.device import TOKEN_LIFE_DAYS
from crm.ports.facts import (
    DEVICE_CHANGED,
    Condition,
    Evidence,
    Input,
    Mentions,
    RuleError,
    Scope,
    Selection,
    Sql,
    Term,
)
from notifications.decisioning.reach import ADDRESSES, Subject, select_obstacles
from notifications.reasons import name_reason
from preferences.consent import CONSENT_CHANGED
from preferences.suppressions import SUPPRESSION_CHANGED

CHANNELS = {
    "push": "push",
    "email": "e-mail",
    "sms": "SMS",
    "whatsapp": "WhatsApp",
}
# What of a profile holds the address; push goes to devices.
ADDRESS_TRAITS = {"email": "email", "sms": "phone", "whatsapp": "phone"}
# Reason → the words after "because they".
REASONS = {
    "no_address": "have no address",
    "dead_address": "have only addresses that are dead",
    "permission_denied": "turned notifications off",
    "suppressed": "are suppressed",
    "no_consent": "did not agree",
}
NEEDED = "with what they need to know"
TOKEN_LIFE = timedelta(days=TOKEN_LIFE_DAYS)


@dataclass(frozen=True, slots=True)
class Reachable:
    """A message could reach them; or it could not, for one of `reasons` or any."""

    channel: str
    topic: str = ""
    reachable: bool = True
    reasons: tuple[str, ...] = ()

    def describe(self) -> str:
        by = CHANNELS[self.channel]
        what = f"about {quote(self.topic)}" if self.topic else NEEDED
        if self.reachable:
            return f"can be reached by {by} {what}"
        because = " or ".join(REASONS[one] for one in self.reasons)
        return f"cannot be reached by {by} {what}" + (
            f" because they {because}" if because else ""
        )

    def _obstacles(self, scope: Scope) -> Sql:
        limit = scope.limit("c.id")
        people = Sql(
            f"SELECT c.id AS contact_id FROM crm_contact c WHERE {LIVE}{limit.text}",
            limit.params,
        )
        subject = Subject(self.channel, topic_key=self.topic)
        return select_obstacles(people, subject=subject, at=scope.at)

    def select(self, scope: Scope) -> Selection:
        found = self._obstacles(scope)
        test = Sql("o.reason = ''") if self.reachable else Sql("o.reason <> ''")
        if self.reasons:
            test = Sql("o.reason = ANY(%s::text[])", (list(self.reasons),))
        return Selection(
            Sql(
                f"SELECT o.contact_id FROM ({found.text}) o WHERE {test.text}",
                (*found.params, *test.params),
            )
        )

    def wake(self, scope: Scope) -> Sql | None:
        """When the next address of a phone is too old to be used."""
        if self.channel in ADDRESSES:
            return None
        limit = scope.limit("d.contact_id")
        return Sql(
            "SELECT d.contact_id, min(d.last_seen_at) + %s AS wake_at "
            "FROM crm_device d WHERE d.state = 'active' AND d.last_seen_at > %s"
            f"{limit.text} GROUP BY d.contact_id",
            (TOKEN_LIFE, scope.at - TOKEN_LIFE, *limit.params),
        )

    def mentions(self) -> Mentions:
        return Mentions(
            events=frozenset({CONSENT_CHANGED, SUPPRESSION_CHANGED}),
            traits=frozenset({ADDRESS_TRAITS.get(self.channel, DEVICE_CHANGED)}),
        )

    def evidence(self, scope: Scope) -> Evidence:
        found = self._obstacles(scope)
        return Evidence(
            Sql(f"SELECT o.reason FROM ({found.text}) o", found.params), word_obstacle
        )


def word_obstacle(row: Sequence[Any] | None) -> str:
    if not row:
        return "not a contact any more"
    return f"not reachable: {name_reason(row[0])}" if row[0] else "reachable"


class ReachableSource:
    """Reach as rules ask for it; whether a message goes is decided at the gate."""

    def terms(self) -> Sequence[Term]:
        because = tuple((key, name_reason(key)) for key in REASONS)
        return [
            Term(
                "reachable",
                "Reachable",
                "Whether a message could reach them, and why not",
                {"type": "reachable", "channel": "push", "reachable": True},
                (
                    Input("channel", "By", "choice", tuple(CHANNELS.items())),
                    Input("topic", "Topic key", "text", suggest="topics"),
                    Input("reachable", "Can be reached", "check", is_on=True),
                    Input("reason", "or not, because", "choices", because),
                ),
            )
        ]

    def parse(self, node: Mapping[str, Any], path: str) -> Condition:
        reader = Reader(node, path)
        reader.allow("type", "channel", "topic", "reachable", "reason")
        channel = reader.choice("channel", CHANNELS)
        topic = reader.name("topic") if node.get("topic") else ""
        reachable = reader.flag("reachable") if reader.has("reachable") else True
        reasons = tuple(read_reason(*one) for one in reader.items("reason"))
        if reasons and reachable:
            words = "says why not; it needs reachable false"
            raise RuleError(reader.at("reason"), "choice", words)
        return Reachable(channel, topic, reachable, reasons)


def read_reason(value: Any, path: str) -> str:
    if not isinstance(value, str) or value not in REASONS:
        raise RuleError(path, "choice", f"must be one of {', '.join(REASONS)}")
    return value
