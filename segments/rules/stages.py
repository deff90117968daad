"""The stages of a lifecycle: an ordered list of rules, of which the first wins.

    [{"key": "new", "label": "New", "rule": {"version": 1, "root": …}}, …]

And the condition `lifecycle` that asks for them:

    {"type": "lifecycle", "stage": ["at_risk"], "within": {"amount": 7, "unit": "days"}}

One stage may stand without the list. With `within` the stage was entered in that
window. Rules of stages ask for neither stages nor segments, which follow from stages
themselves.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from crm.facts.reading import Reader, check_text
from crm.facts.window import UNIT_SECONDS, Window
from crm.ports.facts import (
    CATALOG_CHANGED,
    Condition,
    Evidence,
    Input,
    Mentions,
    RuleError,
    Scope,
    Selection,
    Sql,
    Term,
)
from segments.rules.condition import Rule
from segments.rules.describe import describe
from segments.rules.validate import parse_rule

# The key under which a contact's stage stands among the computed traits.
STAGE_TRAIT: Final = "lifecycle_stage"
STAGES_MAX: Final = 12
LABEL_MAX: Final = 100
KEY: Final = re.compile(r"^[a-z][a-z0-9_]{0,49}$")


def _within(field: str, days: int) -> dict[str, Any]:
    return {
        "type": "attribute",
        "field": field,
        "op": "within_last",
        "value": {"amount": days, "unit": "days"},
    }


def _stage(key: str, label: str, root: Mapping[str, Any]) -> dict[str, Any]:
    return {"key": key, "label": label, "rule": {"version": 1, "root": root}}


# New for a week, active while something happened in two, churned after 45 days.
SHIPPED: Final = [
    _stage("new", "New", _within("known_since", 7)),
    _stage("active", "Active", _within("last_active_at", 14)),
    _stage(
        "churned",
        "Churned",
        {"none": [_within("last_active_at", 45), _within("known_since", 45)]},
    ),
    _stage("at_risk", "At risk", {"type": "everyone"}),
]


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage; somebody is in it whom its rule finds and no earlier one did."""

    key: str
    label: str
    rule: Rule

    def describe(self) -> str:
        return f"{self.label}: {describe(self.rule)}"


def read_stages(data: Any) -> tuple[Stage, ...]:
    """The stages in `data`, or RuleError with the path of the first fault."""
    if not isinstance(data, list):
        raise RuleError("stages", "type", "must be a list")
    nodes = enumerate(data[: STAGES_MAX + 1])
    found = [_read_stage(node, f"stages[{n}]") for n, node in nodes]
    if not 2 <= len(found) <= STAGES_MAX:
        raise RuleError("stages", "range", f"must be 2 to {STAGES_MAX} stages")
    for n, stage in enumerate(found):
        if any(other.key == stage.key for other in found[:n]):
            words = f"{stage.key!r} stands twice"
            raise RuleError(f"stages[{n}].key", "unique", words)
    return tuple(found)


def _read_stage(node: Any, path: str) -> Stage:
    reader = Reader.over(node, path)
    reader.allow("key", "label", "rule")
    key, label = reader.name("key"), reader.name("label")
    if not KEY.match(key):
        words = "must be small letters, digits and underscores"
        raise RuleError(reader.at("key"), "form", words)
    check_text(label, reader.at("label"), limit=LABEL_MAX)
    try:
        rule = parse_rule(reader.need("rule"))
    except RuleError as error:
        inner = f"{path}.rule.{error.path}"
        raise RuleError(inner, error.code, error.message) from error
    for leaf in rule.leaves():
        asks = leaf.condition.mentions()
        if asks.segments or not asks.traits.isdisjoint((STAGE_TRAIT, CATALOG_CHANGED)):
            words = "stages ask for neither segments nor stages nor items of catalogs"
            raise RuleError(f"{path}.rule.{leaf.path}", "choice", words)
    return Stage(key, label, rule)


@dataclass(frozen=True, slots=True)
class InStage:
    """In one of these stages; with a window, entered within it."""

    keys: tuple[str, ...]
    window: Window | None = None

    def describe(self) -> str:
        words = " or ".join(f"“{key}”" for key in self.keys)
        since = f", entered in the last {self.window}" if self.window else ""
        return f"are in the lifecycle stage {words}{since}"

    def select(self, scope: Scope) -> Selection:
        limit = scope.limit("s.contact_id")
        since = () if self.window is None else (self.window.start(scope.at),)
        return Selection(
            Sql(
                "SELECT s.contact_id FROM segments_contactstage s WHERE s.stage = "
                f"ANY(%s::text[]){' AND s.since > %s' if since else ''}{limit.text}",
                (list(self.keys), *since, *limit.params),
            )
        )

    def wake(self, scope: Scope) -> Sql | None:
        if self.window is None:
            return None
        limit = scope.limit("s.contact_id")
        return Sql(
            "SELECT s.contact_id, s.since + %s AS wake_at FROM segments_contactstage s "
            f"WHERE s.stage = ANY(%s::text[]) AND s.since > %s{limit.text}",
            (
                self.window.span,
                list(self.keys),
                self.window.start(scope.at),
                *limit.params,
            ),
        )

    def mentions(self) -> Mentions:
        return Mentions(traits=frozenset({STAGE_TRAIT}))

    def evidence(self, scope: Scope) -> Evidence:
        limit = scope.limit("s.contact_id")
        return Evidence(
            Sql(
                "SELECT s.stage, s.since FROM segments_contactstage s "
                f"WHERE TRUE{limit.text}",
                limit.params,
            ),
            lambda row: (
                f"in “{row[0]}” since {row[1]:%Y-%m-%d %H:%M:%S} UTC"
                if row
                else "in no stage"
            ),
        )


class StageSource:
    """The lifecycle as a condition."""

    def terms(self) -> Sequence[Term]:
        units = tuple((unit, unit) for unit in reversed(UNIT_SECONDS))
        return [
            Term(
                "lifecycle",
                "In a lifecycle stage",
                "New, active, at risk, churned, or a stage of your own",
                {"type": "lifecycle", "stage": ""},
                (
                    Input("stage", "Stages, with commas between", "names"),
                    Input("within.amount", "Entered in the last", "number"),
                    Input("within.unit", "Unit", "choice", units),
                ),
            )
        ]

    def parse(self, node: Mapping[str, Any], path: str) -> Condition:
        reader = Reader(node, path)
        reader.allow("type", "stage", "within")
        if isinstance(node.get("stage"), str):
            keys = [reader.name("stage")]
        else:
            keys = [check_text(one, at, limit=50) for one, at in reader.items("stage")]
        if not keys:
            words = "must name at least one stage"
            raise RuleError(reader.at("stage"), "required", words)
        window = reader.window("within") if reader.has("within") else None
        return InStage(tuple(dict.fromkeys(keys)), window)
