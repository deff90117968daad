"""No figure without a meaning, no meaning without a figure."""

from __future__ import annotations

import dataclasses

from notifications.analytics.definitions import DEFINITIONS, RATES
from notifications.analytics.figures import CampaignReport

# What names the report rather than counts.
NOT_FIGURES = {"campaign_id", "name", "state", "at", "is_sandbox", "rates"}
# Lists that stand under a count.
PARTS = {"skips", "failures", "cancellations", "waits"}
ELSEWHERE = {"revenue_per_send", "revenue_per_delivered", "daily", "overview"}


def test_every_figure_of_a_report_is_defined_and_no_other() -> None:
    columns = {column.name for column in dataclasses.fields(CampaignReport)}

    assert columns - NOT_FIGURES - PARTS == set(DEFINITIONS) - set(RATES) - ELSEWHERE


def test_rates_are_made_of_defined_counts() -> None:
    assert RATES["open_rate"] == ("opened", "sent")
    for numerator, denominator in RATES.values():
        assert numerator in DEFINITIONS
        assert denominator in DEFINITIONS


def test_definitions_are_whole_sentences() -> None:
    for name, definition in DEFINITIONS.items():
        assert definition.label, name
        assert definition.window.endswith("."), name
        if not definition.denominator:
            assert definition.numerator.endswith("."), name
