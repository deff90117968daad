"""Messages left unopened, one after the other, as a condition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from crm.facts.window import Window
from crm.ports.facts import Evidence, Mentions, Scope, Selection, Sql
from notifications.analytics.reached import Messages
from notifications.delivery.outcomes import NAMES

DAY = Window(1, "days")


@dataclass(frozen=True, slots=True)
class Ignored:
    """The last so many messages stand unopened, each for at least `patience`."""

    last: int
    messages: Messages = Messages()
    patience: Window = DAY
    window: Window | None = None

    def describe(self) -> str:
        which = f"last {self.last:,} messages" if self.last > 1 else "last message"
        when = f", in the last {self.window}" if self.window else ""
        return (
            f"left their {which}{self.messages.describe()} unopened "
            f"for {self.patience} or longer{when}"
        )

    def _judged(self, scope: Scope) -> Sql:
        """A select of those that were opened or had their time."""
        rows = self.messages.rows(scope, "d.id, d.sent_at, d.opened_at")
        since = (
            Sql(" AND m.sent_at > %s", (self.window.start(scope.at),))
            if (self.window)
            else Sql("")
        )
        return Sql(
            "SELECT m.*, coalesce(m.opened_at <= %s, false) AS is_opened "
            f"FROM ({rows.text}) m WHERE m.sent_at <= %s{since.text} "
            "AND (m.sent_at <= %s OR m.opened_at <= %s)",
            (
                *(scope.at, *rows.params, scope.at, *since.params),
                *(self.patience.start(scope.at), scope.at),
            ),
        )

    def select(self, scope: Scope) -> Selection:
        judged = self._judged(scope)
        return Selection(
            Sql(
                "SELECT q.contact_id FROM (SELECT j.contact_id, j.is_opened, "
                "row_number() OVER (PARTITION BY j.contact_id "
                f"ORDER BY j.sent_at DESC, j.id DESC) AS n FROM ({judged.text}) j) q "
                "WHERE q.n <= %s GROUP BY q.contact_id "
                "HAVING count(*) = %s AND NOT bool_or(q.is_opened)",
                (*judged.params, self.last, self.last),
            )
        )

    def wake(self, scope: Scope) -> Sql | None:
        """When one has had its time, leaves the window, or begins to count."""
        rows = self.messages.rows(scope, "d.sent_at, d.opened_at")
        spans = [self.patience.span] + ([self.window.span] if self.window else [])
        ends = "".join(", (m.sent_at + %s)" for _ in spans)
        return Sql(
            "SELECT m.contact_id, min(v.moment) AS wake_at "
            f"FROM ({rows.text}) m CROSS JOIN LATERAL "
            f"(VALUES (m.sent_at), (m.opened_at){ends}) AS v (moment) "
            "WHERE v.moment > %s AND (m.sent_at > %s OR m.opened_at > %s) "
            "GROUP BY m.contact_id",
            (*rows.params, *spans, scope.at, scope.at - max(spans), scope.at),
        )

    def mentions(self) -> Mentions:
        return Mentions(events=frozenset({NAMES["sent"], NAMES["opened"]}))

    def evidence(self, scope: Scope) -> Evidence:
        judged = self._judged(scope)
        return Evidence(
            Sql(
                "SELECT count(*) FILTER (WHERE q.broken_at IS NULL OR q.sent_at > "
                "q.broken_at), max(q.opened_at) FROM (SELECT j.sent_at, j.opened_at, "
                "max(j.sent_at) FILTER (WHERE j.is_opened) OVER () AS broken_at "
                f"FROM ({judged.text}) j) q",
                judged.params,
            ),
            word_row,
        )


def word_row(row: Sequence[Any] | None) -> str:
    many = row[0] if row else 0
    words = f"{many:,} unopened in a row"
    if row and row[1]:
        return f"{words}, the last open on {row[1]:%Y-%m-%d %H:%M:%S} UTC"
    return f"{words}, none was opened"
