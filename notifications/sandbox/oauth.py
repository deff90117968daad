"""The sandbox's OAuth: any well-formed assertion buys a token; and a key to sign it."""

from __future__ import annotations

import base64
import binascii
import functools
import json
import secrets
from typing import Any
from urllib.parse import parse_qs

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
# Stateless, so that a restarted sandbox honours the tokens of the last one.
TOKEN_PREFIX = "sandbox."  # noqa: S105 - a prefix
TOKEN_LIFE_S = 3599
PROJECT_ID = "apropos-sandbox"
REQUIRED_CLAIMS = ("iss", "aud", "scope", "iat", "exp")


def grant_token(form: bytes) -> tuple[int, bytes]:
    """The answer of `POST /token`: status and JSON body."""
    fields = parse_qs(form.decode("latin-1"))
    if fields.get("grant_type") != [GRANT_TYPE]:
        return 400, b'{"error": "unsupported_grant_type"}'
    if not is_assertion(fields.get("assertion", [""])[0]):
        error = {"error": "invalid_grant", "error_description": "Invalid JWT"}
        return 400, json.dumps(error).encode()
    answer = {
        "access_token": TOKEN_PREFIX + secrets.token_urlsafe(24),
        "expires_in": TOKEN_LIFE_S,
        "token_type": "Bearer",
    }
    return 200, json.dumps(answer).encode()


def is_assertion(jwt: str) -> bool:
    """Whether this has the shape of a signed JWT; the signature is not checked."""
    parts = jwt.split(".")
    if len(parts) != 3 or not parts[2]:
        return False
    header, claims = _decode_part(parts[0]), _decode_part(parts[1])
    return header.get("alg") == "RS256" and all(
        claim in claims for claim in REQUIRED_CLAIMS
    )


def _decode_part(part: str) -> dict[str, Any]:
    try:
        padded = part + "=" * (-len(part) % 4)
        value = json.loads(base64.urlsafe_b64decode(padded))
    except (ValueError, binascii.Error):
        return {}
    return value if isinstance(value, dict) else {}


@functools.cache
def make_service_account(sandbox_url: str) -> dict[str, str]:
    """A service account for the sandbox, its key made here and kept nowhere."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return {
        "type": "service_account",
        "project_id": PROJECT_ID,
        "private_key_id": "sandbox",
        "private_key": pem.decode(),
        "client_email": f"push@{PROJECT_ID}.iam.gserviceaccount.com",
        "client_id": "0",
        "token_uri": f"{sandbox_url}/token",
    }
