"""Conditions on messages: their English, their facts and their faults."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from crm.ports.facts import RuleError, find_fact_source, read_names
from segments.admin.draft import build_editor, read_draft
from segments.explain import explain_contact
from segments.rules.describe import describe
from segments.rules.validate import parse_rule
from tests.factories import NOON, make_campaign, make_contact, make_delivery

DAYS = {"amount": 7, "unit": "days"}
ONE_DAY = {"amount": 1, "unit": "days"}
DAY = timedelta(days=1)


def parse(node: dict[str, Any]) -> Any:
    return parse_rule({"version": 1, "root": node})


@pytest.mark.parametrize(
    ("node", "words"),
    [
        ({"outcome": "sent"}, "were sent a message ever"),
        (
            {"outcome": "opened", "campaign": "Spring", "channel": "push"}
            | {"within": DAYS},
            "opened a message by push of the campaign “Spring” in the last 7 days",
        ),
        (
            {"outcome": "clicked", "count": {"op": "at_most", "n": 2}, "campaign": 7},
            "clicked at most 2 messages of the campaign no. 7 ever",
        ),
        (
            {"outcome": "delivered", "count": {"op": "exactly", "n": 0}},
            "did not receive any message ever",
        ),
        (
            {"type": "not_message", "outcome": "sent", "within": DAYS},
            "were not sent any message in the last 7 days (known for at least 7 days)",
        ),
        (
            {"type": "not_message", "outcome": "converted"}
            | {"between": {"from": "2026-03-01"}},
            "did not reach the goal of any message from 2026-03-01 on "
            "(known since 2026-03-01 or earlier)",
        ),
        (
            {"type": "ignored", "last": 3, "channel": "email", "within": DAYS},
            "left their last 3 messages by e-mail unopened for 1 day or longer, "
            "in the last 7 days",
        ),
    ],
)
def test_it_reads_as_english(node: dict[str, Any], words: str) -> None:
    rule = parse({"type": "message", **node})
    assert describe(rule) == f"People who {words}."


@pytest.mark.parametrize(
    ("node", "path", "code"),
    [
        ({}, "root.outcome", "required"),
        ({"outcome": "read"}, "root.outcome", "choice"),
        ({"outcome": ["sent"]}, "root.outcome", "choice"),
        ({"outcome": "sent", "channel": "fax"}, "root.channel", "choice"),
        ({"outcome": "sent", "campaign": {"id": 1}}, "root.campaign", "type"),
        ({"outcome": "sent", "campaign": True}, "root.campaign", "type"),
        ({"outcome": "sent", "campaign": 0}, "root.campaign", "range"),
        ({"outcome": "sent", "campaign": 2**64}, "root.campaign", "range"),
        ({"outcome": "sent", "campaign": "a\0b"}, "root.campaign", "nul"),
        ({"outcome": "sent", "campaing": "x"}, "root", "unknown_key"),
        ({"outcome": "sent", "within": DAYS, "between": {}}, "root", "choice"),
        ({"outcome": "sent", "count": {"op": "at_least", "n": 0}}, "root.count.n",
         "range"),
        ({"type": "not_message", "outcome": "sent", "count": {}}, "root",
         "unknown_key"),
        ({"type": "ignored"}, "root.last", "required"),
        ({"type": "ignored", "last": 101}, "root.last", "range"),
        ({"type": "ignored", "last": 1, "after": {"amount": 7, "unit": "days"},
          "within": DAYS}, "root.within", "range"),
    ],
)  # fmt: skip
def test_a_wrong_node_is_named(node: dict[str, Any], path: str, code: str) -> None:
    with pytest.raises(RuleError) as caught:
        parse({"type": "message", **node})
    assert (caught.value.path, caught.value.code) == (path, code)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("node", "matches", "facts"),
    [
        (
            {"type": "message", "outcome": "sent"},
            True,
            "2 messages sent, the last on 2026-03-04 12:00:00 UTC (“Spring”)",
        ),
        (
            {"type": "message", "outcome": "opened", "channel": "push"},
            True,
            "1 message opened, the last on 2026-03-02 13:00:00 UTC (“Spring”)",
        ),
        (
            {"type": "not_message", "outcome": "opened", "within": ONE_DAY},
            True,
            "no message opened",
        ),
        (
            {"type": "ignored", "last": 1},
            True,
            "1 unopened in a row, the last open on 2026-03-02 13:00:00 UTC",
        ),
        ({"type": "ignored", "last": 1, "channel": "sms"}, False,
         "0 unopened in a row, none was opened"),
    ],
)  # fmt: skip
def test_the_facts_that_decided(node: Any, matches: bool, facts: str) -> None:
    contact, campaign = (
        make_contact(known_since=NOON - 30 * DAY),
        make_campaign("Spring"),
    )
    make_delivery(campaign, contact)
    opened = {"sent_at": NOON - 2 * DAY, "opened_at": NOON - 47 * DAY / 24}
    make_delivery(campaign, contact, occurrence="before", **opened)
    told = explain_contact(parse(node), contact.pk, at=NOON + DAY)
    assert (told.matches, told.facts) == (matches, facts)


@pytest.mark.django_db
def test_editors_and_sentences_know_the_campaigns(admin_client: Client) -> None:
    make_campaign("Spring")
    assert read_names("campaigns") == {"Spring": "Spring"}
    shown = admin_client.get("/admin/segments/segment/add/")
    assert '<option value="Spring">' in shown.content.decode()


@pytest.mark.parametrize("campaign", ["Spring", 7, "7", ""])
def test_an_editor_keeps_what_a_campaign_is_named_by(campaign: str | int) -> None:
    source = find_fact_source("message")
    assert source is not None
    node: dict[str, Any] = {"type": "message", "outcome": "opened", "channel": "push"}
    node |= {"campaign": campaign} if campaign else {}
    fields = {
        one["name"]: str(one["value"]) for one in build_editor(node, {})["inputs"]
    }
    posted = Posted({**fields, "r.type": "message", "r.mode": ""})
    read = {key: value for key, value in read_draft(posted).items() if key != "count"}
    assert read == node


class Posted(dict[str, str]):
    """What a form sends."""

    def getlist(self, key: str) -> list[str]:
        return [self[key]] if key in self else []
