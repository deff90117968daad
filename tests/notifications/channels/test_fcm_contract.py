"""One contract for both transports: each answer of FCM, its outcome, its POSTs."""

# ruff: noqa: E501 - the table reads by row
from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from notifications.channels.base import Outcome, SendResult
from notifications.channels.fcm import FcmChannel
from tests.notifications.channels import fault_server
from tests.notifications.channels.conftest import make_push
from tests.notifications.channels.fault_server import (
    Behaviour,
    FaultServer,
    answer,
    answer_error,
)

OpenChannel = Callable[..., FcmChannel]
BAD_TOKEN = "The registration token is not a valid FCM registration token"
IN_TEN_MINUTES = "in ten minutes"


def send_one(channel: FcmChannel, **changes: Any) -> SendResult:
    [(index, result)] = list(channel.send([make_push(**changes)], deadline_s=10))
    assert index == 0
    return result


@dataclass(frozen=True)
class Row:
    _case: str
    behaviour: Behaviour
    outcome: Outcome
    code: str
    address_state: str = ""
    breaker: str = ""
    http_status: int | None = None


ROWS = [
    Row("200 with a name", answer(200, fault_server.OK_BODY), Outcome.SENT, "", http_status=200),
    Row("404 unregistered", answer_error(404, "NOT_FOUND", fcm="UNREGISTERED"), Outcome.DEAD_ADDRESS, "UNREGISTERED", "gone", http_status=404),
    Row("404 of a wrong project", answer_error(404, "NOT_FOUND"), Outcome.CONFIG, "NOT_FOUND", breaker="sender", http_status=404),
    Row("404 as HTML", answer(404, b"<html>no such page</html>"), Outcome.CONFIG, "HTTP_404", breaker="sender", http_status=404),
    Row("400 payload", answer_error(400, "INVALID_ARGUMENT", fcm="INVALID_ARGUMENT", fields=("message.data[0].value",)), Outcome.REJECTED, "INVALID_ARGUMENT", http_status=400),
    Row("400 payload, token named too", answer_error(400, "INVALID_ARGUMENT", BAD_TOKEN, fcm="INVALID_ARGUMENT", fields=("message.token", "message.android.ttl")), Outcome.REJECTED, "INVALID_ARGUMENT", http_status=400),
    Row("400 without details", answer_error(400, "INVALID_ARGUMENT", BAD_TOKEN), Outcome.REJECTED, "INVALID_ARGUMENT", http_status=400),
    Row("400 as HTML", answer(400, b"<html>bad</html>"), Outcome.REJECTED, "HTTP_400", http_status=400),
    Row("400 token by its words", answer_error(400, "INVALID_ARGUMENT", BAD_TOKEN, fcm="INVALID_ARGUMENT"), Outcome.DEAD_ADDRESS, "INVALID_ARGUMENT", "invalid", http_status=400),
    Row("400 token by its field", answer_error(400, "INVALID_ARGUMENT", fcm="INVALID_ARGUMENT", fields=("message.token",)), Outcome.DEAD_ADDRESS, "INVALID_ARGUMENT", "invalid", http_status=400),
    Row("403 sender mismatch", answer_error(403, "PERMISSION_DENIED", fcm="SENDER_ID_MISMATCH"), Outcome.DEAD_ADDRESS, "SENDER_ID_MISMATCH", "wrong_sender", http_status=403),
    Row("403 other", answer_error(403, "PERMISSION_DENIED"), Outcome.CONFIG, "PERMISSION_DENIED", breaker="sender", http_status=403),
    Row("401 third party", answer_error(401, "UNAUTHENTICATED", fcm="THIRD_PARTY_AUTH_ERROR"), Outcome.CONFIG, "THIRD_PARTY_AUTH_ERROR", breaker="platform", http_status=401),
    Row("401 other", answer_error(401, "UNAUTHENTICATED"), Outcome.CONFIG, "UNAUTHENTICATED", breaker="sender", http_status=401),
    Row("429", answer_error(429, "RESOURCE_EXHAUSTED", fcm="QUOTA_EXCEEDED"), Outcome.NOT_SENT, "QUOTA_EXCEEDED", http_status=429),
    Row("500", answer_error(500, "INTERNAL", fcm="INTERNAL"), Outcome.NOT_ACCEPTED, "INTERNAL", http_status=500),
    Row("503", answer_error(503, "UNAVAILABLE", fcm="UNAVAILABLE"), Outcome.NOT_ACCEPTED, "UNAVAILABLE", http_status=503),
    Row("503 without an error body", answer(503, b"upstream connect error"), Outcome.AMBIGUOUS, "HTTP_503", http_status=503),
    Row("502 as HTML", answer(502, b"<html>Bad Gateway</html>"), Outcome.AMBIGUOUS, "HTTP_502", http_status=502),
    Row("504 with an error body", answer_error(504, "DEADLINE_EXCEEDED"), Outcome.AMBIGUOUS, "DEADLINE_EXCEEDED", http_status=504),
    Row("302", answer(302, b"", {"Location": "/elsewhere"}), Outcome.CONFIG, "HTTP_302", breaker="sender", http_status=302),
    Row("200 {}", answer(200, b"{}"), Outcome.AMBIGUOUS, "NO_NAME", http_status=200),
    Row("200 with a list", answer(200, b"[]"), Outcome.AMBIGUOUS, "NO_NAME", http_status=200),
    Row("200 garbage", answer(200, b"\xff\x00 not json"), Outcome.AMBIGUOUS, "NO_NAME", http_status=200),
    Row("500 with an odd error", answer(500, b'{"error": "boom"}'), Outcome.AMBIGUOUS, "HTTP_500", http_status=500),
    Row("truncated", fault_server.truncate, Outcome.AMBIGUOUS, "CONNECTION_BROKEN"),
    Row("slow drip", fault_server.drip, Outcome.AMBIGUOUS, "TIMEOUT"),
    Row("silence", fault_server.stay_silent, Outcome.AMBIGUOUS, "TIMEOUT"),
    Row("RST after the request", fault_server.reset, Outcome.AMBIGUOUS, "CONNECTION_BROKEN"),
    Row("FIN after the request", fault_server.hang_up, Outcome.AMBIGUOUS, "CONNECTION_BROKEN"),
    Row("not HTTP at all", lambda c, _b: bool(c.sendall(b"hello\r\n\r\n")), Outcome.AMBIGUOUS, "CONNECTION_BROKEN"),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row._case)
