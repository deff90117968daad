"""Access tokens for FCM: one per sender and process, renewed ahead of time.

The endpoint is ours to choose, never the uploaded key's: a key file that names
another `token_uri` would make the server send a signed assertion anywhere.
"""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import certifi
import pycurl

from notifications.channels.fcm_transport import Limits, open_curl

SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
# Renewed this long before it expires, so that a batch never ends in a 401.
RENEW_AHEAD_S = 300
ASSERTION_LIFE_S = 3600


class TokenRefusedError(Exception):
    """No access token to be had: the key is revoked, or OAuth is unreachable."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail


class AccessTokens:
    """The current access token of one service account; safe between threads."""

    def __init__(
        self, *, signer: Any, email: str, endpoint: str, ca_bundle: str, limits: Limits
    ) -> None:
        self._signer = signer
        self._email = email
        self._endpoint = endpoint
        self._ca_bundle = ca_bundle or certifi.where()
        self._limits = limits
        self._lock = threading.Lock()
        self._token = ""
        self._expires_s = 0.0

    def get(self) -> str:
        """A token good for minutes; one POST when it is due, none otherwise."""
        with self._lock:
            if time.time() < self._expires_s - RENEW_AHEAD_S:
                return self._token
            try:
                self._renew()
            except TokenRefusedError:
                # OAuth is away, the old token still lives: use it to its end.
                if time.time() >= self._expires_s - self._limits.total_s:
                    raise
            return self._token

    def forget(self, token: str) -> None:
        """Drop a token that FCM refused, so that the next send asks for another."""
        with self._lock:
            if token == self._token:
                self._token, self._expires_s = "", 0.0

    def _renew(self) -> None:
        status, body = self._post_assertion()
        try:
            answer = json.loads(body)
            error = answer.get("error") or ""
            token, life_s = answer.get("access_token"), answer.get("expires_in")
        except (ValueError, AttributeError):
            raise TokenRefusedError(f"OAUTH_HTTP_{status}") from None
        if status != 200:
            detail = f"{error}: {answer.get('error_description', '')}"
            raise TokenRefusedError(f"OAUTH_{error or status}".upper()[:64], detail)
        if not isinstance(token, str) or not isinstance(life_s, int | float):
            raise TokenRefusedError("OAUTH_GARBAGE")
        self._token, self._expires_s = token, time.time() + life_s

    def _post_assertion(self) -> tuple[int, bytes]:
        easy = open_curl(self._endpoint, ca_bundle=self._ca_bundle, limits=self._limits)
        answer = io.BytesIO()
        form = {"grant_type": GRANT_TYPE, "assertion": self._sign_assertion()}
        # Asking twice for a token harms nobody: a plain body will do here.
        easy.setopt(pycurl.POSTFIELDS, urlencode(form))
        easy.setopt(pycurl.WRITEFUNCTION, answer.write)
        try:
            easy.perform()
            return easy.getinfo(pycurl.RESPONSE_CODE), answer.getvalue()
        except pycurl.error as error:
            raise TokenRefusedError("OAUTH_UNREACHABLE", str(error.args[1])) from None
        finally:
            easy.close()

    def _sign_assertion(self) -> bytes:
        from google.auth import jwt

        now_s = int(time.time())
        claims = {
            "iss": self._email,
            "scope": SCOPE,
            "aud": self._endpoint,
            "iat": now_s,
            "exp": now_s + ASSERTION_LIFE_S,
        }
        encode: Callable[..., bytes] = jwt.encode
        return encode(self._signer, claims)
