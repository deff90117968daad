"""Conditions on orders, read back from their own descriptions. Pure."""

from __future__ import annotations

from crm.facts.grammar import Read, line, match, maybe, merge, one_of, turn
from crm.facts.happenings import COUNTS
from crm.facts.spoken import COMPARISON, LAST, NUMBER, give, make
from crm.purchases.facts import COUNT, MEASURES, SUMS

CURRENCY = maybe(turn(match(r" in ([A-Z]{3})\b", lambda found: found[1]),
                      lambda said: {"currency": said} if said else {}))  # fmt: skip
WITHIN = maybe(turn(line(" ", LAST), merge))
MEASURE = one_of({said: key for key, (said, _) in MEASURES.items()})
SPOKEN: tuple[Read, ...] = (
    turn(
        line("have ", give("op", one_of({said: op for op, said in COUNTS.items()})),
             " ", give("n", NUMBER), match(" orders?", lambda _: {}),
             CURRENCY, WITHIN),
        lambda read: merge([{"type": "orders", "measure": COUNT}, *read]),
    ),
    make("orders", "have ", give("measure", MEASURE), " of ",
         give("op", one_of({op.replace("_", " "): op for op in SUMS})), " ",
         give("n", NUMBER), CURRENCY, WITHIN),
    make("last_order", "have a last order whose date ", COMPARISON),
)  # fmt: skip
