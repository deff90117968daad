"""Signatures of Standard Webhooks: HMAC-SHA256 over id, time and body. Pure.

https://www.standardwebhooks.com: `webhook-id`, `webhook-timestamp` (seconds) and
`webhook-signature`, one or more of `v1,<base64>` with spaces between them.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Final

# A call is good so long after, or before, the time that it says.
TOLERANCE_S: Final = 300
PREFIX: Final = "whsec_"
MAX_ID: Final = 255
MAX_SIGNATURES: Final = 10


def sign_message(secret: str, message_id: str, sent_s: int, body: bytes) -> str:
    """The signature as the header carries it; raises ValueError for no secret."""
    key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    signed = f"{message_id}.{sent_s}.".encode() + body
    digest = hmac.digest(key, signed, "sha256")
    return f"v1,{base64.b64encode(digest).decode()}"


def check_signature(
    secret: str, headers: Mapping[str, str], body: bytes, *, at: datetime
) -> str:
    """The id of a call that is signed and fresh, '' of any other.

    What is wrong is not said: it would help only who guesses.
    """
    message_id = headers.get("webhook-id", "")
    sent = headers.get("webhook-timestamp", "")
    if not secret or not 0 < len(message_id) <= MAX_ID or not message_id.isascii():
        return ""
    if not sent.isascii() or not sent.isdecimal() or len(sent) > 12:
        return ""
    if abs(at.timestamp() - int(sent)) > TOLERANCE_S:
        return ""
    try:
        expected = sign_message(secret, message_id, int(sent), body).encode()
    except (binascii.Error, ValueError):
        return ""
    said = headers.get("webhook-signature", "").split()[:MAX_SIGNATURES]
    fits = [hmac.compare_digest(expected, one.encode()) for one in said]
    return message_id if any(fits) else ""
