"""Sources `message`, `not_message` and `ignored`: what people did with our messages.

    {"type": "message", "outcome": "opened", "campaign": "Spring sale",
     "channel": "push", "count": {"op": "at_least", "n": 2},
     "within": {"amount": 30, "unit": "days"}}
    {"type": "not_message", "outcome": "sent",
     "between": {"from": "2026-03-01", "to": "2026-04-01"}}
    {"type": "ignored", "last": 3, "after": {"amount": 1, "unit": "days"}}

A message counts once for each outcome, at the first time it came to it. What nobody
knows to be sent is not sent; test sends count for nothing. `campaign` is a name, or
the id, which stays where a campaign is renamed.

`message` counts, and without `count` means at least once; `not_message` means not
once, and within a window holds only for people known for all of it, as
`not_performed` does. `ignored` holds where the last so many messages are unopened. A
message that is unopened for less than `after` (a day where it is not said) may still
be opened, and is passed over; one that was opened ends the row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crm.facts.events import DAYS, NEWCOMERS, TIMES, UNITS, WITHIN, read_times
from crm.facts.happenings import read_limits
from crm.facts.reading import NUMBER_MAX, Reader
from crm.ports.facts import Condition, Input, RuleError, Term
from notifications.analytics.ignored import DAY, Ignored
from notifications.analytics.reached import (
    CHANNELS,
    VERBS,
    MessageCount,
    Messages,
    NoMessage,
    Reached,
)
from notifications.models import Campaign

# More messages than anybody gets who does not read them.
LAST_MAX = 100
# Editors offer, and sentences know, so many campaigns.
NAMES_MAX = 500
SAID = tuple((key, said) for key, (said, _) in VERBS.items())
DENIED = tuple((key, denied) for key, (_, denied) in VERBS.items())
OF = (
    Input("campaign", "of the campaign", "value", suggest="campaigns"),
    Input("channel", "by", "choice", (("", "any channel"), *CHANNELS.items())),
)
PATIENCE = (
    Input("after.amount", "Unopened for", "number"),
    Input("after.unit", "Unit", "choice", UNITS),
)


class MessageSource:
    """What people did with messages, registered by the app that sends them."""

    def terms(self) -> Sequence[Term]:
        return [
            Term(
                "message",
                "Message sent, opened or clicked",
                "So many messages, of a campaign or any, within a window or ever",
                {"type": "message", "outcome": "opened"}
                | {"count": {"op": "at_least", "n": 1}, "within": DAYS},
                (Input("outcome", "They", "choice", SAID), *OF, *TIMES, *WITHIN),
            ),
            Term(
                "not_message",
                "No message sent, opened or clicked",
                "Not one within a window",
                {"type": "not_message", "outcome": "opened", "within": DAYS},
                (Input("outcome", "They", "choice", DENIED), *OF, *WITHIN, NEWCOMERS),
            ),
            Term(
                "ignored",
                "Messages ignored in a row",
                "The last so many messages were not opened",
                {"type": "ignored", "last": 3, "after": {"amount": 1, "unit": "days"}},
                (Input("last", "Last messages", "number"), *OF, *PATIENCE, *WITHIN[:2]),
            ),
        ]

    def parse(self, node: Mapping[str, Any], path: str) -> Condition:
        reader = Reader(node, path)
        if node["type"] == "ignored":
            return read_ignored(reader)
        if node["type"] == "not_message":
            reader.allow(*KEYS, "include_newcomers")
            return NoMessage(read_reached(reader), reader.flag("include_newcomers"))
        reader.allow(*KEYS, "count")
        return MessageCount(read_reached(reader), *read_times(reader))


KEYS = ("type", "outcome", "campaign", "channel", "within", "between")


def read_reached(reader: Reader) -> Reached:
    outcome, messages = reader.choice("outcome", VERBS), read_messages(reader)
    return Reached(outcome, messages, *read_limits(reader))


def read_ignored(reader: Reader) -> Ignored:
    reader.allow("type", "last", "campaign", "channel", "after", "within")
    patience = reader.window("after") if reader.has("after") else DAY
    window = reader.window("within") if reader.has("within") else None
    if window and window.span <= patience.span:
        raise RuleError(reader.at("within"), "range", f"must be longer than {patience}")
    last = reader.whole("last", least=1, most=LAST_MAX)
    return Ignored(last, read_messages(reader), patience, window)


def read_messages(reader: Reader) -> Messages:
    campaign = reader.node.get("campaign")
    if isinstance(campaign, str) and campaign:
        campaign = reader.name("campaign")
    elif isinstance(campaign, int) and not isinstance(campaign, bool):
        campaign = reader.whole("campaign", least=1, most=NUMBER_MAX)
    elif campaign is None or campaign == "":
        campaign = ""
    else:
        raise RuleError(reader.at("campaign"), "type", "must be a name or an id")
    channel = reader.choice("channel", CHANNELS) if reader.node.get("channel") else ""
    return Messages(campaign, channel)


def read_campaign_names() -> dict[str, str]:
    """What a sentence may call a campaign, and what rules call it; newest first."""
    names = Campaign.objects.order_by("-pk").values_list("name", flat=True)
    return {name: name for name in names[:NAMES_MAX]}
