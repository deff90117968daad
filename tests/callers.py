"""Programs that call the API, and bodies that nobody may take."""

from __future__ import annotations

import json
from typing import Any

from django.test import Client

from tests.factories import make_api_key

# What JSON parsers and databases choke on: in a key that each address keeps.
POISON: list[tuple[bytes, int, str]] = [
    (b'{"name":"n","k":"a\\u0000b"}', 400, "null_character"),
    (b'{"name":"n","k":"\\ud800"}', 400, "lone_surrogate"),
    (b'{"name":"n","k":NaN}', 400, "not_a_number"),
    (b'{"name":"n","k":1e400}', 400, "number_out_of_range"),
    (b'{"name":"n","k":' + b"9" * 4_000 + b"}", 400, "integer_too_big"),
    (b'{"name":"n","k":' + b"[" * 990 + b"]" * 990 + b"}", 400, "too_deep"),
    (b"[" * 30_000, 400, "too_deep"),
    (b'{"name":"\xff"}', 400, "invalid_utf8"),
    (b"\xef\xbb\xbf{}", 400, "invalid_utf8"),
    ('{"name":"n"}'.encode("utf-16"), 400, "invalid_utf8"),
    (b'{"name":', 400, "invalid_json"),
    (b"\x1f\x8bnot gzip", 400, "invalid_gzip"),
    (b'{"k":"' + b"x" * 40_000 + b'"}', 413, "body_too_large"),
    (b'{"k":"' + b"x" * 600_000 + b'"}', 413, "body_too_large"),
]


class Caller:
    """Speaks to the API with one key."""

    def __init__(self, *scopes: str) -> None:
        self.header = f"Bearer {make_api_key(*scopes)}"

    def send(self, method: str, path: str, body: Any = b"") -> Any:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        client = Client(raise_request_exception=False)
        return client.generic(
            method, path, raw, "application/json", HTTP_AUTHORIZATION=self.header
        )

    def do(self, method: str, path: str, body: Any = b"") -> Any:
        answer = self.send(method, path, body)
        assert answer.status_code == 200, answer.content
        return answer.json()
