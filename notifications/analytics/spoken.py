"""Conditions on messages and reach, read back from their own descriptions. Pure."""

from __future__ import annotations

from typing import Any

from crm.facts.grammar import (
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
from crm.facts.spoken import LAST, NEWCOMERS, NUMBER, SPARED, WHEN, WINDOW, give, make
from notifications.analytics.reached import CHANNELS, VERBS
from notifications.decisioning import reachable


def say(words: dict[str, str]) -> Read:
    return one_of({said: key for key, said in words.items()})


def count(read: list[Any]) -> dict[str, Any]:
    return {"count": dict(zip(("op", "n"), read, strict=True))}


CHANNEL = maybe(pick(line(" by ", give("channel", say(CHANNELS)))))
NAMED = either(QUOTED, pick(line("no. ", NUMBER)))
CAMPAIGN = maybe(pick(line(" of the campaign ", give("campaign", NAMED))))
OF = turn(line(CHANNEL, CAMPAIGN), merge)
DONE = give("outcome", say({key: said for key, (said, _) in VERBS.items()}))
UNDONE = give("outcome", say({key: said for key, (_, said) in VERBS.items()}))
MANY = either(
    mean("a message", {}),
    turn(line(say(COUNTS), " ", NUMBER, match(" messages?", lambda found: None)),
         lambda read: count(read[:2])),
)  # fmt: skip
LAST_ONES = either(mean("message", 1), pick(line(NUMBER, " messages")))
ABOUT = either(mean(reachable.NEEDED, {}), pick(line("about ", give("topic", QUOTED))))
BECAUSE = pick(
    line(" because they ", give("reason", some(say(reachable.REASONS), " or ")))
)
BY = give("channel", say(reachable.CHANNELS))
SPOKEN: tuple[Read, ...] = (
    make("not_message", UNDONE, " any message", OF, " ", WHEN,
         either(SPARED, NEWCOMERS)),
    make("message", UNDONE, mean(" any message", count(["exactly", 0])), OF, " ", WHEN),
    make("message", DONE, " ", MANY, OF, " ", WHEN),
    make("ignored", "left their last ", give("last", LAST_ONES), OF, " unopened for ",
         give("after", WINDOW), " or longer", maybe(pick(line(", ", LAST)))),
    make("reachable", "can be reached by ", BY, " ", ABOUT),
    make("reachable", mean("cannot be reached by ", {"reachable": False}), BY, " ",
         ABOUT, maybe(BECAUSE)),
)  # fmt: skip
