from __future__ import annotations

import pytest

from notifications.reasons import (
    RUNGS,
    SENTENCES,
    WORDS,
    Reason,
    find_reason,
    name_reason,
)

# As `decisions.md` (Delivery, Reasons) names them: a reason is stored in rows, so that
# a name may be added but never changed.
NAMES = """
    no_consent suppressed no_address permission_denied quiet_hours capped cooldown
    outranked repeated exit_goal exit_event left_audience paused switch_off
    profile_erased merged minor template_missing_value template_error too_long
    link_refused dead_address provider_refused provider_config offer_over approval
"""


def test_reasons_are_the_ones_that_rows_hold() -> None:
    assert [reason.value for reason in Reason] == NAMES.split()


def test_each_reason_has_a_sentence_and_a_rung() -> None:
    assert set(SENTENCES) == set(Reason)
    assert set(WORDS) == set(Reason)
    assert set(RUNGS) == set(Reason)


@pytest.mark.parametrize("reason", Reason)
def test_sentence_reads_as_plain_english(reason: Reason) -> None:
    sentence = reason.sentence
    assert sentence[0].isupper()
    assert sentence.endswith(".")
    assert "_" not in sentence
    # What happened, and what to do.
    assert sentence.count(". ") >= 1


@pytest.mark.parametrize("reason", Reason)
def test_a_label_is_a_few_words_of_its_own(reason: Reason) -> None:
    words = reason.words
    assert words[0].isupper()
    assert not words.endswith(".")
    assert len(words) <= 30
    assert list(WORDS.values()).count(words) == 1


def test_a_reason_of_a_later_version_is_still_named() -> None:
    assert name_reason("dead_address") == "App removed"
    assert name_reason("too_many_moons") == "Too many moons"
    assert name_reason("") == ""
    assert find_reason("too_many_moons") is None


def test_sentences_differ() -> None:
    assert len(set(SENTENCES.values())) == len(Reason)


@pytest.mark.parametrize("reason", Reason)
def test_report_counts_a_reason_under_an_end_not_a_wait(reason: Reason) -> None:
    assert reason.rung in ("skipped", "failed", "cancelled")
    assert reason.rung == reason.rungs[0]
    assert len(set(reason.rungs)) == len(reason.rungs)
