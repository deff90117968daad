"""Signatures of Standard Webhooks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from crm.catalog.signature import check_signature, sign_message

# The vector that the standard's own libraries are tested with.
SECRET = "whsec_plJ3nmyCDGBKInavdOK15jsl"
BODY = b'{"event_type":"ping","data":{"success":true}}'
ID = "msg_loFOjxBNrRLzqYUf"
SENT_S = 1731705121
SENT = datetime.fromtimestamp(SENT_S, UTC)
SIGNATURE = "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0="
HEADERS = {
    "webhook-id": ID,
    "webhook-timestamp": str(SENT_S),
    "webhook-signature": SIGNATURE,
}


def test_the_published_vector_holds() -> None:
    assert sign_message(SECRET, ID, SENT_S, BODY) == SIGNATURE
    assert check_signature(SECRET, HEADERS, BODY, at=SENT) == ID


def test_one_right_signature_of_several_is_enough() -> None:
    both = {**HEADERS, "webhook-signature": f"v1a,xyz {SIGNATURE}"}
    assert check_signature(SECRET, both, BODY, at=SENT) == ID


@pytest.mark.parametrize(
    ("_case", "change"),
    [
        ("another id", {"webhook-id": "msg_other"}),
        ("another time", {"webhook-timestamp": str(SENT_S + 1)}),
        ("no time", {"webhook-timestamp": "now"}),
        ("a time in other digits", {"webhook-timestamp": "١٧"}),
        ("endless time", {"webhook-timestamp": "9" * 400}),
        ("no id", {"webhook-id": ""}),
        ("a letter", {"webhook-signature": SIGNATURE.replace("rAv", "rAw")}),
        ("no version", {"webhook-signature": SIGNATURE.removeprefix("v1,")}),
        ("letters that are none", {"webhook-signature": "v1,é"}),
        ("nothing", {"webhook-signature": ""}),
    ],
)
def test_anything_else_is_not_signed(_case: str, change: dict[str, str]) -> None:
    assert check_signature(SECRET, {**HEADERS, **change}, BODY, at=SENT) == ""


def test_another_body_or_secret_is_not_signed() -> None:
    assert check_signature(SECRET, HEADERS, BODY + b" ", at=SENT) == ""
    for secret in ("", "whsec_", "whsec_AAAA", "whsec_%%%"):
        assert check_signature(secret, HEADERS, BODY, at=SENT) == ""


@pytest.mark.parametrize(("off_s", "fits"), [(299, True), (301, False), (-301, False)])
def test_a_call_is_fresh_for_five_minutes(off_s: int, fits: bool) -> None:
    at = SENT + timedelta(seconds=off_s)
    assert bool(check_signature(SECRET, HEADERS, BODY, at=at)) is fits
