"""Source `segment`: in another segment, or not.

    {"type": "segment", "segment": "big-spenders", "member": true}

A segment is named by its slug, which never changes. Its stored membership is
read, so a rule sees exactly the people that staff see in the other segment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crm.facts.reading import Reader
from crm.ports.facts import (
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


@dataclass(frozen=True, slots=True)
class InSegment:
    """Member of the segment with this slug, or not."""

    slug: str
    member: bool = True

    def describe(self) -> str:
        return f"are {'' if self.member else 'not '}in segment “{self.slug}”"

    def _members(self, scope: Scope) -> Sql:
        limit = scope.limit("m.contact_id")
        return Sql(
            "SELECT m.contact_id FROM segments_membership m WHERE m.segment_id = "
            f"(SELECT s.id FROM segments_segment s WHERE s.slug = %s){limit.text}",
            (self.slug, *limit.params),
        )

    def select(self, scope: Scope) -> Selection:
        return Selection(self._members(scope), negated=not self.member)

    def wake(self, scope: Scope) -> Sql | None:
        # The other segment has its own clock; its changes are passed on.
        return None

    def mentions(self) -> Mentions:
        return Mentions(segments=frozenset({self.slug}))

    def evidence(self, scope: Scope) -> Evidence:
        return Evidence(
            self._members(scope),
            lambda row: f"{'in' if row else 'not in'} “{self.slug}”",
        )


class SegmentSource:
    """Membership of other segments."""

    def terms(self) -> Sequence[Term]:
        return [
            Term(
                "segment",
                "In a segment",
                "Member of another segment, or not",
                {"type": "segment", "segment": "", "member": True},
                (
                    Input("segment", "Segment", "text", suggest="segments"),
                    Input("member", "Is a member", "check", is_on=True),
                ),
            )
        ]

    def parse(self, node: Mapping[str, Any], path: str) -> Condition:
        reader = Reader(node, path)
        reader.allow("type", "segment", "member")
        member = reader.flag("member") if reader.has("member") else True
        return InSegment(reader.name("segment"), member)


def check_references(
    slug: str,
    wanted: Mapping[str, str],
    known: Mapping[str, frozenset[str]],
) -> None:
    """Refuse unknown segments and cycles.

    `wanted` maps each slug the rule of `slug` names to the path that names it;
    `known` maps every segment to the slugs its own rule names.
    """
    for target, path in wanted.items():
        if target != slug and target not in known:
            raise RuleError(path, "unknown_segment", f"there is no segment {target!r}")
        if target == slug or slug in find_reachable(target, known):
            raise RuleError(path, "cycle", f"{target!r} depends on this segment")


def find_reachable(slug: str, known: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """Every segment that `slug` depends on, however far away."""
    seen: set[str] = set()
    ahead = [slug]
    while ahead:
        for target in known.get(ahead.pop(), frozenset()):
            if target not in seen:
                seen.add(target)
                ahead.append(target)
    return frozenset(seen)
