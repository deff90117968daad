"""The conditions of `crm.facts`, read back from their own descriptions. Pure.

The inverse of each `describe`: reading back what a condition says of itself gives a
node that says the same.
"""

from __future__ import annotations

import re
from typing import Any

from crm.facts.about import NAMES
from crm.facts.aggregates import MEASURES, MOMENTS, OF_EVENTS
from crm.facts.attributes import FIELDS
from crm.facts.comparisons import WORDS
from crm.facts.devices import PERMISSIONS, PLATFORMS
from crm.facts.grammar import (
    NAME,
    QUOTED,
    Read,
    either,
    line,
    match,
    maybe,
    mean,
    merge,
    one_of,
    pick,
    some,
    turn,
)
from crm.facts.happenings import COUNTS
from crm.facts.items import PREFIX
from crm.facts.measured import SUMS
from crm.facts.periods import PERIODS

Node = dict[str, Any]


def read_number(said: str) -> int | float:
    plain = said.replace(",", "")
    return int(plain) if re.fullmatch(r"-?\d+", plain) else float(plain)


def read_window(found: re.Match[str]) -> Node:
    return {"amount": read_number(found[1]), "unit": f"{found[2]}s"}


def read_moment(found: re.Match[str]) -> str:
    return f"{found[1]}T{found[2] or '00:00'}Z"


def give(key: str, reader: Read) -> Read:
    """An object with what was read under the key."""
    return turn(reader, lambda value: {key: value})


# No rule holds numbers that are longer, and Python reads none of thousands of digits.
NUMBER = match(
    r"-?(?:\d{1,3}(?:,\d{3}){1,99}|\d{1,300})(?:\.\d+)?(?:e[+-]?\d+)?",
    lambda found: read_number(found[0]),
)
WINDOW = match(r"(\d[\d,]{0,99}) (second|minute|hour|day)s?\b", read_window)
MOMENT = match(
    r"(\d{4}-\d\d-\d\d)(?: (\d\d:\d\d(?::\d\d(?:\.\d+)?)?) UTC)?", read_moment
)
SCALAR = either(QUOTED, NUMBER, one_of({"true": True, "false": False}))
LAST = give("within", pick(line("in the last ", WINDOW)))


# --- Comparisons: "is at least 10" ---


def compare(op: str, value: Read) -> Read:
    said = line(f"{WORDS[op]} ", value)
    return turn(said, lambda read: {"op": op, "value": read[0]})


def compare_any() -> Read:
    """What is longer stands before what it begins with: "is not" before "is"."""
    texts = ("contains", "starts_with", "ends_with", "matches", "version_is",
             "version_above", "version_at_least", "version_below",
             "version_at_most")  # fmt: skip
    days = turn(
        match(
            r"today(?: or within the next (\d{1,99}) days?)?", lambda found: found[1]
        ),
        lambda ahead: int(ahead or 0),
    )
    ago = pick(line("is ", WINDOW, " ago or longer"))
    periods = {period.words: name for name, period in PERIODS.items()}
    return either(
        *(mean(WORDS[op], {"op": op}) for op in ("not_exists", "exists")),
        *(compare(op, QUOTED) for op in texts),
        compare("in", some(SCALAR, ", ")),
        *(compare(op, NUMBER) for op in ("gt", "gte", "lt", "lte")),
        *(compare(op, MOMENT) for op in ("before", "after")),
        *(compare(op, WINDOW) for op in ("within_last", "in_next")),
        turn(ago, lambda value: {"op": "more_than_ago", "value": value}),
        compare("has", SCALAR),
        compare("anniversary", days),
        compare("during", one_of(periods)),
        compare("not_equals", SCALAR),
        compare("equals", SCALAR),
    )  # fmt: skip


COMPARISON = compare_any()
ABOUT_OF = {said: name for name, said in NAMES.items()}
# The word alone, and no longer name that begins with it.
PROPERTY = either(
    turn(line(NAME, " of the product"), lambda read: PREFIX + read[0]),
    match(rf"(?:{'|'.join(ABOUT_OF)})(?= )", lambda found: ABOUT_OF[found[0]]),
    NAME,
)
FILTER = turn(
    line(give("property", PROPERTY), " ", COMPARISON), lambda read: merge(read)
)
WHERE = maybe(give("where", pick(line(" where ", some(FILTER, " and ")))))  # fmt: skip


# --- Events ---


def build_between(read: list[Any]) -> Node:
    since, until = read
    ends = {"from": since, "to": until}
    return {"between": {end: at for end, at in ends.items() if at}}


WHEN = either(
    LAST,
    turn(line("from ", MOMENT, " on", maybe(pick(line(" and before ", MOMENT)))),
         build_between),
    turn(line("before ", MOMENT), lambda read: build_between([None, read[0]])),
    mean("ever", {}),
)  # fmt: skip
STEP = turn(line(give("name", QUOTED), WHERE), merge)
HAPPENING = turn(line(STEP, " ", WHEN), merge)
COUNT = turn(
    line(
        one_of({said: op for op, said in COUNTS.items()}),
        " ",
        either(mean("once", 1),
               pick(line(NUMBER, " times"))),
    ),
    lambda read: {"count": dict(zip(("op", "n"), read, strict=True))},
)  # fmt: skip
SPARED = match(r" \(known (?:for at least|since) [^()]+\)", lambda found: {})
NEWCOMERS = mean(" (newer people included)", {"include_newcomers": True})  # fmt: skip


