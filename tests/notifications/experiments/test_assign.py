from __future__ import annotations

from collections import Counter

import pytest

from notifications.experiments.assign import assign_bucket


def test_shares_are_kept_within_a_percent() -> None:
    people = [f"contact-{number}" for number in range(20_000)]
    counts = Counter(assign_bucket("welcome", p, (0.05, 0.45, 0.5)) for p in people)
    assert set(counts) == {0, 1, 2}
    for bucket, share in enumerate((0.05, 0.45, 0.5)):
        assert counts[bucket] / len(people) == pytest.approx(share, abs=0.01)


def test_seeds_part_people_independently() -> None:
    people = [f"contact-{number}" for number in range(20_000)]
    both = sum(
        assign_bucket("one", p, (0.5,)) == 0 and assign_bucket("two", p, (0.5,)) == 0
        for p in people
    )
    assert both / len(people) == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize(
    ("_case", "shares", "expected"),
    [
        ("past the sum is nobody's", (0.0505,), None),
        ("just inside", (0.0506,), 0),
        ("an empty share takes nobody", (0.0, 1.0), 1),
        ("no shares", (), None),
        ("float dust moves nobody", (0.1, 0.2, 0.7), 0),
    ],
)
def test_bucket_of_a_known_position(
    _case: str, shares: tuple[float, ...], expected: int | None
) -> None:
    assert assign_bucket("seed", "a", shares) == expected


@pytest.mark.parametrize("shares", [(-0.1, 0.5), (0.6, 0.5)])
def test_impossible_shares_are_refused(shares: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="shares must be"):
        assign_bucket("seed", "a", shares)
