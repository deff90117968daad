from __future__ import annotations

from dataclasses import MISSING, fields

import pytest

from notifications.decisioning.eligibility import ADDRESS_FAULTS, Facts, Skip
from notifications.reasons import Reason


def test_forgotten_fact_never_reads_as_permission() -> None:
    defaults = {f.name for f in fields(Facts) if f.default is not MISSING}
    assert defaults == {"tags"}
    with pytest.raises(TypeError, match="missing"):
        Facts()  # type: ignore[call-arg]


def test_each_way_not_to_reach_somebody_has_a_reason_to_skip() -> None:
    assert set(ADDRESS_FAULTS) == {"none", "denied", "dead"}
    assert all("skipped" in reason.rungs for reason in ADDRESS_FAULTS.values())


def test_answers_are_values() -> None:
    assert Skip(Reason.CAPPED) == Skip(Reason.CAPPED, "")
    assert Skip(Reason.CAPPED) != Skip(Reason.COOLDOWN)