def make(kind: str, *parts: Read | str) -> Read:
    """A node of this type, with what the parts read."""
    return make_line({"type": kind}, *parts)


def make_line(start: Node, *parts: Read | str) -> Read:
    """The object with what the parts read."""
    return turn(line(*parts), lambda read: merge([start, *read]))


NOT_ONCE = {"count": {"op": "exactly", "n": 0}}
PERFORMED = make("event", "performed ", HAPPENING, " ", COUNT)
# Without a word on newcomers it is a count, which takes them in.
AWAY = make("not_performed", "did not perform ", HAPPENING, either(SPARED, NEWCOMERS))
NEVER = make("event", "did not perform ", turn(HAPPENING, lambda n: {**n, **NOT_ONCE}))
SUM = turn(
    line("have a total ", NAME, " of ",
         one_of({op.replace("_", " "): op for op in SUMS}), " ", NUMBER, " from ",
         HAPPENING),
    lambda read: {
        "type": "event",
        "sum": dict(zip(("property", "op", "n"), read[:3], strict=True)),
        **read[3],
    },
)  # fmt: skip


# --- Occurrences and sequences ---


def build_ordinal(found: re.Match[str]) -> Node:
    if found["end"]:
        return {"which": found["end"]}
    which = "last" if found["last"] else "first"
    return {"which": which, "n": read_number(found["n"])}


ORDINAL = match(
    r"(?:(?P<n>\d[\d,]{0,99})(?:st|nd|rd|th)(?P<last> last)?|(?P<end>first|last)) ",
    build_ordinal,
)
HAVING = give("having", some(turn(
    line("has ", give("property", NAME), " that ", COMPARISON), merge
), " and "))  # fmt: skip
OCCURRENCE = make(
    "occurrence", "have as their ", ORDINAL, STEP, " one that ",
    either(turn(line(COMPARISON, maybe(turn(line(" and ", HAVING), merge))), merge),
           HAVING),
)  # fmt: skip
LIMITS = turn(
    line(
        maybe(give("span", pick(line(" within ", WINDOW)))),
        maybe(give("same", pick(line(" with the same ", NAME)))),
        either(turn(line(", ", LAST), merge), mean(", ever", {})),
    ),
    merge,
)
SEQUENCE = turn(
    line("performed ", STEP, " and then ", some(STEP, " and then "), LIMITS),
    lambda read: {"type": "sequence", "steps": [read[0], *read[1]], **read[2]},
)
NOT_FOLLOWED = make(
    "not_followed", "performed ", give("first", STEP), " and not ",
    give("then", STEP), LIMITS,
)  # fmt: skip


# --- What events amount to ---

PROP = turn(
    line(
        give("property", NAME),
        maybe(give("lines", pick(line(" in ", NAME)))),
    ),
    merge,
)
LOOKUP = turn(
    line("item ", give("field", NAME), " (catalog ", give("catalog", QUOTED), ", by ",
         PROP, ")"),
    lambda read: {"lookup": merge(read[:2]), **read[2]},
)  # fmt: skip


def measure(key: str) -> Read:
    """ "average value of ", "number of ", "time of the first "."""
    said = f"{MEASURES[key]} "
    if key in MOMENTS:
        return mean(said, {"measure": key})
    if key in OF_EVENTS:
        return mean(f"{said}of ", {"measure": key})
    return make_line({"measure": key}, said, either(LOOKUP, PROP), " of ")


MEASURED = either(*(measure(key) for key in reversed(MEASURES)))
AGGREGATE = make("aggregate", "have ", MEASURED, HAPPENING, " that ", COMPARISON)


# --- Who people are, and their devices ---

LABELS = {label: name for name, label in FIELDS.items()}
# A trait whose name begins like a column's is no column.
ATTRIBUTE = either(
    make("attribute", "have ", give("field", one_of(LABELS)), " that ", COMPARISON),
    make("attribute", "have ", give("trait", NAME), " that ", COMPARISON),
)
COHORT = make(
    "cohort",
    match(r"are in a random [\d.]+ % of people \(", lambda found: {}),
    give("from", NUMBER), " to ", give("to", NUMBER), " %",
    maybe(turn(line(", draw ", give("seed", QUOTED)), merge)), ")",
)  # fmt: skip
EVERYONE = mean("are contacts", {"type": "everyone"})
PERMISSION = one_of({said: key for key, said in PERMISSIONS.items()})
DEVICE = make(
    "device", "have a",
    maybe(mean(" reachable", {"reachable": True})),
    maybe(give("platform", one_of(
        {f"{lead}{said}": key for key, said in PLATFORMS.items()
         for lead in ("n ", " ")}
    ))),
    " device",
    maybe(turn(line(" with push permission ",
                    give("permission", some(PERMISSION, " or "))), merge)),
)  # fmt: skip

# The longest way of saying it first.
SPOKEN: tuple[Read, ...] = (
    *(AWAY, NEVER, PERFORMED, SEQUENCE, NOT_FOLLOWED, SUM, OCCURRENCE),
    *(DEVICE, AGGREGATE, ATTRIBUTE, COHORT, EVERYONE),
)
