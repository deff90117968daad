from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from preferences.ledger import (
    CLEARED,
    Fault,
    Line,
    Word,
    find_faults,
    fold_lines,
    hash_line,
    truncate_address,
)

AT = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)


def make_line(number: int = 1, **changes) -> Line:
    line = Line(
        contact_uuid="0193",
        number=number,
        center_id=1,
        channel="push",
        topic_id=2,
        purpose="promotional",
        action="subscribed",
        at=AT,
        actor="self",
        source="page",
        wording_version=1,
        locale="en",
        address="203.0.113.0/24",
        proof="",
        previous_hash="",
    )
    return replace(line, **changes)


def make_chain(length: int) -> list[tuple[Line, str]]:
    chain: list[tuple[Line, str]] = []
    for number in range(1, length + 1):
        previous = chain[-1][1] if chain else ""
        line = make_line(number, previous_hash=previous)
        chain.append((line, hash_line(line)))
    return chain


def test_the_hash_is_the_same_whatever_the_zone_of_its_time():
    elsewhere = AT.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert hash_line(make_line()) == hash_line(make_line(at=elsewhere))


@pytest.mark.parametrize("name", [n for n in Line.__slots__ if n != "at"])
def test_each_column_is_in_the_hash(name):
    value = getattr(make_line(), name)
    other = value + 1 if isinstance(value, int) else f"{value}x"
    assert hash_line(make_line(**{name: other})) != hash_line(make_line())


def test_an_untouched_chain_has_no_fault():
    assert find_faults(make_chain(5)) == []


def test_a_changed_row_is_named():
    chain = make_chain(5)
    chain[2] = replace(chain[2][0], action="unsubscribed"), chain[2][1]
    assert find_faults(chain) == [Fault(3, "content does not match its hash")]


def test_a_rewritten_row_breaks_the_one_after_it():
    chain = make_chain(5)
    forged = replace(chain[2][0], action="unsubscribed")
    chain[2] = forged, hash_line(forged)
    assert find_faults(chain) == [Fault(4, "does not follow the row before it")]


def test_a_removed_row_is_named():
    chain = make_chain(5)
    del chain[2]
    assert find_faults(chain) == [Fault(4, "row 3 is missing")]


def test_the_last_word_at_a_level_stands():
    later = AT + timedelta(hours=1)
    lines = [
        make_line(1),
        make_line(2, topic_id=None),
        make_line(3, action="unsubscribed", at=later),
    ]
    assert fold_lines(lines) == {
        (1, ("push", 2)): Word("unsubscribed", later),
        (1, ("push", None)): Word("subscribed", AT),
    }


def test_cleared_ends_all_words():
    lines = [make_line(1), make_line(2, action=CLEARED, center_id=None)]
    assert fold_lines(lines) == {}


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        (" 203.0.113.77 ", "203.0.113.0/24"),
        ("2001:db8:1:2:3::4", "2001:db8:1::/48"),
        ("::ffff:203.0.113.77", "203.0.113.0/24"),
        ("", ""),
        ("unknown", ""),
        ("203.0.113.77:80", ""),
    ],
)
def test_an_address_is_kept_as_its_network(address, kept):
    assert truncate_address(address) == kept
