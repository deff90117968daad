"""The signed word by which a device may report on one delivery, and no other."""

from __future__ import annotations

import base64
import uuid

from django.utils.crypto import constant_time_compare, salted_hmac

SALT = "apropos.push.report"


def sign_report(delivery_id: uuid.UUID) -> str:
    """22 characters of HMAC-SHA-256 over the delivery's id."""
    digest = salted_hmac(SALT, delivery_id.hex, algorithm="sha256").digest()
    return base64.urlsafe_b64encode(digest[:16]).decode().rstrip("=")


def verify_report(delivery_id: uuid.UUID, token: str) -> bool:
    return constant_time_compare(sign_report(delivery_id), token)
