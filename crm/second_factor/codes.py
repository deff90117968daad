"""Codes as people write them, and recovery codes as we keep them."""

from __future__ import annotations

import base64
import re
import secrets

from django.utils.crypto import salted_hmac

# 10 of 32 letters: 50 bits, with a growing wait for each wrong guess.
CODE_LETTERS = 10
# The column's width; 80 bits of the hash.
FINGERPRINT_BYTES = 10


def make_code() -> str:
    """Such as `k3vqa-7mzdt`: no 0 and no 1, which read like letters."""
    text = base64.b32encode(secrets.token_bytes(8)).decode().lower()[:CODE_LETTERS]
    return f"{text[:5]}-{text[5:]}"


def read_code(said: str) -> str:
    """Without the spaces and dashes that people and apps put in."""
    return re.sub(r"[\s-]", "", said).lower()


def is_app_code(code: str) -> bool:
    """Six digits; anything else can only be a recovery code."""
    return re.fullmatch(r"[0-9]{6}", code) is not None


def fingerprint_code(person_id: int, code: str) -> str:
    """What is stored of a recovery code: whoever reads the table can not use it."""
    text = f"{person_id}:{code}"
    digest = salted_hmac("crm.second_factor", text, algorithm="sha256").digest()
    return base64.b32encode(digest[:FINGERPRINT_BYTES]).decode().lower()


def space_secret(key: bytes) -> str:
    """The secret in groups of four, for typing it into an app."""
    text = base64.b32encode(key).decode().rstrip("=")
    return " ".join(text[at : at + 4] for at in range(0, len(text), 4))
