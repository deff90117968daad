"""What a contact did, as conditions: so many times, a sum, or not at all.

Full-base selects read `(name, occurred_at, contact_id) INCLUDE (value)` alone
unless a filter needs the properties.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from crm.facts.about import compare_event, list_allowed, show_property
from crm.facts.attributes import LIVE
from crm.facts.comparisons import PLAIN, Comparison, read_comparison
from crm.facts.items import list_catalog_mentions
from crm.facts.naming import quote
from crm.facts.reading import Reader, check_moment
from crm.facts.window import Span, Window, show_moment
from crm.ports.facts import Evidence, Mentions, RuleError, Scope, Selection, Sql

# The rank, counted from the newest, of the event that leaves a window first.
OLDEST = Sql("count(*)")
FILTERS_MAX = 20
COUNTS = {"at_least": "at least", "at_most": "at most", "exactly": "exactly"}


class Dated(Protocol):
    """What can be counted: moments of contacts, in a window or ever."""

    @property
    def window(self) -> Window | None: ...
    @property
    def span(self) -> Span: ...

    def rows(self, scope: Scope) -> Sql:
        """FROM and WHERE under the alias e, with `contact_id` and `occurred_at`."""

    def arrivals(self, scope: Scope) -> Sql:
        """`contact_id, wake_at` of what is dated after `scope.at`."""


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

    def mentions(self) -> Mentions:
        asked = [name for name, _ in self.where]
        return Mentions(frozenset(self.names), list_catalog_mentions(asked))

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
        return select_count(self.happening, scope, self.op, self.n)

    def wake(self, scope: Scope) -> Sql | None:
        return wake_at_count(self.happening, scope, self.op, self.n)

    def mentions(self) -> Mentions:
        return self.happening.mentions()

    def evidence(self, scope: Scope) -> Evidence:
        return self.happening.evidence(scope)


@dataclass(frozen=True, slots=True)
class NotPerformed:
    """Absent for a whole window; see the newcomer rule above."""

    happening: Happening
    include_newcomers: bool = False

    @property
    def spares_newcomers(self) -> bool:
        return not self.include_newcomers and has_beginning(self.happening)

    def describe(self) -> str:
        words = f"did not perform {self.happening.describe()}"
        return words + describe_newcomers(self.happening, self.include_newcomers)

    def select(self, scope: Scope) -> Selection:
        return select_absent(
            self.happening, scope, spares_newcomers=self.spares_newcomers
        )

    def wake(self, scope: Scope) -> Sql | None:
        return wake_at_absence(
            self.happening, scope, spares_newcomers=self.spares_newcomers
        )

    def mentions(self) -> Mentions:
        return self.happening.mentions()

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


def select_count(dated: Dated, scope: Scope, op: str, n: int) -> Selection:
    """Who has so many; at most and exactly count zero too."""
    if op == "at_most":
        return Selection(_select_many(dated, scope, ">=", n + 1), negated=True)
    if op == "exactly" and n == 0:
        return Selection(_select_many(dated, scope, ">=", 1), negated=True)
    return Selection(_select_many(dated, scope, "=" if op == "exactly" else ">=", n))


def _select_many(dated: Dated, scope: Scope, sign: str, n: int) -> Sql:
    rows = dated.rows(scope)
    having = "" if (sign, n) == (">=", 1) else f" HAVING count(*) {sign} %s"
    return Sql(
        f"SELECT e.contact_id {rows.text} GROUP BY e.contact_id{having}",
        (*rows.params, n) if having else rows.params,
    )


def wake_at_count(dated: Dated, scope: Scope, op: str, n: int) -> Sql:
    """When one leaves the window that changes the answer of `select_count`."""
    rank = Sql("%s", (n + 1,))
    if op == "at_least":
        rank = Sql("%s", (n,))
    elif op == "exactly" and n:
        rank = Sql("CASE WHEN count(*) = %s THEN %s ELSE %s END", (n, n, n + 1))
    return wake_at_rank(dated, scope, rank)


def has_beginning(dated: Dated) -> bool:
    """Whether there is a moment that newcomers came after."""
    return bool(dated.window or dated.span.since)


def describe_newcomers(dated: Dated, include: bool) -> str:
    """What absence says of people who are known for less than the window."""
    if not has_beginning(dated):
        return ""
    if include:
        return " (newer people included)"
    if dated.span.since:
        return f" (known since {show_moment(dated.span.since)} or earlier)"
    return f" (known for at least {dated.window})"


def select_absent(dated: Dated, scope: Scope, *, spares_newcomers: bool) -> Selection:
    """Who has none, and was known for all of the window."""
    done = _select_many(dated, scope, ">=", 1)
    if not spares_newcomers:
        return Selection(done, negated=True)
    limit = scope.limit("c.id")
    begins = dated.window.start(scope.at) if dated.window else dated.span.since
    return Selection(
        Sql(
            f"SELECT c.id AS contact_id FROM crm_contact c WHERE {LIVE} "
            f"AND c.known_since <= %s{limit.text} EXCEPT {done.text}",
            (begins, *limit.params, *done.params),
        )
    )


def wake_at_absence(dated: Dated, scope: Scope, *, spares_newcomers: bool) -> Sql:
    """When the newest leaves the window, or somebody is known for all of it."""
    returns = wake_at_rank(dated, scope, Sql("1"))
    if not spares_newcomers or dated.window is None:
        return returns
    limit, window = scope.limit("c.id"), dated.window
    return Sql(
        f"{returns.text} UNION ALL SELECT c.id, c.known_since + %s "
        f"FROM crm_contact c WHERE {LIVE} AND c.known_since > %s{limit.text}",
        (*returns.params, window.span, window.start(scope.at), *limit.params),
    )


def wake_at_rank(happening: Dated, scope: Scope, rank: Sql) -> Sql:
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
    window, span = read_limits(reader)
    return Happening(
        reader.name("name"), window, read_filters(reader, "where"), span=span
    )


def read_limits(reader: Reader) -> tuple[Window | None, Span]:
    """`within` or `between`; neither means ever."""
    if reader.has("within") and reader.has("between"):
        raise RuleError(reader.path, "choice", "has within or between, not both")
    return (
        reader.window("within") if reader.has("within") else None,
        read_span(reader, "between") if reader.has("between") else Span(),
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
