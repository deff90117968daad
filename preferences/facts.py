"""Port `facts`, source `consent`: what people said about messages.

    {"type": "consent", "state": "subscribed", "topic": "promotions",
     "channel": "push"}

It asks for the word at exactly that level of the default brand's center: without
topic and channel the master switch, without one of them the whole other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crm.facts.grammar import QUOTED, either, line, maybe, mean, merge, one_of, turn
from crm.facts.naming import quote
from crm.facts.reading import Reader
from crm.facts.spoken import give, make
from crm.ports.facts import (
    Condition,
    Evidence,
    Input,
    Mentions,
    Scope,
    Selection,
    Sql,
    Term,
)
from preferences.consent import CONSENT_CHANGED
from preferences.models import Topic

CHANNELS = {
    "push": "push",
    "email": "e-mail",
    "sms": "SMS",
    "in_app": "in-app",
    "whatsapp": "WhatsApp",
}
STATES = {
    "subscribed": "said yes to",
    "unsubscribed": "said no to",
    "pending": "have yet to confirm",
    "unsaid": "have said nothing about",
}
# A word at one level of the center that speaks by default.
ROWS = """FROM preferences_subscription s
LEFT JOIN preferences_topic t ON t.id = s.topic_id
WHERE s.channel = %s AND coalesce(t.key, '') = %s AND s.center_id = (
  SELECT c.id FROM preferences_preferencecenter c JOIN crm_brand b ON b.id = c.brand_id
  ORDER BY b.is_default DESC, c.id LIMIT 1)"""


@dataclass(frozen=True, slots=True)
class SaidAbout:
    """One state at one level; `unsaid` holds where there is no word."""

    state: str
    topic: str = ""
    channel: str = ""

    def describe(self) -> str:
        what = f"the topic {quote(self.topic)}" if self.topic else "messages"
        by = f" by {CHANNELS[self.channel]}" if self.channel else ""
        return f"{STATES[self.state]} {what}{by}"

    def select(self, scope: Scope) -> Selection:
        limit = scope.limit("s.contact_id")
        params: tuple[Any, ...] = (self.channel, self.topic)
        test = ""
        if self.state != "unsaid":
            test, params = " AND s.state = %s", (*params, self.state)
        sql = Sql(
            f"SELECT s.contact_id {ROWS}{test}{limit.text}", (*params, *limit.params)
        )
        return Selection(sql, negated=self.state == "unsaid")

    def wake(self, scope: Scope) -> Sql | None:
        return None

    def mentions(self) -> Mentions:
        return Mentions(events=frozenset({CONSENT_CHANGED}))

    def evidence(self, scope: Scope) -> Evidence:
        limit = scope.limit("s.contact_id")
        return Evidence(
            Sql(
                "SELECT s.state, to_char(s.changed_at AT TIME ZONE 'UTC', "
                f"'YYYY-MM-DD') {ROWS}{limit.text}",
                (self.channel, self.topic, *limit.params),
            ),
            lambda row: f"{row[0]} since {row[1]}" if row else "nothing said",
        )


SPOKEN = (
    make(
        "consent",
        give("state", one_of({said: state for state, said in STATES.items()})),
        " ",
        either(
            mean("messages", {}),
            turn(line("the topic ", give("topic", QUOTED)), merge),
        ),
        maybe(turn(line(" by ", give("channel", one_of(
            {said: channel for channel, said in CHANNELS.items()}
        ))), merge)),
    ),
)  # fmt: skip


class ConsentSource:
    """Consent as rules ask for it; whether a message may go is `permission`'s."""

    def terms(self) -> Sequence[Term]:
        return [
            Term(
                "consent",
                "Consent",
                "What they said about a topic, a channel or everything",
                {"type": "consent", "state": "subscribed"},
                (
                    Input("state", "They", "choice", tuple(STATES.items())),
                    Input("topic", "Topic key", "text", suggest="topics"),
                    Input(
                        "channel",
                        "Channel",
                        "choice",
                        (("", "all"), *CHANNELS.items()),
                    ),
                ),
            )
        ]

    def parse(self, node: Mapping[str, Any], path: str) -> Condition:
        reader = Reader(node, path)
        reader.allow("type", "state", "topic", "channel")
        channel = reader.choice("channel", CHANNELS) if node.get("channel") else ""
        topic = reader.name("topic") if node.get("topic") else ""
        return SaidAbout(reader.choice("state", STATES), topic, channel)


def read_topic_names() -> dict[str, str]:
    """What a sentence may call a topic, and its key."""
    return dict(Topic.objects.values_list("name", "key"))
