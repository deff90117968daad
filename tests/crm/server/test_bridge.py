"""A WSGI application answers through the bridge what it answers by itself."""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
import tracemalloc
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from crm.server.bridge import WholeRequests
from crm.server.environ import build_environ, name_headers

SCOPE: dict[str, Any] = {
    "type": "http",
    "method": "POST",
    "http_version": "1.1",
    "scheme": "https",
    "path": "/a/é",
    "raw_path": b"/a/%C3%A9%ff",
    "query_string": b"q=%C3%A9",
    "headers": [(b"host", b"crm.example"), (b"content-length", b"5")],
    "client": ("192.0.2.7", 4711),
    "server": ("10.0.0.1", 8000),
}


def call(
    application: Callable[..., Iterable[bytes]], *messages: dict[str, Any], **scope: Any
) -> tuple[int, dict[bytes, bytes], bytes]:
    """One request; `(0, …)` where nothing was answered."""
    left = list(messages)
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return left.pop(0)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    bridge = WholeRequests(
        application, threads=1, wait_s=5, find_limit=lambda path: 1_000
    )
    asyncio.run(bridge({**SCOPE, **scope}, receive, send))
    if not sent:
        return 0, {}, b""
    start, *blocks = sent
    assert [block["more_body"] for block in blocks] == [False]
    body = b"".join(block["body"] for block in blocks)
    return start["status"], dict(start["headers"]), body


def echo(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    start_response("201 Created", [("X-Thread", threading.current_thread().name)])
    return [environ["wsgi.input"].read(), b"!"]


def test_a_request_is_handed_over_whole_and_in_a_thread_of_the_pool() -> None:
    status, headers, body = call(
        echo,
        {"type": "http.request", "body": b"he", "more_body": True},
        {"type": "http.request", "body": b"llo", "more_body": False},
    )

    assert (status, body) == (201, b"hello!")
    assert headers[b"x-thread"].startswith(b"web")


def test_a_request_without_a_body_waits_for_none() -> None:
    assert call(echo, headers=[(b"host", b"a")])[2] == b"!"


def test_the_answer_is_closed_even_where_it_breaks() -> None:
    closed = []

    class Broken:
        def __iter__(self) -> Any:
            raise RuntimeError("half way")

        def close(self) -> None:
            closed.append(True)

    # Django answers its own faults; what is left is the server's to log and answer.
    with pytest.raises(RuntimeError):
        call(lambda environ, start: Broken(), headers=[])

    assert closed == [True]


def test_a_refusal_ends_the_connection_in_the_one_error_shape() -> None:
    status, headers, body = call(echo, headers=[(b"transfer-encoding", b"chunked")])

    assert status == 411
    assert headers[b"connection"] == b"close"
    assert set(json.loads(body)) == {"code", "path", "message", "detail"}


def test_what_is_too_large_is_read_away_before_the_answer() -> None:
    messages = [
        {"type": "http.request", "body": b"x" * 600, "more_body": more}
        for more in (True, False)
    ]

    assert call(echo, *messages, headers=[(b"content-length", b"1200")])[0] == 413


def test_who_has_gone_is_not_answered() -> None:
    assert call(echo, {"type": "http.disconnect"})[0] == 0


def test_only_http_is_served() -> None:
    with pytest.raises(ValueError, match="websocket"):
        call(echo, type="websocket")


def test_the_environment_is_what_pep_3333_says() -> None:
    environ = build_environ(SCOPE, object())  # type: ignore[arg-type]

    assert environ["PATH_INFO"].encode("latin-1") == "/a/é".encode() + b"\xff"
    assert environ["QUERY_STRING"] == "q=%C3%A9"
    assert environ["REMOTE_ADDR"] == "192.0.2.7"
    assert environ["CONTENT_LENGTH"] == "5"
    assert environ["HTTP_HOST"] == "crm.example"
    assert environ["wsgi.url_scheme"] == "https"


def test_headers_join_and_none_passes_for_a_proxys() -> None:
    named = name_headers(
        [
            (b"accept", b"a"),
            (b"accept", b"b"),
            (b"cookie", b"x=1"),
            (b"cookie", b"y=2"),
            (b"x_forwarded_proto", b"https"),
            (b"content-type", b"text/plain"),
        ]
    )

    assert named == {
        "HTTP_ACCEPT": "a,b",
        "HTTP_COOKIE": "x=1; y=2",
        "CONTENT_TYPE": "text/plain",
    }


@pytest.mark.parametrize(
    ("proxies", "told", "address"),
    [
        (0, b"203.0.113.9", "192.0.2.7"),
        (1, b"203.0.113.9", "203.0.113.9"),
        (1, b"made-up, 203.0.113.9", "203.0.113.9"),
        (2, b"made-up, 203.0.113.9, 10.1.1.1", "203.0.113.9"),
        (2, b"203.0.113.9", "192.0.2.7"),
        (1, b"", "192.0.2.7"),
    ],
)
def test_the_callers_address_is_what_our_own_proxies_wrote_down(
    proxies: int, told: bytes, address: str
) -> None:
    scope = {**SCOPE, "headers": [(b"x-forwarded-for", told)]}
    environ = build_environ(scope, object(), proxies=proxies)  # type: ignore[arg-type]

    assert environ["REMOTE_ADDR"] == address


def test_a_large_answer_waits_on_disk_and_goes_out_in_blocks() -> None:
    chunk = bytes(range(256)) * 4_096

    def export(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return (chunk for _ in range(32))

    sizes: list[int] = []
    digest = hashlib.sha256()

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.body":
            sizes.append(len(message["body"]))
            digest.update(message["body"])

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    bridge = WholeRequests(export, threads=1, wait_s=5, find_limit=lambda path: 1_000)
    tracemalloc.start()
    asyncio.run(bridge({**SCOPE, "method": "GET", "headers": []}, receive, send))
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert digest.digest() == hashlib.sha256(chunk * 32).digest()
    assert max(sizes) == 64 * 1024
    assert peak_bytes < 4_000_000


def test_what_is_written_stands_before_what_is_returned() -> None:
    def write_first(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])(b"one, ")
        return [b"two"]

    assert call(write_first, method="GET", headers=[]) == (200, {}, b"one, two")
