"""Source `cohort`: a random share of people, always the same ones.

    {"type": "cohort", "from": 0, "to": 10}
    {"type": "cohort", "from": 10, "to": 55.5, "seed": "spring"}

Each contact has a number from 0 to 99.99 by the hash that experiments use, of the seed
and of the contact's uuid: the one that the API and exports tell, and that survives a
merge. `from` is in, `to` is out, both in per cent with at most two decimals; one of
them may be missing. Rules without a seed share one draw, so that 0 to 10 and 10 to 20
are different people; a seed of its own draws anew.

The hash is written out byte by byte: a million contacts take about 2 seconds, and with
a function of PL/pgSQL six times as long.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from crm.buckets import FNV_MASK, FNV_OFFSET, FNV_PRIME, RESOLUTION, hash_fnv1a
from crm.facts.attributes import LIVE
from crm.facts.naming import quote
from crm.facts.reading import NAME_MAX, Reader, check_text
from crm.ports.facts import (
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

# Of a uuid as text, and of the largest hash as digits.
UUID_LENGTH: Final = 36
DIGITS_MAX: Final = 10
# Steps of one per cent.
PER_PCT: Final = RESOLUTION // 100


def fold_text(column: str, length: int, start: str) -> str:
    """FNV-1a over the bytes of a bytea column of exactly this length."""
    state = start
    for n in range(length):
        state = f"(({state} # get_byte({column}, {n})) * {FNV_PRIME} & {FNV_MASK})"
    return state


def fold_digits(column: str) -> str:
    """The same over 1 to 10 digits: past the end a step changes nothing, so that each
    state stands once in the text."""
    state = fold_text(column, 1, f"{FNV_OFFSET}::bigint")
    for n in range(1, DIGITS_MAX):
        stands = f"CASE WHEN octet_length({column}) > {n} THEN"
        byte = f"{stands} get_byte({column}, {n}) ELSE 0 END"
        state = f"(({state} # {byte}) * {stands} {FNV_PRIME} ELSE 1 END & {FNV_MASK})"
    return state


def draw_numbers(texts: Sql, seed: str, *, length: int = UUID_LENGTH) -> Sql:
    """`SELECT contact_id, n`: the position of each text times 10,000.

    `texts` is `SELECT contact_id, text`, each ASCII of exactly this length.
    """
    folded = fold_text("v.b", length, "%s::bigint")
    # OFFSET 0 keeps each step a step: merged, they would be computed byte for byte.
    return Sql(
        f"SELECT h.contact_id, {fold_digits('h.b')} %% {RESOLUTION} AS n FROM (SELECT "
        f"v.contact_id, convert_to(({folded})::text, 'UTF8') AS b FROM (SELECT "
        "t.contact_id, convert_to(t.text, 'UTF8') AS b "
        f"FROM ({texts.text}) t OFFSET 0) v OFFSET 0) h OFFSET 0",
        (hash_fnv1a(seed), *texts.params),
    )


@dataclass(frozen=True, slots=True)
class Cohort:
    """Whose number lies in [since, until), in hundredths of a per cent."""

    since: int = 0
    until: int = RESOLUTION
    seed: str = ""

    def describe(self) -> str:
        share = f"a random {show_pct(self.until - self.since)} % of people"
        draw = f", draw {quote(self.seed)}" if self.seed else ""
        return (
            f"are in {share} ({show_pct(self.since)} to {show_pct(self.until)} %{draw})"
        )

    def select(self, scope: Scope) -> Selection:
        drawn = self._draw(scope)
        return Selection(
            Sql(
                f"SELECT d.contact_id FROM ({drawn.text}) d "
                "WHERE d.n >= %s AND d.n < %s",
                (*drawn.params, self.since, self.until),
            )
        )

    def _draw(self, scope: Scope) -> Sql:
        limit = scope.limit("c.id")
        texts = Sql(
            "SELECT c.id AS contact_id, c.uuid::text AS text FROM crm_contact c "
            f"WHERE {LIVE}{limit.text}",
            limit.params,
        )
        return draw_numbers(texts, self.seed)

    def wake(self, scope: Scope) -> Sql | None:
        return None

    def mentions(self) -> Mentions:
        return Mentions()

    def evidence(self, scope: Scope) -> Evidence:
        drawn = self._draw(scope)
        return Evidence(
            Sql(f"SELECT d.n FROM ({drawn.text}) d", drawn.params),
            lambda row: (
                f"drew {show_pct(row[0])} of 100" if row else "was merged or erased"
            ),
        )


def show_pct(hundredths: int) -> str:
    return f"{hundredths / PER_PCT:.2f}".rstrip("0").rstrip(".")


class CohortSource:
    """Random shares, registered by the crm itself."""

    def terms(self) -> Sequence[Term]:
        return [
            Term(
                "cohort",
                "A random share of people",
                "Always the same people; the rest of the 100 % are others",
                {"type": "cohort", "from": 0, "to": 10},
                (
                    Input("from", "From %", "number"),
                    Input("to", "to below %", "number"),
                    Input("seed", "A draw of its own, by name", "text"),
                ),
            )
        ]

    def parse(self, node: Mapping[str, Any], path: str) -> Condition:
        reader = Reader(node, path)
        reader.allow("type", "from", "to", "seed")
        if not reader.has("from") and not reader.has("to"):
            raise RuleError(path, "required", "needs from or to")
        since = read_pct(reader, "from") if reader.has("from") else 0
        until = read_pct(reader, "to") if reader.has("to") else RESOLUTION
        if since >= until:
            raise RuleError(path, "range", "must end above where it begins")
        seed = reader.node["seed"] if reader.has("seed") else ""
        seed = check_text(seed, reader.at("seed"), limit=NAME_MAX)
        return Cohort(since, until, seed)


def read_pct(reader: Reader, key: str) -> int:
    """Hundredths of a per cent."""
    value = reader.number(key)
    hundredths = round(value * PER_PCT)
    if not 0 <= value <= 100 or abs(value * PER_PCT - hundredths) > 1e-6:
        words = "must be from 0 to 100 per cent, with at most two decimals"
        raise RuleError(reader.at(key), "range", words)
    return hundredths
