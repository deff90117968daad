"""From a rule to SQL: set algebra over what the fact sources select.

Groups become INTERSECT, UNION and EXCEPT, which PostgreSQL answers by hashing or
sorting whatever its statistics say; IN and NOT IN under OR would not. A negated
set is carried along and turned around as late as possible (De Morgan), so that
"has A and not B" never computes everybody without B.

The same SQL serves the full base, touched contacts (`contacts`) and one contact.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from crm.ports.facts import Scope, Selection, Sql, find_fact_source
from segments.rules.condition import Group, Leaf, Mode, Node, Rule


def compile_rule(
    rule: Rule, *, at: datetime, contacts: Sequence[int] | None = None
) -> Sql:
    """`SELECT contact_id …` of who matches at `at`, each contact once."""
    scope = Scope(at, None if contacts is None else tuple(contacts))
    return compile_node(rule.root, scope)


def compile_node(node: Node, scope: Scope) -> Sql:
    selection = _select_node(node, scope)
    if not selection.negated:
        return selection.sql
    return _join(" EXCEPT ", [_select_everyone(scope), selection.sql])


def compile_wakes(
    rule: Rule, *, at: datetime, contacts: Sequence[int] | None = None
) -> Sql | None:
    """`SELECT contact_id, wake_at` of who may move with time alone, and when.

    Never too late, sometimes too early. Under "all", people who fail what time
    cannot change are left out: no clock can bring them in, and whatever else
    does touches them, which sets their clock.
    """
    scope = Scope(at, None if contacts is None else tuple(contacts))
    found = _wake_node(rule.root, scope)
    if found is None:
        return None
    return Sql(
        "SELECT w.contact_id, min(w.wake_at) AS wake_at "
        f"FROM ({found.text}) w WHERE w.wake_at > %s GROUP BY w.contact_id",
        (*found.params, at),
    )


def _select_everyone(scope: Scope) -> Sql:
    source = find_fact_source("everyone")
    if source is None:
        raise LookupError("no fact source answers for everyone")
    return source.parse({"type": "everyone"}, "root").select(scope).sql


def _select_node(node: Node, scope: Scope) -> Selection:
    if isinstance(node, Leaf):
        return node.condition.select(scope)
    parts = [_select_node(child, scope) for child in node.children]
    if node.mode is Mode.ALL:
        return _intersect(parts)
    united = _unite(parts)
    if node.mode is Mode.NONE:
        return Selection(united.sql, negated=not united.negated)
    return united


def _intersect(parts: Sequence[Selection]) -> Selection:
    inside, outside = _split(parts)
    if not inside:
        return Selection(_join(" UNION ", outside), negated=True)
    base = _join(" INTERSECT ", inside)
    if not outside:
        return Selection(base)
    return Selection(_join(" EXCEPT ", [base, _join(" UNION ", outside)]))


def _unite(parts: Sequence[Selection]) -> Selection:
    """A or B; and A or not-B, which is everybody but those of B outside A."""
    inside, outside = _split(parts)
    if not outside:
        return Selection(_join(" UNION ", inside))
    base = _join(" INTERSECT ", outside)
    if not inside:
        return Selection(base, negated=True)
    return Selection(_join(" EXCEPT ", [base, _join(" UNION ", inside)]), negated=True)


def _split(parts: Sequence[Selection]) -> tuple[list[Sql], list[Sql]]:
    inside = [part.sql for part in parts if not part.negated]
    return inside, [part.sql for part in parts if part.negated]


def _join(word: str, parts: Sequence[Sql]) -> Sql:
    if len(parts) == 1:
        return parts[0]
    return Sql(
        word.join(f"({part.text})" for part in parts),
        tuple(param for part in parts for param in part.params),
    )


def _wake_node(node: Node, scope: Scope) -> Sql | None:
    if isinstance(node, Leaf):
        return node.condition.wake(scope)
    wakes = [(child, _wake_node(child, scope)) for child in node.children]
    moving = [wake for _, wake in wakes if wake is not None]
    if not moving:
        return None
    found = _join(" UNION ALL ", moving)
    still = [child for child, wake in wakes if wake is None]
    if node.mode is not Mode.ALL or not still or scope.contacts is not None:
        return found
    return _keep_possible(found, Group(node.path, Mode.ALL, tuple(still)), scope)


def _keep_possible(wakes: Sql, still: Group, scope: Scope) -> Sql:
    selection = _select_node(still, scope)
    if selection.negated:
        return wakes
    return Sql(
        f"SELECT w.contact_id, w.wake_at FROM ({wakes.text}) w "
        f"JOIN ({selection.sql.text}) s USING (contact_id)",
        (*wakes.params, *selection.sql.params),
    )
