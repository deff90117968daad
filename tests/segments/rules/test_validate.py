from __future__ import annotations

from typing import Any

import pytest

from crm.ports.facts import RuleError
from segments.rules.validate import DEPTH_MAX, NODES_MAX, parse_rule

LEAF = {"type": "everyone"}
DAYS = {"amount": 7, "unit": "days"}


def rule(root: Any) -> dict[str, Any]:
    return {"version": 1, "root": root}


def nest(depth: int) -> dict[str, Any]:
    node: dict[str, Any] = LEAF
    for _ in range(depth - 1):
        node = {"all": [node]}
    return node


def trait(op: Any, **more: Any) -> dict[str, Any]:
    return {"type": "attribute", "trait": "plan", "op": op, **more}


def measure(kind: str, **more: Any) -> dict[str, Any]:
    return {"type": "aggregate", "measure": kind, "name": "Viewed", **more}


def cohort(**more: Any) -> dict[str, Any]:
    return {"type": "cohort", **more}


def event(**more: Any) -> dict[str, Any]:
    return {"type": "event", "name": "Viewed", **more}


@pytest.mark.parametrize(
    ("_case", "data", "path", "code"),
    [
        ("not an object", [], "rule", "type"),
        ("no version", {"root": LEAF}, "version", "version"),
        ("version true", {"version": True, "root": LEAF}, "version", "version"),
        ("newer version", {"version": 2, "root": LEAF}, "version", "version"),
        ("no root", {"version": 1}, "root", "required"),
        ("extra key", {**rule(LEAF), "x": 1}, "rule", "unknown_key"),
        ("root a list", rule([LEAF]), "root", "type"),
        ("root null", rule(None), "root", "type"),
        ("empty object", rule({}), "root", "required"),
        ("two modes", rule({"all": [LEAF], "any": [LEAF]}), "root", "choice"),
        ("mode and type", rule({"all": [LEAF], "type": "x"}), "root", "choice"),
        ("group with more", rule({"all": [LEAF], "x": 1}), "root", "unknown_key"),
        ("empty group", rule({"any": []}), "root.any", "empty"),
        ("group not a list", rule({"any": LEAF}), "root.any", "type"),
        ("unknown type", rule({"all": [{"type": "x"}]}), "root.all[0].type", "choice"),
        ("type a list", rule({"type": ["event"]}), "root.type", "choice"),
        ("too deep", rule(nest(DEPTH_MAX + 1)), "root" + ".all[0]" * 10, "too_deep"),
        (
            "too many nodes",
            rule({"any": [LEAF] * NODES_MAX}),
            f"root.any[{NODES_MAX - 1}]",
            "too_big",
        ),
        ("no op", rule({"type": "attribute", "trait": "a"}), "root.op", "required"),
        ("unknown op", rule(trait("like", value="x")), "root.op", "choice"),
        ("op a number", rule(trait(1, value="x")), "root.op", "choice"),
        ("no value", rule(trait("equals")), "root.value", "required"),
        ("value an object", rule(trait("equals", value={})), "root.value", "type"),
        ("useless value", rule(trait("exists", value=1)), "root.value", "unknown_key"),
        ("text for a number", rule(trait("gt", value="3")), "root.value", "type"),
        ("true for a number", rule(trait("gt", value=True)), "root.value", "type"),
        ("nan", rule(trait("gt", value=float("nan"))), "root.value", "range"),
        ("infinity", rule(trait("lt", value=float("inf"))), "root.value", "range"),
        ("huge number", rule(trait("equals", value=10**40)), "root.value", "range"),
        ("in nothing", rule(trait("in", value=[])), "root.value", "required"),
        ("in text", rule(trait("in", value="ab")), "root.value", "type"),
        ("in objects", rule(trait("in", value=[1, {}])), "root.value[1]", "type"),
        ("in too many", rule(trait("in", value=[1] * 501)), "root.value", "too_long"),
        ("contains number", rule(trait("contains", value=1)), "root.value", "type"),
        ("NUL", rule(trait("equals", value="a\0")), "root.value", "nul"),
        ("surrogate", rule(trait("equals", value="\ud800")), "root.value", "surrogate"),
        ("long", rule(trait("equals", value="a" * 1001)), "root.value", "too_long"),
        ("no date", rule(trait("before", value="soon")), "root.value", "date"),
        ("no such day", rule(trait("after", value="2026-02-30")), "root.value", "date"),
        (
            "date out of range",
            rule(trait("after", value="0001-01-01T00:00+10:00")),
            "root.value",
            "date",
        ),
        ("window text", rule(trait("within_last", value="7d")), "root.value", "type"),
        ("extra key", rule(trait("exists", nam="x")), "root", "unknown_key"),
        ("no trait", rule({"type": "attribute", "op": "exists"}), "root.trait",
         "required"),
        ("trait blank", rule({"type": "attribute", "trait": " ", "op": "exists"}),
         "root.trait", "required"),
        ("trait NUL", rule({"type": "attribute", "trait": "a\0", "op": "exists"}),
         "root.trait", "nul"),
        ("trait and field",
         rule({"type": "attribute", "trait": "a", "field": "email", "op": "exists"}),
         "root", "choice"),
        ("unknown field",
         rule({"type": "attribute", "field": "id; DROP", "op": "exists"}),
         "root.field", "choice"),
        ("text field as number",
         rule({"type": "attribute", "field": "email", "op": "gt", "value": 1}),
         "root.op", "choice"),
        ("text field equals number",
         rule({"type": "attribute", "field": "email", "op": "equals", "value": 1}),
         "root.value", "type"),
        ("no name", rule({"type": "event"}), "root.name", "required"),
        ("name long", rule({"type": "event", "name": "n" * 201}), "root.name",
         "too_long"),
        ("count zero at least", rule(event(count={"op": "at_least", "n": 0})),
         "root.count.n", "range"),
        ("count text", rule(event(count={"op": "at_least", "n": "2"})),
         "root.count.n", "type"),
        ("count fraction", rule(event(count={"op": "at_least", "n": 1.5})),
         "root.count.n", "type"),
        ("count true", rule(event(count={"op": "exactly", "n": True})),
         "root.count.n", "type"),
        ("count and sum",
         rule(event(count={"op": "exactly", "n": 1},
                    sum={"property": "value", "op": "at_least", "n": 1})),
         "root", "choice"),
        ("sum without property", rule(event(sum={"op": "at_least", "n": 1})),
         "root.sum.property", "required"),
        ("window zero", rule(event(within={"amount": 0, "unit": "days"})),
         "root.within.amount", "range"),
        ("window over ten years", rule(event(within={"amount": 3651, "unit": "days"})),
         "root.within.amount", "range"),
        ("window unit", rule(event(within={"amount": 1, "unit": "months"})),
         "root.within.unit", "choice"),
        ("filter not an object", rule(event(where=["x"])), "root.where[0]", "type"),
        ("filter op", rule(event(where=[{"property": "a", "op": "before"}])),
         "root.where[0].op", "choice"),
        ("filters too many",
         rule(event(where=[{"property": "a", "op": "exists"}] * 21)),
         "root.where", "too_long"),
        ("newcomers text",
         rule({"type": "not_performed", "name": "a", "include_newcomers": "yes"}),
         "root.include_newcomers", "type"),
        ("platform", rule({"type": "device", "platform": "fridge"}), "root.platform",
         "choice"),
        ("permission",
         rule({"all": [LEAF, {"type": "device", "permission": ["granted", 3]}]}),
         "root.all[1].permission[1]", "choice"),
        ("no pattern", rule(trait("matches", value="(a")), "root.value", "pattern"),
        ("pattern too long", rule(trait("matches", value="a" * 201)), "root.value",
         "too_long"),
        ("no version", rule(trait("version_is", value="new")), "root.value", "version"),
        ("version a number", rule(trait("version_is", value=2)), "root.value", "type"),
        ("no period", rule(trait("during", value="someday")), "root.value", "choice"),
        ("far anniversary", rule(trait("anniversary", value=181)), "root.value",
         "range"),
        ("has an object", rule(trait("has", value={})), "root.value", "type"),
        ("two windows", rule(event(within=DAYS, between={"from": "2026-01-01"})),
         "root", "choice"),
        ("a window without ends", rule(event(between={})), "root.between", "required"),
        ("a window backwards",
         rule(event(between={"from": "2026-02-01", "to": "2026-01-01"})),
         "root.between", "range"),
        ("an end that is no date", rule(event(between={"to": "soon"})),
         "root.between.to", "date"),
        ("which time",
         rule({"type": "occurrence", "name": "a", "op": "before", "value": "2026"}),
         "root.which", "required"),
        ("nothing asked of it",
         rule({"type": "occurrence", "name": "a", "which": "last"}), "root",
         "required"),
        ("a time without its operator",
         rule({"type": "occurrence", "name": "a", "which": "last", "value": 1,
               "having": [{"property": "a", "op": "exists"}]}), "root.op", "required"),
        ("a time to come",
         rule({"type": "occurrence", "name": "a", "which": "last", "op": "in_next"}),
         "root.op", "choice"),
        ("the 0th",
         rule({"type": "occurrence", "name": "a", "which": "last", "n": 0,
               "op": "within_last", "value": DAYS}), "root.n", "range"),
        ("no such measure", rule(measure("median")), "root.measure", "choice"),
        ("a measure of no property", rule(measure("sum", op="gt", value=1)),
         "root.property", "required"),
        ("a property of a count", rule(measure("count", property="a", op="gt")),
         "root.property", "unknown_key"),
        ("a number by its text",
         rule(measure("average", property="a", op="contains", value="1")),
         "root.op", "choice"),
        ("a time by its number", rule(measure("last_at", op="gt", value=1)),
         "root.op", "choice"),
        ("a measure against nothing", rule(measure("count", op="gt")), "root.value",
         "required"),
        ("a measure in two windows",
         rule(measure("count", op="gt", value=1, within=DAYS,
                      between={"to": "2026-01-01"})), "root", "choice"),
        ("a measure with a count", rule(measure("count", count=1)), "root",
         "unknown_key"),
        ("a look-up without its field",
         rule(measure("last", property="a", lookup={"catalog": "products"})),
         "root.lookup.field", "required"),
        ("a share without ends", rule(cohort()), "root", "required"),
        ("a share below 0", rule(cohort(**{"from": -1})), "root.from", "range"),
        ("a share above 100", rule(cohort(to=100.5)), "root.to", "range"),
        ("a share too fine", rule(cohort(to=10.005)), "root.to", "range"),
        ("a share as text", rule(cohort(to="10")), "root.to", "type"),
        ("an empty share", rule(cohort(**{"from": 10, "to": 10})), "root", "range"),
        ("a draw by number", rule(cohort(to=1, seed=0)), "root.seed", "type"),
        ("one step", rule({"type": "sequence", "steps": [{"name": "a"}]}),
         "root.steps", "range"),
        ("eleven steps", rule({"type": "sequence", "steps": [{"name": "a"}] * 11}),
         "root.steps", "range"),
        ("a step without a name",
         rule({"type": "sequence", "steps": [{"name": "a"}, {}]}),
         "root.steps[1].name", "required"),
        ("a filter of a step",
         rule({"type": "sequence", "steps": [
             {"name": "a", "where": [{"property": "a", "op": "like"}]}]}),
         "root.steps[0].where[0].op", "choice"),
        ("nothing to follow", rule({"type": "not_followed", "first": {"name": "a"}}),
         "root.then", "required"),
        ("a span as long as the window",
         rule({"type": "not_followed", "first": {"name": "a"}, "then": {"name": "b"},
               "span": DAYS, "within": DAYS}), "root.span", "range"),
        ("segment missing", rule({"type": "segment"}), "root.segment", "required"),
        ("deep in the tree",
         rule({"all": [LEAF, {"none": [event(within={"amount": 1})]}]}),
         "root.all[1].none[0].within.unit", "required"),
    ],
)  # fmt: skip
def test_a_wrong_rule_is_refused_with_its_node(
    _case: str, data: Any, path: str, code: str
) -> None:
    with pytest.raises(RuleError) as caught:
        parse_rule(data)
    assert (caught.value.path, caught.value.code) == (path, code)


def test_the_deepest_and_the_widest_rule_are_taken() -> None:
    assert parse_rule(rule(nest(DEPTH_MAX)))
    wide = parse_rule(rule({"any": [LEAF] * (NODES_MAX - 1)}))
    assert len(list(wide.leaves())) == NODES_MAX - 1


def test_a_rule_says_what_can_move_it() -> None:
    parsed = parse_rule(
        rule(
            {
                "all": [
                    trait("exists"),
                    event(within=DAYS),
                    {"type": "not_performed", "name": "Paid"},
                    {"type": "attribute", "field": "known_since", "op": "exists"},
                    {"type": "device"},
                    {"none": [{"type": "segment", "segment": "vip"}]},
                ]
            }
        )
    )
    mentions = parsed.mentions()
    assert mentions.events == {"Viewed", "Paid", "*"}
    assert mentions.traits == {"plan", "known_since", "$device"}
    assert mentions.segments == {"vip"}
