"""Why somebody is in or not, and who a rule would find, before it is saved."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import connection

from crm.models import Contact
from crm.ports.facts import Scope, Sql
from segments.compile import compile_node, compile_rule
from segments.deadline import TooSlow, stop_after
from segments.diff import load_rule
from segments.models import Membership, MembershipChange, Segment
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
    """How many match, and some of them. Size is None where time ran out; `estimate`
    is then what the planner expects, which may be far off."""

    size: int | None
    sample: tuple[Contact, ...]
    timed_out: bool = False
    estimate: int | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """One contact and one segment. `reason` is why they entered it last or left it;
    '' where they never did."""

    segment: Segment
    is_member: bool
    entered_at: datetime | None
    reason: str
    explanation: Explained | None = None


def list_standings(contact_id: int, *, only: Segment | None = None) -> list[Standing]:
    """The segments of one contact by name, or `only` that one; two queries."""
    held = Membership.objects.for_contact(contact_id)
    if only is not None:
        held = held.of_segment(only)
    changes = MembershipChange.objects.newest_of_contact(contact_id)
    reasons = {row.segment_id: row.reason for row in changes}
    found = [
        Standing(
            row.segment,
            is_member=True,
            entered_at=row.entered_at,
            reason=reasons.get(row.segment_id, ""),
        )
        for row in held
    ]
    if only is None or found:
        return found
    return [Standing(only, False, None, reasons.get(only.pk, ""))]


def explain_standing(standing: Standing, contact_id: int, *, at: datetime) -> Standing:
    version = standing.segment.current_version
    if version is None:
        return standing
    answer = explain_contact(load_rule(version), contact_id, at=at)
    return replace(standing, explanation=answer)


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
        with stop_after(timeout_ms):
            size, ids = _count_and_sample(wanted)
    except TooSlow:
        return Preview(None, (), timed_out=True, estimate=estimate_size(wanted))
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


def estimate_size(wanted: Sql) -> int:
    """What the planner expects by its statistics; plans, and reads no row."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {wanted.text}", wanted.params)
        (told,) = cursor.fetchone()
    plan = json.loads(told) if isinstance(told, str) else told
    return int(plan[0]["Plan"]["Plan Rows"])
