"""Source `aggregate`: what the events of a contact amount to, compared.

    {"type": "aggregate", "measure": "average", "name": "Order Completed",
     "property": "value", "within": {"amount": 90, "unit": "days"},
     "op": "gte", "value": 100}
    {"type": "aggregate", "measure": "most_frequent", "name": "Order Completed",
     "lines": "products", "property": "category", "op": "equals", "value": "Shoes"}
    {"type": "aggregate", "measure": "last", "name": "Product Viewed",
     "property": "product_id", "lookup": {"catalog": "products", "field": "brand"},
     "op": "equals", "value": "Alpine"}
    {"type": "aggregate", "measure": "first_at", "name": "Order Completed",
     "op": "more_than_ago", "value": {"amount": 1, "unit": "days"}}

The measures are those of `crm.facts.aggregates`. A number is compared as numbers are,
a time as dates are, and what a property held as the values of profiles are. It speaks
of those who performed the event at all: a count is never 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crm.facts.aggregates import MEASURES, read_aggregate
from crm.facts.comparisons import DATED, WORDS, read_comparison
from crm.facts.events import HAPPENING_KEYS, NAME, WHERE, WITHIN
from crm.facts.measured import OF_VALUE, Measured, list_operators
from crm.facts.reading import Reader
from crm.ports.facts import Condition, Input, Term

COMPARED = ("op", "value")
KEYS = ("measure", *HAPPENING_KEYS, "property", "lines", "lookup")


class AggregateSource:
    """Measures of events, registered by the crm itself."""

    def terms(self) -> Sequence[Term]:
        ops = tuple((op, WORDS[op]) for op in (*OF_VALUE, *DATED))
        return [
            Term(
                "aggregate",
                "What events amount to",
                "An average, a total, the most frequent value, the time of the first",
                {"type": "aggregate", "measure": "average", "name": ""}
                | {"property": "value", "op": "gte", "value": ""},
                (
                    Input("measure", "Measure", "choice", tuple(MEASURES.items())),
                    Input("property", "Property", "text", suggest="properties"),
                    NAME,
                    Input("op", "Comparison", "choice", ops),
                    Input("value", "Value", "value"),
                    Input("lines", "In each line of", "text", suggest="properties"),
                    Input("lookup.catalog", "Look it up in the catalog", "text"),
                    Input("lookup.field", "and read its", "text"),
                    *WITHIN,
                    WHERE,
                ),
            )
        ]

    def parse(self, node: Mapping[str, Any], path: str) -> Condition:
        reader = Reader(node, path)
        reader.allow("type", *KEYS, *COMPARED)
        of = {key: node[key] for key in KEYS if key in node}
        aggregate = read_aggregate(Reader(of, path))
        return Measured(aggregate, read_comparison(reader, list_operators(aggregate)))
