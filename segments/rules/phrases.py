"""What the parts of a sentence look like: verbs, counts, windows, comparisons. Pure.

Patterns match at a place in a folded sentence (`segments.rules.words.fold`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from segments.rules.words import NUMBER, UNITS, read_number

Node = dict[str, Any]

THINGS = r"(?:products?|services?|items?|articles?|things?|something|anything)"
CART = r"(?:cart|basket|bag)"
# Shops' words for the names of the vocabulary that ingest maps foreign shops to.
VERBS: Final[tuple[tuple[str, str], ...]] = (
    (rf"add(?:ed|ing)? (?:.{{0,60}}? )??(?:in)?to (?:\w+ )?{CART}", "Product Added"),
    (rf"remov(?:e|ed|ing) .{{0,60}}?from (?:\w+ )?{CART}", "Product Removed"),
    (r"(?:start|began|begin|enter|reach)(?:ed)? (?:the |a )?check-?out",
     "Checkout Started"),
    (r"search(?:ed)?(?: for)?", "Products Searched"),
    (r"(?:view(?:ed)?|looked at|look at|browsed?|saw|seen|see|visit(?:ed)?)\b",
     "Product Viewed"),
    (r"(?:bought|buy|purchased?|order(?:ed)?|placed an order|made a purchase)\b",
     "Order Completed"),
)  # fmt: skip
# Any sign of interest in a product.
ENGAGED = ("Product Viewed", "Product Added", "Order Completed")
ENGAGE = re.compile(r"(?:engaged?|interact(?:ed)?|did anything) with\b")
ABANDON = re.compile(rf"abandon(?:ed)? (?:\w+ )?{CART}")
DID = re.compile(r"(?:did|do|done|perform(?:ed)?|trigger(?:ed)?)\b")
SPENT = re.compile(r"(?:has |have )?(?:spent|spend)\b")
NOT = re.compile(
    r"(?:(?:have|has|had|did|do|does|are|were|was|is)(?:n't| not)"
    r"|cannot|can't|never|not|without|no)\b"
)
# Words that carry nothing where a clause begins or ends.
FILLER = re.compile(
    r"(?:who(?:'ve)?|that|which|they|have|has|had|did|were|was|are|is|also|just|already"
    r"|only|for|all|any|of|the|a|an|their|its|his|her|our|my|ever|yet|then|please|find"
    r"|show|me|target|users?|customers?|people|contacts?|shoppers?|visitors?|everyone"
    r"|everybody|anyone|those|members?|again|buyers?|to|by|with|upsell|still|it|them"
    rf"|{THINGS})\b"
)
AND = re.compile(r"(?:, ?)?(?:and|but|while|plus)\b|[,;&]")
OR = re.compile(r"(?:, ?)?or\b")
THEN = re.compile(r"(?:, ?)?(?:and )?then\b|followed by\b")
# What may stand before the name of a product or a category.
OBJECT_LEAD = re.compile(
    rf"(?:the|a|an|its|their|it|upsell|some|any|{THINGS}|in|from|of|with)\b"
)

MORE = r"(?:over|more than|above|greater than|exceeding|beyond)"
LEAST = r"(?:at least|no less than|a minimum of)"
MOST = r"(?:at most|no more than|up to|a maximum of)"
FEWER = r"(?:under|less than|fewer than|below)"
MONEY = re.compile(
    rf"(?P<how>{MORE}|{LEAST}|{MOST}|{FEWER}) (?:\$|€|£|usd |eur |gbp )?"
    rf"(?P<n>{NUMBER})(?: ?(?:dollars?|euros?|pounds?|usd|eur|gbp|€))?"
)
SUM_OPS = ((MORE, "more_than"), (LEAST, "at_least"), (MOST, "at_most"),
           (FEWER, "less_than"))  # fmt: skip
TIMES = re.compile(
    rf"(?P<how>exactly|only|{MORE}|{LEAST}|{MOST}|{FEWER})? ?"
    rf"(?:(?P<once>once|twice|thrice)\b|(?P<n>{NUMBER})(?P<or_more> or more)? times?\b)"
    r"(?P<or_more_2> or more\b)?"
)
MANY = re.compile(r"(?:multiple|several|many) times\b|repeatedly\b|again and again\b")
# What is true of the product now: its stock, and its price.
SCARCE_STOCK: Final = 5
SCARCITY = re.compile(
    r"(?:send |show |use )?(?:a |an )?(?:scarcity|low[- ]stock)"
    r"(?: (?:messages?|alerts?|reminders?))?(?: only)? (?:for|to)\b"
)
IS = r"(?:(?:that|which) )?(?:(?:is|are|was|were) )?"
SCARCE = re.compile(
    rf"{IS}(?:almost|nearly) (?:sold out|gone|out of stock)|{IS}scarce\b"
    rf"|{IS}(?:running low|low in stock)|(?:with|having) (?:low|little) stock\b"
)
SOLD_OUT = re.compile(rf"{IS}(?:sold out|out of stock)\b")
LEFT = re.compile(
    rf"(?:with|having|of which) (?:there (?:is|are) )?(?P<how>only|{MOST}|{FEWER}) "
    rf"(?P<n>{NUMBER})(?: (?:items?|pieces?))? (?:left|in stock)\b"
)
REDUCED = re.compile(
    rf"{IS}(?:on sale|reduced|discounted|marked down)\b"
    r"|whose price (?:has |was )?(?:dropped|fell|fallen|went down|reduced)\b"
)
ONCE = {"once": 1, "twice": 2, "thrice": 3}
WINDOW = re.compile(
    r"(?:(?:(?:with)?in|during|over|for|since)? ?(?:the )?(?:last|past|previous)"
    r"|(?:with)?in|for) "
    rf"(?:(?P<n>{NUMBER}) )?(?P<unit>{'|'.join(UNITS)})s?\b"
)


@dataclass(frozen=True)
class Cursor:
    """A sentence, folded and as it was said, and the place where reading goes on."""

    text: str
    raw: str
    at: int = 0

    def take(self, pattern: re.Pattern[str]) -> tuple[re.Match[str], Cursor] | None:
        found = pattern.match(self.text, self.at)
        return (found, self.move(found.end())) if found and found[0] else None

    def move(self, place: int) -> Cursor:
        """On to `place` and past the blanks behind it."""
        while self.text[place : place + 1] == " ":
            place += 1
        return Cursor(self.text, self.raw, place)

    @property
    def is_over(self) -> bool:
        return self.at >= len(self.text)


def read_window(found: re.Match[str]) -> Node | None:
    """As a rule says it; None for amounts that are not whole."""
    times, unit = UNITS[found["unit"]]
    amount = read_number(found["n"]) if found["n"] else 1
    if amount != int(amount) or amount < 1:
        return None
    return {"amount": int(amount) * times, "unit": unit}


def read_times(found: re.Match[str]) -> Node:
    """ "twice" is at least twice: who viewed three times viewed twice."""
    n = int(ONCE[found["once"]] if found["once"] else read_number(found["n"]))
    return compare_times(found["how"] or "", n)


def compare_times(how: str, n: int) -> Node:
    """The words before a number, as a count; none are at least."""
    if how in ("exactly", "only"):
        return {"op": "exactly", "n": n}
    if re.fullmatch(MORE, how):
        return {"op": "at_least", "n": n + 1}
    if re.fullmatch(MOST, how):
        return {"op": "at_most", "n": n}
    if re.fullmatch(FEWER, how):
        return {"op": "at_most", "n": max(n - 1, 0)}
    return {"op": "at_least", "n": n}


def read_money(found: re.Match[str]) -> Node:
    """The comparison of a sum."""
    op = next(op for form, op in SUM_OPS if re.fullmatch(form, found["how"]))
    return {"op": op, "n": read_number(found["n"])}


def read_item(cursor: Cursor) -> tuple[Node, str, Cursor] | None:
    """A filter of items, what a vague word in it was taken for, and what follows."""
    if found := cursor.take(SCARCE):
        return ask_scarce(), word_scarce(found[0][0]), found[1]
    if found := cursor.take(LEFT):
        n = read_number(found[0]["n"])
        op = "lt" if re.fullmatch(FEWER, found[0]["how"]) else "lte"
        return ask_item("stock", op, n), "", found[1]
    if found := cursor.take(SOLD_OUT):
        return ask_item("stock", "lte", 0), "", found[1]
    if found := cursor.take(REDUCED):
        return ask_item("drop_pct", "gt", 0), "", found[1]
    return None


def ask_item(field: str, op: str, value: float) -> Node:
    return {"property": f"$product.{field}", "op": op, "value": value}


def ask_scarce() -> Node:
    return ask_item("stock", "lte", SCARCE_STOCK)


def word_scarce(said: str) -> str:
    return f"“{said.strip()}” is taken for a stock of {SCARCE_STOCK} or fewer"
