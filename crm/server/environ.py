"""ASGI's scope as WSGI's environment. Pure."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import IO, Any
from urllib.parse import unquote_to_bytes

# The two that CGI has under other names.
PLAIN_NAMES = {b"content-type": "CONTENT_TYPE", b"content-length": "CONTENT_LENGTH"}


def build_environ(
    scope: Mapping[str, Any], body: IO[bytes], *, proxies: int = 0
) -> dict[str, Any]:
    """What PEP 3333 asks for; texts are bytes read as Latin-1, as it says.

    `proxies` of ours stand before us: the caller's address is what the first of them
    wrote down.
    """
    raw_path = scope.get("raw_path") or scope["path"].encode()
    host, port = scope.get("server") or ("localhost", 80)
    headers = name_headers(scope["headers"])
    client = (scope.get("client") or ("", 0))[0]
    return {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(raw_path).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "REMOTE_ADDR": find_address(client, headers, proxies),
        **headers,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.input": body,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }


def name_headers(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Repeated headers become one. A name with an underscore is left out: it would
    pass for the one with a dash that a proxy sets."""
    named: dict[str, str] = {}
    for name, value in headers:
        if b"_" in name:
            continue
        plain = PLAIN_NAMES.get(name)
        key = plain or "HTTP_" + name.decode("latin-1").upper().replace("-", "_")
        text = value.decode("latin-1")
        if key in named:
            joint = "; " if key == "HTTP_COOKIE" else ","
            text = f"{named[key]}{joint}{text}"
        named[key] = text
    return named


def find_address(client: str, headers: Mapping[str, str], proxies: int) -> str:
    """Counted from the right: what stands further left, the caller may have made up."""
    told = headers.get("HTTP_X_FORWARDED_FOR", "").split(",")
    if not 0 < proxies <= len(told):
        return client
    return told[-proxies].strip() or client
