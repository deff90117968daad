"""The real web server under requests that no library would send."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from tests.factories import make_api_key
from tests.server import run_server

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@pytest.fixture
def port(db: None) -> Iterator[int]:
    with run_server() as port:
        yield port


def is_healthy_within(port: int, *, wait_s: float) -> bool:
    """Asked again and again: on a busy machine one connection may be dropped."""
    deadline = time.monotonic() + wait_s
    while time.monotonic() < deadline:
        with suppress(OSError):
            if b" 200 " in send(port, HEALTH, wait_s=3)[:20]:
                return True
    return False


def send(port: int, request: bytes, *, wait_s: float = 10) -> bytes:
    """What comes back until the server closes or falls silent."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=wait_s) as client:
        # A server may answer, and close, before it has read all.
        with suppress(ConnectionError):
            client.sendall(request)
        try:
            while chunk := client.recv(65_536):
                answer += chunk
        except (TimeoutError, ConnectionError):
            pass
    return answer


def frame(body: bytes, *, headers: str = "", key: str = "") -> bytes:
    length = (
        "" if "Transfer-Encoding" in headers else f"Content-Length: {len(body)}\r\n"
    )
    head = (
        "POST /v1/batch HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"Authorization: Bearer {key}\r\n{length}{headers}\r\n"
    )
    return head.encode() + body


def test_the_server_outlives_broken_clients(port: int) -> None:
    key = make_api_key("track")
    event = b'{"type": "track", "userId": "a", "event": "Seen"}'
    good = b'{"batch": [' + event + b"]}"
    chunks = frame(b'5\r\n{"bat\r\n', headers="Transfer-Encoding: chunked\r\n", key=key)
    answers = {
        "right": (frame(good, key=key), b" 200 "),
        "10 MB": (frame(b" " * 10_000_000, key=key), b" 413 "),
        "chunks": (chunks + b"0\r\n\r\n", b" 411 "),
        "a foreign host": (HEALTH.replace(b"localhost", b"evil.example"), b" 400 "),
        "nulls": (HEALTH.replace(b"/healthz", b"/admin/?q=%00"), b" 400 "),
    }
    for case, (request, status) in answers.items():
        assert status in send(port, request)[:20], case
    for junk in (b"\x16\x03\x01\x00", b"GET\r\n\r\n", b"A" * 200_000, chunks):
        answer = send(port, junk, wait_s=2)
        assert b" 200 " not in answer[:20]
        assert b"Traceback" not in answer
    assert is_healthy_within(port, wait_s=15)
    assert b" 200 " in send(port, frame(good, key=key))[:20]


SLOW_CLIENTS = 200
# Generous: the machine of the tests does other work. Alone it is a tenth of it.
ANSWER_S = 5


def test_clients_that_hang_on_half_a_body_cost_nobody_else_anything(port: int) -> None:
    key = make_api_key("track")
    good = b'{"batch": [{"type": "track", "userId": "a", "event": "Seen"}]}'
    half = frame(good, key=key)[:-10]
    endless = frame(
        b"5\r\n{    \r\n" * 20, headers="Transfer-Encoding: chunked\r\n", key=key
    )
    login = (
        b"GET /admin/login/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    with ExitStack() as stack:
        for number in range(SLOW_CLIENTS):
            slow = socket.create_connection(("127.0.0.1", port), timeout=5)
            stack.enter_context(slow)
            slow.sendall(endless if number % 4 == 0 else half)
        for request in (frame(good, key=key), login, HEALTH) * 5:
            begun_at = time.monotonic()
            assert b" 200 " in send(port, request)[:20]
            assert time.monotonic() - begun_at < ANSWER_S


def test_a_body_that_never_comes_is_given_up(db: None) -> None:
    with run_server(BODY_WAIT_S="1") as port:
        answer = send(port, frame(b"x" * 100)[:-10], wait_s=10)

    assert b" 408 " in answer[:20]
    assert b'"code": "timeout"' in answer
