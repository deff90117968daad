from __future__ import annotations

import pytest

from crm.ports.facts import RuleError
from segments.rules.membership import check_references, find_reachable

KNOWN = {
    "a": frozenset({"b"}),
    "b": frozenset({"c"}),
    "c": frozenset(),
    "d": frozenset({"a", "c"}),
}


@pytest.mark.parametrize(
    ("_case", "slug", "target", "code"),
    [
        ("itself", "a", "a", "cycle"),
        ("a new one itself", "new", "new", "cycle"),
        ("back at once", "b", "a", "cycle"),
        ("back over two", "c", "d", "cycle"),
        ("unknown", "a", "nowhere", "unknown_segment"),
    ],
)
def test_rings_and_unknown_segments_are_refused(
    _case: str, slug: str, target: str, code: str
) -> None:
    with pytest.raises(RuleError) as caught:
        check_references(slug, {target: "root.segment"}, KNOWN)
    assert (caught.value.path, caught.value.code) == ("root.segment", code)


def test_a_diamond_is_no_ring() -> None:
    check_references("new", {"d": "root.all[0].segment", "b": "root"}, KNOWN)
    assert find_reachable("d", KNOWN) == {"a", "b", "c"}