def test_each_answer_has_its_outcome_and_costs_one_post(
    row: Row, transport: str, server: FaultServer, open_channel: OpenChannel
) -> None:
    server.behaviour = row.behaviour
    begun_s = time.monotonic()
    result = send_one(open_channel(server, transport))
    assert (result.outcome, result.code) == (row.outcome, row.code)
    assert result.address_state == row.address_state
    assert result.breaker == row.breaker
    assert result.http_status == row.http_status
    assert len(server.posts) == 1
    assert server.strays == []
    assert time.monotonic() - begun_s < 4


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row._case)
def test_a_reused_connection_never_posts_again(
    row: Row, transport: str, server: FaultServer, open_channel: OpenChannel
) -> None:
    channel = open_channel(server, transport)
    assert send_one(channel).outcome is Outcome.SENT
    server.behaviour = row.behaviour
    assert send_one(channel, number=2).outcome is row.outcome
    bodies = [body for body in server.posts if b"token-0002" in body]
    assert len(bodies) == 1


@pytest.mark.parametrize(
    ("_case", "header", "least_s", "most_s"),
    [
        ("none", None, 60, 60),
        ("seconds", "30", 30, 30),
        ("an hour", "3600", 3600, 3600),
        ("a date", IN_TEN_MINUTES, 540, 600),
        ("garbage", "soon", 60, 60),
    ],
)
def test_a_429_waits_as_told_and_spends_one_post(
    _case: str,
    header: str | None,
    least_s: float,
    most_s: float,
    transport: str,
    server: FaultServer,
    open_channel: OpenChannel,
) -> None:
    if header == IN_TEN_MINUTES:
        at = datetime.now(UTC) + timedelta(minutes=10)
        header = format_datetime(at, usegmt=True)
    headers = {"Retry-After": header} if header else {}
    server.behaviour = answer_error(
        429, "RESOURCE_EXHAUSTED", fcm="QUOTA_EXCEEDED", headers=headers
    )
    begun_s = time.monotonic()
    result = send_one(open_channel(server, transport))
    assert result.retry_after_s is not None
    assert least_s <= result.retry_after_s <= most_s
    assert len(server.posts) == 1
    assert time.monotonic() - begun_s < 3


def test_a_503_passes_its_retry_after_on(
    transport: str, server: FaultServer, open_channel: OpenChannel
) -> None:
    server.behaviour = answer_error(503, "UNAVAILABLE", headers={"Retry-After": "7"})
    assert send_one(open_channel(server, transport)).retry_after_s == 7


