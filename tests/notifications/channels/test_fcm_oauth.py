"""Access tokens: cached, renewed ahead of time, kept while OAuth is away."""

from __future__ import annotations

import json
import threading
from typing import Any
from urllib.parse import parse_qs

import pytest
import time_machine
from google.auth import crypt, jwt

from notifications.channels.fcm_oauth import AccessTokens, TokenRefusedError
from tests.notifications.channels.conftest import SHORT
from tests.notifications.channels.fault_server import Behaviour, FaultServer, answer

START = "2026-11-22T12:00:00Z"
REFUSED = answer(400, b'{"error": "invalid_grant"}')


def grant(token: str, life_s: int = 3600) -> Behaviour:
    return answer(
        200, json.dumps({"access_token": token, "expires_in": life_s}).encode()
    )


def open_tokens(server: FaultServer, service_account: dict[str, str]) -> AccessTokens:
    signer = crypt.RSASigner.from_service_account_info(service_account)
    return AccessTokens(
        signer=signer,
        email=service_account["client_email"],
        endpoint=f"{server.url}/token",
        ca_bundle="",
        limits=SHORT,
    )


@pytest.fixture
def tokens(server: FaultServer, service_account: dict[str, str]) -> AccessTokens:
    return open_tokens(server, service_account)


def test_one_token_serves_until_five_minutes_before_its_end(
    tokens: AccessTokens, server: FaultServer
) -> None:
    with time_machine.travel(START, tick=False) as clock:
        server.token_behaviour = grant("first")
        assert tokens.get() == "first"
        server.token_behaviour = grant("second")
        clock.shift(3299)
        assert tokens.get() == "first"
        clock.shift(2)
        assert tokens.get() == "second"
    assert len(server.token_posts) == 2


def test_a_living_token_is_used_while_oauth_is_away(
    tokens: AccessTokens, server: FaultServer
) -> None:
    with time_machine.travel(START, tick=False) as clock:
        server.token_behaviour = grant("first")
        tokens.get()
        server.token_behaviour = REFUSED
        clock.shift(3400)
        assert tokens.get() == "first"
        clock.shift(200)
        with pytest.raises(TokenRefusedError) as refused:
            tokens.get()
    assert refused.value.code == "OAUTH_INVALID_GRANT"


def test_forgetting_drops_only_the_token_named(
    tokens: AccessTokens, server: FaultServer
) -> None:
    server.token_behaviour = grant("first")
    tokens.get()
    tokens.forget("older")
    assert tokens.get() == "first"
    tokens.forget("first")
    server.token_behaviour = grant("second")
    assert tokens.get() == "second"


def test_threads_that_ask_at_once_cost_one_request(
    tokens: AccessTokens, server: FaultServer
) -> None:
    got: list[str] = []
    threads = [
        threading.Thread(target=lambda: got.append(tokens.get())) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == ["good"] * 8
    assert len(server.token_posts) == 1


def test_the_assertion_is_signed_for_the_endpoint_it_goes_to(
    tokens: AccessTokens, server: FaultServer, rsa_key: Any
) -> None:
    from cryptography.hazmat.primitives import serialization

    tokens.get()
    form = parse_qs(server.token_posts[0].decode())
    public = rsa_key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    claims = jwt.decode(form["assertion"][0], public, audience=f"{server.url}/token")
    assert claims["scope"] == "https://www.googleapis.com/auth/firebase.messaging"
    assert claims["exp"] - claims["iat"] == 3600


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b'{"access_token": 1, "expires_in": 5}', b"\xff"]
)
def test_garbage_is_a_refusal_not_a_crash(
    body: bytes, tokens: AccessTokens, server: FaultServer
) -> None:
    server.token_behaviour = answer(200, body)
    with pytest.raises(TokenRefusedError):
        tokens.get()


def test_a_stopped_oauth_is_unreachable(service_account: dict[str, str]) -> None:
    with FaultServer() as server:
        tokens = open_tokens(server, service_account)
    with pytest.raises(TokenRefusedError) as refused:
        tokens.get()
    assert refused.value.code == "OAUTH_UNREACHABLE"
