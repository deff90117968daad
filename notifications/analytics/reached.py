"""Messages that came to an outcome, as conditions: so many, or none at all.

Read with what the contact index leads to; the whole base is one pass over what was
sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from crm.facts.attributes import LIVE
from crm.facts.happenings import (
    COUNTS,
    describe_newcomers,
    has_beginning,
    select_absent,
    select_count,
    wake_at_absence,
    wake_at_count,
)
from crm.facts.naming import quote
from crm.facts.window import Span, Window
from crm.ports.facts import Evidence, Mentions, Scope, Selection, Sql
from notifications.delivery.outcomes import NAMES

# What stands before "a message", said and denied.
VERBS = {
    "sent": ("were sent", "were not sent"),
    "delivered": ("received", "did not receive"),
    "opened": ("opened", "did not open"),
    "clicked": ("clicked", "did not click"),
    "dismissed": ("dismissed", "did not dismiss"),
    "converted": ("reached the goal of", "did not reach the goal of"),
}
CHANNELS = {
    "push": "push",
    "email": "e-mail",
    "sms": "SMS",
    "whatsapp": "WhatsApp",
    "in_app": "in-app",
    "webhook": "webhook",
}


@dataclass(frozen=True, slots=True)
class Messages:
    """Messages of one campaign or any, by one channel or any."""

    campaign: str | int = ""
    channel: str = ""

    def describe(self) -> str:
        words = f" by {CHANNELS[self.channel]}" if self.channel else ""
        if self.campaign == "":
            return words
        named = self.campaign
        named = f"no. {named}" if isinstance(named, int) else quote(named)
        return f"{words} of the campaign {named}"

    def rows(self, scope: Scope, columns: str) -> Sql:
        """A select of sent messages of people who are still there; the alias is d."""
        limit, text = scope.limit("d.contact_id"), ""
        params: list[Any] = []
        if isinstance(self.campaign, int):
            text += " AND d.campaign_id = %s"
            params.append(self.campaign)
        elif self.campaign:
            text += (
                " AND d.campaign_id = (SELECT n.id FROM notifications_campaign n "
                "WHERE n.name = %s)"
            )
            params.append(self.campaign)
        if self.channel:
            text += " AND d.channel = %s"
            params.append(self.channel)
        return Sql(
            f"SELECT d.contact_id, {columns} FROM notifications_delivery d "
            f"JOIN crm_contact c ON c.id = d.contact_id AND {LIVE} "
            "WHERE d.sent_at IS NOT NULL AND d.source_kind <> 'test'"
            f"{text}{limit.text}",
            (*params, *limit.params),
        )


@dataclass(frozen=True, slots=True)
class Reached:
    """Messages that came to an outcome, in a window or ever."""

    outcome: str
    messages: Messages = Messages()
    window: Window | None = None
    span: Span = Span()

    def rows(self, scope: Scope) -> Sql:
        dated = self._dated(scope)
        bounds = {
            " AND e.occurred_at > %s": self.window and self.window.start(scope.at),
            " AND e.occurred_at >= %s": self.span.since,
            " AND e.occurred_at < %s": self.span.until,
        }
        bounds = {text: bound for text, bound in bounds.items() if bound}
        return Sql(
            f"FROM ({dated.text}) e WHERE e.occurred_at <= %s{''.join(bounds)}",
            (*dated.params, scope.at, *bounds.values()),
        )

    def arrivals(self, scope: Scope) -> Sql:
        """When the first begins to count whose device's clock is ahead of ours."""
        dated = self._dated(scope)
        return Sql(
            "SELECT e.contact_id, min(e.occurred_at) AS wake_at "
            f"FROM ({dated.text}) e WHERE e.occurred_at > %s GROUP BY e.contact_id",
            (*dated.params, scope.at),
        )

    def _dated(self, scope: Scope) -> Sql:
        # The outcome is one of OUTCOMES, so it may stand in the text.
        return self.messages.rows(
            scope, f"d.{self.outcome}_at AS occurred_at, d.campaign_id"
        )

    def describe(self) -> str:
        when = f"in the last {self.window}" if self.window else str(self.span) or "ever"
        return f"{self.messages.describe()} {when}"

    def mentions(self) -> Mentions:
        return Mentions(events=frozenset({NAMES[self.outcome]}))

    def evidence(self, scope: Scope) -> Evidence:
        rows = self.rows(scope)
        return Evidence(
            Sql(
                "SELECT count(*), max(e.occurred_at), (array_agg(coalesce(n.name, '') "
                "ORDER BY e.occurred_at DESC))[1] FROM (SELECT e.occurred_at, "
                f"e.campaign_id {rows.text}) e "
                "LEFT JOIN notifications_campaign n ON n.id = e.campaign_id",
                rows.params,
            ),
            self._word_evidence,
        )

    def _word_evidence(self, row: Sequence[Any] | None) -> str:
        if not row or not row[0]:
            return f"no message {self.outcome}"
        many = "1 message" if row[0] == 1 else f"{row[0]:,} messages"
        named = f" (“{row[2]}”)" if row[2] else ""
        return (
            f"{many} {self.outcome}, the last on {row[1]:%Y-%m-%d %H:%M:%S} UTC{named}"
        )


@dataclass(frozen=True, slots=True)
class MessageCount:
    """So many messages; at most and exactly count zero too."""

    reached: Reached
    op: str = "at_least"
    n: int = 1

    def describe(self) -> str:
        said, denied = VERBS[self.reached.outcome]
        if self.op == "exactly" and self.n == 0:
            return f"{denied} any message{self.reached.describe()}"
        many = "message" if self.n == 1 else "messages"
        if (self.op, self.n) == ("at_least", 1):
            return f"{said} a message{self.reached.describe()}"
        return f"{said} {COUNTS[self.op]} {self.n:,} {many}{self.reached.describe()}"

    def select(self, scope: Scope) -> Selection:
        return select_count(self.reached, scope, self.op, self.n)

    def wake(self, scope: Scope) -> Sql | None:
        return wake_at_count(self.reached, scope, self.op, self.n)

    def mentions(self) -> Mentions:
        return self.reached.mentions()

    def evidence(self, scope: Scope) -> Evidence:
        return self.reached.evidence(scope)


@dataclass(frozen=True, slots=True)
class NoMessage:
    """Not one for a whole window, by people known for as long."""

    reached: Reached
    include_newcomers: bool = False

    @property
    def spares_newcomers(self) -> bool:
        return not self.include_newcomers and has_beginning(self.reached)

    def describe(self) -> str:
        words = f"{VERBS[self.reached.outcome][1]} any message"
        newcomers = describe_newcomers(self.reached, self.include_newcomers)
        return f"{words}{self.reached.describe()}{newcomers}"

    def select(self, scope: Scope) -> Selection:
        return select_absent(
            self.reached, scope, spares_newcomers=self.spares_newcomers
        )

    def wake(self, scope: Scope) -> Sql | None:
        return wake_at_absence(
            self.reached, scope, spares_newcomers=self.spares_newcomers
        )

    def mentions(self) -> Mentions:
        return self.reached.mentions()

    def evidence(self, scope: Scope) -> Evidence:
        return self.reached.evidence(scope)