def test_a_refused_connection_is_not_sent(
    transport: str, server: FaultServer, open_channel: OpenChannel
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    channel = open_channel(server, transport, endpoint=f"http://127.0.0.1:{port}")
    result = send_one(channel)
    assert (result.outcome, result.code) == (Outcome.NOT_SENT, "CONNECT_FAILED")
    assert result.breaker == "sender"


def test_a_name_that_does_not_resolve_is_not_sent(
    transport: str, server: FaultServer, open_channel: OpenChannel
) -> None:
    channel = open_channel(server, transport)
    channel._route = replace(channel._route, endpoint="http://fcm.invalid")
    result = send_one(channel)
    assert (result.outcome, result.code) == (Outcome.NOT_SENT, "DNS")
    assert result.breaker == "sender"


def test_a_connection_that_never_opens_is_not_sent(
    transport: str, server: FaultServer, open_channel: OpenChannel
) -> None:
    with ExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(2):  # fills the backlog: the next SYN gets no answer
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(full.getsockname())
        url = f"http://127.0.0.1:{full.getsockname()[1]}"
        result = send_one(open_channel(server, transport, endpoint=url))
    assert (result.outcome, result.code) == (Outcome.NOT_SENT, "CONNECT_TIMEOUT")


def test_a_bad_certificate_is_not_sent_and_not_waited_for(
    transport: str,
    server: FaultServer,
    server_tls: ssl.SSLContext,
    open_channel: OpenChannel,
) -> None:
    begun_s = time.monotonic()
    with FaultServer(tls=server_tls) as foreign:
        result = send_one(open_channel(server, transport, endpoint=foreign.url))
    assert (result.outcome, result.code) == (Outcome.NOT_SENT, "TLS_FAILED")
    assert result.breaker == "sender"
    assert foreign.posts == []
    assert time.monotonic() - begun_s < 3


def test_one_outcome_per_message_whatever_happens_to_its_neighbours(
    transport: str, server: FaultServer, open_channel: OpenChannel
) -> None:
    def behave(connection: socket.socket, body: bytes) -> bool:
        if b"token-0003" in body:
            return fault_server.reset(connection, body)
        if b"token-0005" in body:
            return answer(200, b"garbage")(connection, body)
        return answer(200, fault_server.OK_BODY)(connection, body)

    server.behaviour = behave
    pushes = [make_push(number) for number in range(20)]
    pushes[7] = make_push(7, data={"count": 3})
    results = dict(open_channel(server, transport).send(pushes, deadline_s=10))
    assert sorted(results) == list(range(20))
    odd = {i: r.outcome for i, r in results.items() if r.outcome is not Outcome.SENT}
    assert odd == {
        3: Outcome.AMBIGUOUS,
        5: Outcome.AMBIGUOUS,
        7: Outcome.REJECTED,
    }
    assert len(server.posts) == 19


def test_an_empty_batch_posts_nothing_and_asks_for_no_token(
    transport: str, server: FaultServer, open_channel: OpenChannel
) -> None:
    assert list(open_channel(server, transport).send([], deadline_s=10)) == []
    assert server.token_posts == []


def test_messages_whose_time_is_over_are_not_begun(
    transport: str, server: FaultServer, open_channel: OpenChannel
) -> None:
    server.behaviour = fault_server.stay_silent
    pushes = [make_push(number) for number in range(40)]
    begun_s = time.monotonic()
    channel = open_channel(server, transport)
    results = [result for _index, result in channel.send(pushes, deadline_s=1.2)]
    assert time.monotonic() - begun_s < 4
    codes = {result.code for result in results}
    assert codes == {"TIMEOUT", "DEADLINE"}
    assert len([r for r in results if r.outcome is Outcome.AMBIGUOUS]) == len(
        server.posts
    )


def test_the_detail_never_holds_the_address(
    transport: str, server: FaultServer, open_channel: OpenChannel
) -> None:
    token = "short-token-in-clear"
    server.behaviour = answer_error(500, "INTERNAL", f"failed for {token}\r\nok")
    result = send_one(open_channel(server, transport), token=token)
    assert result.detail == "failed for [address] ok"


@pytest.mark.parametrize(
    ("_case", "behaviour", "code"),
    [
        ("revoked", answer(400, b'{"error": "invalid_grant"}'), "OAUTH_INVALID_GRANT"),
        ("down", answer(503, b"<html>"), "OAUTH_HTTP_503"),
        ("silent", fault_server.stay_silent, "OAUTH_UNREACHABLE"),
        ("redirected", answer(302, b"{}", {"Location": "/x"}), "OAUTH_302"),
        ("without a token", answer(200, b"{}"), "OAUTH_GARBAGE"),
    ],
)
def test_without_an_access_token_all_are_config_and_nothing_is_posted(
    _case: str,
    behaviour: Behaviour,
    code: str,
    transport: str,
    server: FaultServer,
    open_channel: OpenChannel,
) -> None:
    server.token_behaviour = behaviour
    pushes = [make_push(1), make_push(2)]
    results = dict(open_channel(server, transport).send(pushes, deadline_s=10))
    assert {(r.outcome, r.code, r.breaker) for r in results.values()} == {
        (Outcome.CONFIG, code, "sender")
    }
    assert len(results) == 2
    assert server.posts == []
    assert server.strays == []


def test_a_refused_access_token_is_renewed_for_the_next_batch(
    transport: str, server: FaultServer, open_channel: OpenChannel
) -> None:
    channel = open_channel(server, transport)
    server.behaviour = answer_error(401, "UNAUTHENTICATED")
    assert send_one(channel).outcome is Outcome.CONFIG
    server.behaviour = answer(200, fault_server.OK_BODY)
    assert send_one(channel).outcome is Outcome.SENT
    assert len(server.token_posts) == 2


def test_a_platforms_bad_key_does_not_cost_a_new_token(
    transport: str, server: FaultServer, open_channel: OpenChannel
) -> None:
    channel = open_channel(server, transport)
    server.behaviour = answer_error(
        401, "UNAUTHENTICATED", fcm="THIRD_PARTY_AUTH_ERROR"
    )
    assert [send_one(channel).breaker for _ in range(2)] == ["platform"] * 2
    assert len(server.token_posts) == 1
