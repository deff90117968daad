"""What a contact did, as conditions: so many times, a sum, or not at all.

Full-base selects read `(name, occurred_at, contact_id) INCLUDE (value)` alone
unless a filter needs the properties.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from crm.facts.attributes import LIVE
from crm.facts.comparisons import Comparison, compare_json, read_json_number
from crm.facts.window import Window
from crm.ports.facts import Evidence, Mentions, Scope, Selection, Sql

COUNTS = {"at_least": "at least", "at_most": "at most", "exactly": "exactly"}
SUMS = {"at_least": ">=", "more_than": ">", "at_most": "<=", "less_than": "<"}
# The property that ingest copies into the column of the covering index.
VALUE = "value"


@dataclass(frozen=True, slots=True)
class Happening:
    """Events of one name, within a window or ever, whose properties pass."""

    name: str
    window: Window | None = None
    where: tuple[tuple[str, Comparison], ...] = ()

    def rows(self, scope: Scope) -> Sql:
        """FROM and WHERE of these events; the alias is e."""
        limit, tests = scope.limit("e.contact_id"), self._filters(scope)
        since = () if self.window is None else (self.window.start(scope.at),)
        return Sql(
            "FROM crm_event e WHERE e.name = %s AND e.occurred_at <= %s"
            f"{' AND e.occurred_at > %s' if since else ''}{tests.text}{limit.text}",
            (self.name, scope.at, *since, *tests.params, *limit.params),
        )

    def _filters(self, scope: Scope) -> Sql:
        tests = [
            compare_json("e.properties", name, comparison, scope.at)
            for name, comparison in self.where
        ]
        return Sql(
            "".join(f" AND {test.text}" for test in tests),
            tuple(param for test in tests for param in test.params),
        )

    def arrivals(self, scope: Scope) -> Sql:
        """When the first event dated after `scope.at` begins to count.

        An event stamped by a web server whose clock runs ahead of the database
        would otherwise be missed for ever.
        """
        limit = scope.limit("e.contact_id")
        return Sql(
            "SELECT e.contact_id, min(e.occurred_at) AS wake_at FROM crm_event e "
            f"WHERE e.name = %s AND e.occurred_at > %s{limit.text} "
            "GROUP BY e.contact_id",
            (self.name, scope.at, *limit.params),
        )

    def describe(self) -> str:
        parts = [f"“{self.name}”"]
        parts += [f"{name} {test.describe()}" for name, test in self.where]
        words = parts[0] + (f" where {' and '.join(parts[1:])}" if self.where else "")
        return words + (f" in the last {self.window}" if self.window else " ever")

    def evidence(self, scope: Scope) -> Evidence:
        rows = self.rows(scope)
        return Evidence(
            Sql(f"SELECT count(*), max(e.occurred_at) {rows.text}", rows.params),
            self._word_evidence,
        )

    def _word_evidence(self, row: Sequence[Any] | None) -> str:
        if not row or not row[0]:
            return f"never did {self.describe()}"
        times = "once" if row[0] == 1 else f"{row[0]:,} times"
        return f"{times}, last on {row[1]:%Y-%m-%d %H:%M:%S} UTC"


@dataclass(frozen=True, slots=True)
class Performed:
    """So many times; at most and exactly count zero too."""

    happening: Happening
    op: str = "at_least"
    n: int = 1

    def describe(self) -> str:
        if self.op == "exactly" and self.n == 0:
            return f"did not perform {self.happening.describe()}"
        times = "once" if self.n == 1 else f"{self.n:,} times"
        return f"performed {self.happening.describe()} {COUNTS[self.op]} {times}"

    def select(self, scope: Scope) -> Selection:
        if self.op == "at_most":
            return Selection(self._select(scope, ">=", self.n + 1), negated=True)
        if self.op == "exactly" and self.n == 0:
            return Selection(self._select(scope, ">=", 1), negated=True)
        return Selection(
            self._select(scope, "=" if self.op == "exactly" else ">=", self.n)
        )

    def _select(self, scope: Scope, sign: str, n: int) -> Sql:
        rows = self.happening.rows(scope)
        having = "" if (sign, n) == (">=", 1) else f" HAVING count(*) {sign} %s"
        return Sql(
            f"SELECT e.contact_id {rows.text} GROUP BY e.contact_id{having}",
            (*rows.params, n) if having else rows.params,
        )

    def wake(self, scope: Scope) -> Sql | None:
        return wake_at_rank(self.happening, scope, self._rank())

    def _rank(self) -> Sql:
        """Which event, from the newest, changes the answer when it leaves."""
        if self.op == "at_least":
            return Sql("%s", (self.n,))
        if self.op == "at_most" or self.n == 0:
            return Sql("%s", (self.n + 1,))
        return Sql(
            "CASE WHEN count(*) = %s THEN %s ELSE %s END", (self.n, self.n, self.n + 1)
        )

    def mentions(self) -> Mentions:
        return Mentions(events=frozenset({self.happening.name}))

    def evidence(self, scope: Scope) -> Evidence:
        return self.happening.evidence(scope)


@dataclass(frozen=True, slots=True)
class Summed:
    """The sum of a numeric property over those who performed the event."""

    happening: Happening
    prop: str
    op: str
    n: int | float

    def describe(self) -> str:
        word = self.op.replace("_", " ")
        return (
            f"have a total {self.prop} of {word} {self.n:,} "
            f"from {self.happening.describe()}"
        )

    def _sum(self) -> Sql:
        if self.prop == VALUE:
            return Sql("coalesce(sum(e.value), 0)")
        number = read_json_number("e.properties")
        return Sql(f"coalesce(sum({number}), 0)", (self.prop, self.prop))

    def select(self, scope: Scope) -> Selection:
        rows, total = self.happening.rows(scope), self._sum()
        return Selection(
            Sql(
                f"SELECT e.contact_id {rows.text} GROUP BY e.contact_id "
                f"HAVING {total.text} {SUMS[self.op]} %s",
                (*rows.params, *total.params, self.n),
            )
        )

    def wake(self, scope: Scope) -> Sql | None:
        # Any event that leaves may move the sum, so wake at the oldest.
        return wake_at_rank(self.happening, scope, Sql("count(*)"))

    def mentions(self) -> Mentions:
        return Mentions(events=frozenset({self.happening.name}))

    def evidence(self, scope: Scope) -> Evidence:
        rows, total = self.happening.rows(scope), self._sum()
        return Evidence(
            Sql(
                f"SELECT {total.text}, count(*) {rows.text}",
                (*total.params, *rows.params),
            ),
            lambda row: (
                f"total {self.prop} is {row[0]:,f}".rstrip("0").rstrip(".")
                if row and row[1]
                else f"never did {self.happening.describe()}"
            ),
        )


@dataclass(frozen=True, slots=True)
class NotPerformed:
    """Absent for a whole window; see the newcomer rule above."""

    happening: Happening
    include_newcomers: bool = False

    @property
    def spares_newcomers(self) -> bool:
        return self.happening.window is not None and not self.include_newcomers

    def describe(self) -> str:
        words = f"did not perform {self.happening.describe()}"
        if self.happening.window is None:
            return words
        if self.include_newcomers:
            return f"{words} (newer people included)"
        return f"{words} (known for at least {self.happening.window})"

    def select(self, scope: Scope) -> Selection:
        done = Performed(self.happening)._select(scope, ">=", 1)
        if not self.spares_newcomers or self.happening.window is None:
            return Selection(done, negated=True)
        limit = scope.limit("c.id")
        return Selection(
            Sql(
                f"SELECT c.id AS contact_id FROM crm_contact c WHERE {LIVE} "
                f"AND c.known_since <= %s{limit.text} EXCEPT {done.text}",
                (self.happening.window.start(scope.at), *limit.params, *done.params),
            )
        )

    def wake(self, scope: Scope) -> Sql | None:
        returns = wake_at_rank(self.happening, scope, Sql("1"))
        if not self.spares_newcomers or self.happening.window is None:
            return returns
        limit, window = scope.limit("c.id"), self.happening.window
        return Sql(
            f"{returns.text} UNION ALL SELECT c.id, c.known_since + %s "
            f"FROM crm_contact c WHERE {LIVE} AND c.known_since > %s{limit.text}",
            (*returns.params, window.span, window.start(scope.at), *limit.params),
        )

    def mentions(self) -> Mentions:
        return Mentions(events=frozenset({self.happening.name}))

    def evidence(self, scope: Scope) -> Evidence:
        rows, limit = self.happening.rows(scope), scope.limit("c.id")
        return Evidence(
            Sql(
                f"SELECT n, newest, c.known_since FROM crm_contact c, (SELECT "
                f"count(*) AS n, max(e.occurred_at) AS newest {rows.text}) s "
                f"WHERE TRUE{limit.text}",
                (*rows.params, *limit.params),
            ),
            self._word_evidence,
        )

    def _word_evidence(self, row: Sequence[Any] | None) -> str:
        words = self.happening._word_evidence(row)
        if row and not row[0] and self.spares_newcomers:
            return f"{words}; known since {row[2]:%Y-%m-%d %H:%M:%S} UTC"
        return words


def wake_at_rank(happening: Happening, scope: Scope, rank: Sql) -> Sql:
    """When the event of this rank, counted from the newest, leaves the window."""
    arrivals = happening.arrivals(scope)
    if happening.window is None:
        return arrivals
    rows = happening.rows(scope)
    newest = "max(e.occurred_at)"
    moment = Sql(
        f"(array_agg(e.occurred_at ORDER BY e.occurred_at DESC))[{rank.text}]",
        rank.params,
    )
    if rank in (Sql("1"), Sql("%s", (1,))):
        moment = Sql(newest)
    return Sql(
        f"SELECT s.contact_id, s.moment + %s AS wake_at FROM (SELECT e.contact_id, "
        f"{moment.text} AS moment {rows.text} GROUP BY e.contact_id) s "
        f"WHERE s.moment IS NOT NULL UNION ALL {arrivals.text}",
        (happening.window.span, *moment.params, *rows.params, *arrivals.params),
    )
