"""Why somebody is in or not, and who a rule would find, before it is saved."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from django.db import OperationalError, connection, transaction
from psycopg.errors import QueryCanceled

from crm.models import Contact
from crm.ports.facts import Scope, Sql
from segments.compile import compile_node, compile_rule
from segments.rules.condition import Group, Leaf, Node, Rule
from segments.rules.describe import describe_node

PREVIEW_TIMEOUT_MS = 5_000
SAMPLE_SIZE = 20


@dataclass(frozen=True, slots=True)
class Explained:
    """One node's answer for one contact; `facts` says what decided a leaf."""

    path: str
    text: str
    matches: bool
    facts: str = ""
    mode: str = ""
    children: tuple[Explained, ...] = ()


@dataclass(frozen=True, slots=True)
class Preview:
    """How many match, and some of them. Size is None where time ran out."""

    size: int | None
    sample: tuple[Contact, ...]
    timed_out: bool = False


def explain_contact(rule: Rule, contact_id: int, *, at: datetime) -> Explained:
    """In or out, node by node, by the same SQL that keeps the membership.

    One query for all nodes, and one for the facts of each leaf.
    """
    scope = Scope(at, (contact_id,))
    nodes = list(_list_nodes(rule.root))
    tests = [compile_node(node, scope) for node in nodes]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT ARRAY["
            + ", ".join(f"EXISTS (SELECT 1 FROM ({test.text}) q)" for test in tests)
            + "]",
            [param for test in tests for param in test.params],
        )
        answers = cursor.fetchone()[0]
    matches = {node.path: answer for node, answer in zip(nodes, answers, strict=True)}
    return _explain_node(rule.root, scope, matches)


def _list_nodes(node: Node) -> Iterator[Node]:
    yield node
    if isinstance(node, Group):
        for child in node.children:
            yield from _list_nodes(child)


def _explain_node(node: Node, scope: Scope, matches: dict[str, bool]) -> Explained:
    if isinstance(node, Leaf):
        return Explained(
            node.path,
            describe_node(node),
            matches[node.path],
            facts=_read_facts(node, scope),
        )
    return Explained(
        node.path,
        describe_node(node),
        matches[node.path],
        mode=node.mode.value,
        children=tuple(_explain_node(child, scope, matches) for child in node.children),
    )


def _read_facts(leaf: Leaf, scope: Scope) -> str:
    evidence = leaf.condition.evidence(scope)
    with connection.cursor() as cursor:
        cursor.execute(evidence.sql.text, evidence.sql.params)
        return evidence.wording(cursor.fetchone())


def preview_rule(
    rule: Rule, *, at: datetime, timeout_ms: int = PREVIEW_TIMEOUT_MS
) -> Preview:
    """Size and a sample, in one query, stopped after `timeout_ms`."""
    wanted = compile_rule(rule, at=at)
    try:
        with transaction.atomic(), limit_statement(timeout_ms):
            size, ids = _count_and_sample(wanted)
    except OperationalError as error:
        if not isinstance(error.__cause__, QueryCanceled):
            raise
        return Preview(None, (), timed_out=True)
    contacts = Contact.objects.in_bulk(ids)
    return Preview(size, tuple(contacts[pk] for pk in ids if pk in contacts))


def _count_and_sample(wanted: Sql) -> tuple[int, list[int]]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH m AS MATERIALIZED ({wanted.text}) SELECT (SELECT count(*) FROM m), "
            "ARRAY(SELECT contact_id FROM m ORDER BY contact_id DESC LIMIT %s)",
            (*wanted.params, SAMPLE_SIZE),
        )
        size, ids = cursor.fetchone()
    return size, ids


@contextmanager
def limit_statement(milliseconds: int) -> Iterator[None]:
    """Statements inside stop after this long; the old limit comes back after.

    A failed statement rolls the setting back with its transaction or savepoint.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('statement_timeout')")
        before = cursor.fetchone()[0]
        cursor.execute(
            "SELECT set_config('statement_timeout', %s, true)", [f"{milliseconds}ms"]
        )
        yield
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [before])
