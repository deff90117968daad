"""What a contact did, as conditions: so many times, a sum, or not at all.

Full-base selects read `(name, occurred_at, contact_id) INCLUDE (value)` alone
unless a filter needs the properties.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crm.facts.about import compare_event, list_allowed, show_property
from crm.facts.attributes import LIVE
from crm.facts.comparisons import PLAIN, Comparison, read_comparison
from crm.facts.naming import quote
from crm.facts.reading import Reader, check_moment
from crm.facts.window import Span, Window, show_moment
from crm.ports.facts import Evidence, Mentions, RuleError, Scope, Selection, Sql

# The rank, counted from the newest, of the event that leaves a window first.
OLDEST = Sql("count(*)")
FILTERS_MAX = 20
COUNTS = {"at_least": "at least", "at_most": "at most", "exactly": "exactly"}


@dataclass(frozen=True, slots=True)
class Happening:
    """Events of one name or several, in a window or ever, whose properties pass."""

    name: str
    window: Window | None = None
    where: tuple[tuple[str, Comparison], ...] = ()
    # Further names that count alike.
    others: tuple[str, ...] = ()
    span: Span = Span()

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name, *self.others)

    def rows(self, scope: Scope) -> Sql:
        """FROM and WHERE of these events; the alias is e."""
        test = self.test(scope)
        return Sql(f"FROM crm_event e WHERE {test.text}", test.params)

    def test(self, scope: Scope) -> Sql:
        """What makes an event, under the alias e, one of these."""
        limit, tests = scope.limit("e.contact_id"), self._filters(scope)
        named = self._named()
        bounds = {
            " AND e.occurred_at > %s": self.window and self.window.start(scope.at),
            " AND e.occurred_at >= %s": self.span.since,
            " AND e.occurred_at < %s": self.span.until,
        }
        bounds = {text: bound for text, bound in bounds.items() if bound}
        return Sql(
            f"{named.text} AND e.occurred_at <= %s"
            f"{''.join(bounds)}{tests.text}{limit.text}",
            (
                *(*named.params, scope.at, *bounds.values()),
                *(*tests.params, *limit.params),
            ),
        )

    def _named(self) -> Sql:
        if not self.others:
            return Sql("e.name = %s", (self.name,))
        return Sql("e.name = ANY(%s::text[])", (list(self.names),))

    def starts_at(self, at: datetime) -> datetime | None:
        """From when on somebody must be known to have had the whole window."""
        return self.window.start(at) if self.window else self.span.since

    def _filters(self, scope: Scope) -> Sql:
        tests = [
            compare_event(name, comparison, scope.at) for name, comparison in self.where
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
        limit, named = scope.limit("e.contact_id"), self._named()
        return Sql(
            "SELECT e.contact_id, min(e.occurred_at) AS wake_at FROM crm_event e "
            f"WHERE {named.text} AND e.occurred_at > %s{limit.text} "
            "GROUP BY e.contact_id",
            (*named.params, scope.at, *limit.params),
        )

    def describe_what(self) -> str:
        tests = " and ".join(
            f"{show_property(name)} {test.describe()}" for name, test in self.where
        )
        words = " or ".join(map(quote, self.names))
        return words + (f" where {tests}" if tests else "")

    def describe(self) -> str:
        when = f"in the last {self.window}" if self.window else str(self.span) or "ever"
        return f"{self.describe_what()} {when}"

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
        return Mentions(events=frozenset(self.happening.names))

    def evidence(self, scope: Scope) -> Evidence:
        return self.happening.evidence(scope)


@dataclass(frozen=True, slots=True)
class NotPerformed:
    """Absent for a whole window; see the newcomer rule above."""

    happening: Happening
    include_newcomers: bool = False

    @property
    def spares_newcomers(self) -> bool:
        begins = self.happening.window or self.happening.span.since
        return begins is not None and not self.include_newcomers

    def describe(self) -> str:
        words = f"did not perform {self.happening.describe()}"
        since = self.happening.span.since
        if not self.happening.window and not since:
            return words
        if self.include_newcomers:
            return f"{words} (newer people included)"
        if since:
            return f"{words} (known since {show_moment(since)} or earlier)"
        return f"{words} (known for at least {self.happening.window})"

    def select(self, scope: Scope) -> Selection:
        done = Performed(self.happening)._select(scope, ">=", 1)
        if not self.spares_newcomers:
            return Selection(done, negated=True)
        limit = scope.limit("c.id")
        return Selection(
            Sql(
                f"SELECT c.id AS contact_id FROM crm_contact c WHERE {LIVE} "
                f"AND c.known_since <= %s{limit.text} EXCEPT {done.text}",
                (self.happening.starts_at(scope.at), *limit.params, *done.params),
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
        return Mentions(events=frozenset(self.happening.names))

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
    if rank == OLDEST:
        moment = Sql("min(e.occurred_at)")
    return Sql(
        f"SELECT s.contact_id, s.moment + %s AS wake_at FROM (SELECT e.contact_id, "
        f"{moment.text} AS moment {rows.text} GROUP BY e.contact_id) s "
        f"WHERE s.moment IS NOT NULL UNION ALL {arrivals.text}",
        (happening.window.span, *moment.params, *rows.params, *arrivals.params),
    )


def read_happening(reader: Reader) -> Happening:
    if reader.has("within") and reader.has("between"):
        raise RuleError(reader.path, "choice", "has within or between, not both")
    return Happening(
        reader.name("name"),
        reader.window("within") if reader.has("within") else None,
        read_filters(reader, "where"),
        span=read_span(reader, "between") if reader.has("between") else Span(),
    )


def read_span(reader: Reader, key: str) -> Span:
    """A fixed window: `from` and `to`, at least one of them."""
    inner = Reader.over(reader.need(key), reader.at(key))
    inner.allow("from", "to")
    since, until = (
        check_moment(inner.need(end), inner.at(end)) if inner.has(end) else None
        for end in ("from", "to")
    )
    if since is None and until is None:
        raise RuleError(inner.path, "required", "needs from or to")
    if since and until and since >= until:
        raise RuleError(inner.path, "range", "must end after it begins")
    return Span(since, until)


def read_filters(reader: Reader, key: str) -> tuple[tuple[str, Comparison], ...]:
    filters = reader.items(key)
    if len(filters) > FILTERS_MAX:
        raise RuleError(
            reader.at(key), "too_long", f"has more than {FILTERS_MAX} filters"
        )
    return tuple(read_filter(*one) for one in filters)


def read_filter(node: Any, path: str) -> tuple[str, Comparison]:
    reader = Reader.over(node, path)
    reader.allow("property", "op", "value")
    name = reader.name("property")
    return name, read_comparison(reader, list_allowed(name, PLAIN))
