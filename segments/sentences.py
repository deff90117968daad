"""A sentence to a rule, by the names that arrived here."""

from __future__ import annotations

from crm.facts.suggestions import (
    find_said_products,
    find_said_values,
    suggest_events,
)
from crm.ports.facts import read_names
from segments.models import Segment
from segments.rules.parse import SENTENCE_MAX, Reading, parse_sentence
from segments.rules.words import Vocabulary, fold


def read_sentence(said: str) -> Reading:
    """The rule that a marketer's words ask for; what they name is looked up once."""
    said = said.replace("\0", " ")
    low = fold(said[:SENTENCE_MAX])
    products, categories = find_said_products(low)
    vocabulary = Vocabulary(
        events=tuple(suggest_events()),
        traits={name: tuple(held) for name, held in find_said_values(low).items()},
        products=products,
        categories=tuple(categories),
        segments=dict(Segment.objects.named_in(low)),
        topics=read_names("topics"),
        campaigns=read_names("campaigns"),
    )
    return parse_sentence(said, vocabulary)
