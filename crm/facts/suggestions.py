"""What editors offer: names and values that really arrived. The one module of
`crm.facts` that asks the database; read by the segment editor."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import connection

from crm.facts.about import ABOUT
from crm.facts.items import FIELDS, PREFIX
from crm.lines import LINE_KEYS, PRODUCT_KEYS
from crm.models import Catalog, EventName
from crm.models.catalog import PRODUCTS

# The newest contacts stand for all: a scan of a million would hold the page.
SAMPLE_CONTACTS = 2_000
# And the newest events of a name.
SAMPLE_EVENTS = 500
SUGGESTIONS_MAX = 200
# An event with one of these properties names products.
NAMING = frozenset((*PRODUCT_KEYS, *LINE_KEYS))

TRAIT_KEYS = """
SELECT key FROM (
  SELECT traits || computed AS traits FROM crm_contact ORDER BY id DESC LIMIT %s) c,
  LATERAL jsonb_object_keys(c.traits) AS key
GROUP BY key ORDER BY count(*) DESC, key LIMIT %s
"""
TRAIT_VALUES = """
SELECT value FROM (
  SELECT (traits || computed) ->> %s AS value
  FROM crm_contact ORDER BY id DESC LIMIT %s) c
WHERE value <> '' AND length(value) <= 100
GROUP BY value ORDER BY count(*) DESC, value LIMIT 20
"""
PROPERTY_VALUES = """
SELECT value FROM (
  SELECT properties ->> %s AS value FROM crm_event WHERE name = %s
  ORDER BY occurred_at DESC LIMIT %s) e
WHERE value <> '' AND length(value) <= 100
GROUP BY value ORDER BY count(*) DESC, value LIMIT 20
"""
# What a sentence names, as it arrived; a plural in the table is found by its singular.
SAID_VALUES = """
SELECT DISTINCT key, value FROM (
  SELECT traits || computed AS traits FROM crm_contact ORDER BY id DESC LIMIT %s) c,
  LATERAL jsonb_each_text(c.traits)
WHERE length(value) BETWEEN 1 AND 100 AND strpos(%s, lower(value)) > 0 LIMIT %s
"""
SAID_PRODUCTS = """
SELECT name, code FROM crm_product
WHERE catalog_id = %s AND archived_at IS NULL
  AND name <> '' AND strpos(%s, rtrim(lower(name), 's')) > 0
ORDER BY length(name) DESC, id LIMIT %s
"""
SAID_CATEGORIES = """
SELECT DISTINCT category FROM crm_product
WHERE catalog_id = %s AND category <> '' AND strpos(%s, rtrim(lower(category), 's')) > 0
LIMIT %s
"""


def suggest_events() -> list[str]:
    """Event names, the most recently seen first."""
    rows = EventName.objects.order_by("-last_seen_at", "name")
    return list(rows.values_list("name", flat=True)[:SUGGESTIONS_MAX])


def suggest_properties(event_names: Iterable[str]) -> list[str]:
    """Property names seen with these events."""
    names = [name for name in event_names if "\0" not in name]
    rows = EventName.objects.filter(name__in=names)
    found = {one for held in rows.values_list("properties", flat=True) for one in held}
    return sorted(found)[:SUGGESTIONS_MAX]


def suggest_filters(properties: Iterable[str]) -> list[str]:
    """These properties, and where they name products what filters ask of those."""
    found = list(properties)
    if NAMING.isdisjoint(found):
        return found
    catalog = Catalog.objects.filter(pk=PRODUCTS).first()
    declared = [field["name"] for field in (catalog.fields if catalog else ())]
    return [*found, *ABOUT, *(f"{PREFIX}{field}" for field in (*FIELDS, *declared))]


def suggest_traits() -> list[str]:
    """Trait names of recent contacts, the most common first."""
    with connection.cursor() as cursor:
        cursor.execute(TRAIT_KEYS, [SAMPLE_CONTACTS, SUGGESTIONS_MAX])
        return [key for (key,) in cursor.fetchall()]


def suggest_values(trait: str) -> list[str]:
    """Values of one trait among recent contacts, the most common first."""
    if "\0" in trait:
        return []
    with connection.cursor() as cursor:
        cursor.execute(TRAIT_VALUES, [trait, SAMPLE_CONTACTS])
        return [value for (value,) in cursor.fetchall()]


def suggest_property_values(event_name: str, key: str) -> list[str]:
    """Values of one property in the newest events of a name, the most common first."""
    if "\0" in event_name or "\0" in key:
        return []
    with connection.cursor() as cursor:
        cursor.execute(PROPERTY_VALUES, [key, event_name, SAMPLE_EVENTS])
        return [value for (value,) in cursor.fetchall()]


def find_said_values(said: str) -> dict[str, list[str]]:
    """Every trait of recent contacts, with those of its values that the sentence
    (lower case) holds."""
    found: dict[str, list[str]] = {name: [] for name in suggest_traits()}
    with connection.cursor() as cursor:
        cursor.execute(SAID_VALUES, [SAMPLE_CONTACTS, said, SUGGESTIONS_MAX])
        for trait, value in cursor.fetchall():
            found.setdefault(trait, []).append(value)
    return found


def find_said_products(said: str) -> tuple[dict[str, str], list[str]]:
    """Products (name to code) and categories that the sentence (lower case) names."""
    most = SUGGESTIONS_MAX
    with connection.cursor() as cursor:
        cursor.execute(SAID_PRODUCTS, [PRODUCTS, said, most])
        # Of two products of one name none is meant: it is not guessed which.
        products: dict[str, str] = {}
        twice: set[str] = set()
        for name, code in cursor.fetchall():
            if products.setdefault(name, code) != code:
                twice.add(name)
        cursor.execute(SAID_CATEGORIES, [PRODUCTS, said, most])
        categories = [category for (category,) in cursor.fetchall()]
    return {n: c for n, c in products.items() if n not in twice}, categories
