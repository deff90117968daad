"""The sandbox as a process: what it takes, refuses, logs, and how it misbehaves."""

# ruff: noqa: E501 - the table reads by row
from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from notifications.sandbox.oauth import make_service_account
from tests.notifications.sandbox.sandbox_process import SandboxProcess, run_sandbox

SEND = "/v1/projects/apropos-sandbox/messages:send"
TOKEN = "phone-1-abcdefghijk"
BEARER = {"Authorization": "Bearer sandbox.any"}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with run_sandbox(tmp_path_factory.mktemp("sandbox") / "log.jsonl") as process:
        yield process


@pytest.fixture
def client(sandbox: SandboxProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=sandbox.url, headers=BEARER, timeout=5) as client:
        yield client


def read_log(sandbox: SandboxProcess) -> list[dict[str, Any]]:
    if not sandbox.log.exists():
        return []
    return [json.loads(line) for line in sandbox.log.read_text().splitlines()]


def make_message(**changes: Any) -> dict[str, Any]:
    message = {"token": TOKEN, "notification": {"title": "Hello", "body": "You"}}
    return {"message": message | changes}


def test_an_accepted_message_is_logged_before_its_answer(
    sandbox: SandboxProcess, client: httpx.Client
) -> None:
    before = len(read_log(sandbox))
    answer = client.post(SEND, json=make_message(data={"delivery_id": "d-1"}))
    assert answer.status_code == 200
    name = answer.json()["name"]
    assert name.startswith("projects/apropos-sandbox/messages/")
    [line] = read_log(sandbox)[before:]
    assert (line["name"], line["address"]) == (name, TOKEN)
    assert line["request"] == make_message(data={"delivery_id": "d-1"})


def test_the_same_message_twice_is_two_lines(
    sandbox: SandboxProcess, client: httpx.Client
) -> None:
    before = len(read_log(sandbox))
    names = {client.post(SEND, json=make_message()).json()["name"] for _ in range(2)}
    assert len(names) == 2
    assert len(read_log(sandbox)) == before + 2


def test_a_pretty_printed_message_stays_one_line(
    sandbox: SandboxProcess, client: httpx.Client
) -> None:
    before = len(read_log(sandbox))
    client.post(SEND, content=json.dumps(make_message(), indent=2))
    assert len(read_log(sandbox)) == before + 1


def test_validate_only_answers_and_logs_nothing(
    sandbox: SandboxProcess, client: httpx.Client
) -> None:
    before = len(read_log(sandbox))
    answer = client.post(SEND, json=make_message() | {"validate_only": True})
    assert answer.json()["name"].endswith("/fake_message_id")
    assert len(read_log(sandbox)) == before


@pytest.mark.parametrize("header", [None, "Bearer other", "Basic sandbox.x"])
def test_without_its_own_bearer_it_answers_401(
    header: str | None, sandbox: SandboxProcess
) -> None:
    headers = {"Authorization": header} if header else {}
    answer = httpx.post(sandbox.url + SEND, json=make_message(), headers=headers)
    assert answer.status_code == 401
    assert answer.json()["error"]["status"] == "UNAUTHENTICATED"


@pytest.mark.parametrize(
    ("_case", "changes", "field"),
    [
        ("unknown field", {"colour": "red"}, "message"),
        ("unknown android field", {"android": {"tag": "x"}}, "message.android"),
        ("number in data", {"data": {"count": 3}}, "message.data"),
        ("null in data", {"data": {"count": None}}, "message.data"),
        ("reserved data key", {"data": {"from": "x"}}, "message.data"),
        ("google data key", {"data": {"google.x": "x"}}, "message.data"),
        ("ttl as a number", {"android": {"ttl": 60}}, "message.android.ttl"),
        ("ttl without s", {"android": {"ttl": "60"}}, "message.android.ttl"),
        ("odd priority", {"android": {"priority": "max"}}, "message.android.priority"),
        ("plain web link", {"webpush": {"fcm_options": {"link": "http://x"}}}, "message.webpush.fcm_options.link"),
        ("odd label", {"fcm_options": {"analytics_label": "a b"}}, "message.fcm_options.analytics_label"),
        ("two addresses", {"topic": "news"}, "message"),
        ("no address", {"token": None}, "message"),
        ("apns without aps", {"apns": {"payload": {"x": 1}}}, "message.apns.payload"),
        ("long collapse id", {"apns": {"payload": {"aps": {}}, "headers": {"apns-collapse-id": "x" * 65}}}, "message.apns.headers"),
        ("too big", {"data": {"k": "é" * 2_040, "more": "x" * 100}}, "message"),
    ],
)  # fmt: skip
def test_what_google_would_refuse_names_its_field(
    _case: str,
    changes: dict[str, Any],
    field: str,
    sandbox: SandboxProcess,
    client: httpx.Client,
) -> None:
    before = len(read_log(sandbox))
    answer = client.post(SEND, json=make_message(**changes))
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["status"] == "INVALID_ARGUMENT"
    [detail] = error["details"]
    assert detail["@type"].endswith("BadRequest")
    named = detail["fieldViolations"][0]["field"]
    assert named.startswith(field)
    assert len(read_log(sandbox)) == before


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b"\xff", b'{"message": NaN}', b"[" * 9_000]
)
def test_a_body_that_is_no_message_is_refused(
    body: bytes, client: httpx.Client
) -> None:
    assert client.post(SEND, content=body).status_code == 400


@pytest.mark.parametrize("token", ["", "short", "with space in it", "ünïcödé-token"])
def test_a_token_of_bad_form_is_refused_as_an_address(
    token: str, client: httpx.Client
) -> None:
    answer = client.post(SEND, json=make_message(token=token))
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert "not a valid FCM registration token" in error["message"]
    assert error["details"][0]["errorCode"] == "INVALID_ARGUMENT"


@pytest.mark.parametrize(
    ("suffix", "status", "code"),
    [
        ("unregistered", 404, "UNREGISTERED"),
        ("quota", 429, "QUOTA_EXCEEDED"),
        ("unavailable", 503, "UNAVAILABLE"),
        ("internal", 500, "INTERNAL"),
        ("sender-mismatch", 403, "SENDER_ID_MISMATCH"),
        ("third-party", 401, "THIRD_PARTY_AUTH_ERROR"),
        ("invalid", 400, "INVALID_ARGUMENT"),
    ],
)
def test_error_tokens_fail_as_told_and_are_not_logged(
    suffix: str,
    status: int,
    code: str,
    sandbox: SandboxProcess,
    client: httpx.Client,
) -> None:
    before = len(read_log(sandbox))
    answer = client.post(SEND, json=make_message(token=f"{TOKEN}-{suffix}"))
    assert answer.status_code == status
    assert answer.json()["error"]["details"][0]["errorCode"] == code
    assert ("retry-after" in answer.headers) == (suffix == "quota")
    assert len(read_log(sandbox)) == before


@pytest.mark.parametrize(
    ("suffix", "fault"),
    [("silent", httpx.ReadTimeout), ("reset", httpx.ReadError)],
)
def test_silence_and_reset_come_after_the_log(
    suffix: str, fault: type[Exception], sandbox: SandboxProcess
) -> None:
    before = len(read_log(sandbox))
    message = make_message(token=f"{TOKEN}-{suffix}")
    with pytest.raises(fault):
        httpx.post(sandbox.url + SEND, json=message, headers=BEARER, timeout=0.5)
    assert len(read_log(sandbox)) == before + 1


def test_a_slow_token_is_answered_late(client: httpx.Client) -> None:
    answer = client.post(SEND, json=make_message(token=f"{TOKEN}-slow"))
    assert answer.status_code == 200
    assert answer.elapsed.total_seconds() > 1.5


def test_any_well_formed_assertion_buys_a_token(client: httpx.Client) -> None:
    from google.auth import crypt, jwt

    account = make_service_account("http://127.0.0.1:1")
    signer = crypt.RSASigner.from_service_account_info(account)
    claims = {"iss": "x", "aud": "y", "scope": "z", "iat": 1, "exp": 2}
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "assertion": jwt.encode(signer, claims).decode(),
    }
    answer = client.post("/token", data=form)
    assert answer.status_code == 200
    token = answer.json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    assert client.post(SEND, json=make_message(), headers=headers).status_code == 200


@pytest.mark.parametrize("assertion", ["", "a.b", "a.b.c", "e30.e30.c2ln", "e30.W10.c"])
def test_a_malformed_assertion_is_an_invalid_grant(
    assertion: str, client: httpx.Client
) -> None:
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "assertion": assertion,
    }
    answer = client.post("/token", data=form)
    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid_grant"


def test_health_and_unknown_paths(client: httpx.Client) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/").status_code == 404
    assert client.get(SEND).status_code == 404


def test_requests_on_one_connection_are_answered_in_order(
    sandbox: SandboxProcess,
) -> None:
    bodies = [json.dumps(make_message(token=f"phone-in-row-{n}")) for n in range(3)]
    head = f"POST {SEND} HTTP/1.1\r\nAuthorization: Bearer sandbox.x\r\n"
    wire = "".join(
        f"{head}Content-Length: {len(body)}\r\n\r\n{body}" for body in bodies
    )
    host, port = sandbox.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        for byte in wire.encode():  # in the smallest pieces a network may make
            connection.send(bytes([byte]))
        received = b""
        while received.count(b"messages/") < 3:
            received += connection.recv(65_536)
    assert received.count(b"HTTP/1.1 200 OK") == 3
    addresses = [line["address"] for line in read_log(sandbox)[-3:]]
    assert addresses == ["phone-in-row-0", "phone-in-row-1", "phone-in-row-2"]


def test_an_endless_head_or_body_is_cut_off(sandbox: SandboxProcess) -> None:
    host, port = sandbox.url.removeprefix("http://").split(":")
    for start in (
        b"POST /" + b"x" * 20_000,
        b"POST / X\r\nContent-Length: 99999999\r\n\r\n",
    ):
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            connection.sendall(start)
            assert b"413" in connection.recv(65_536)
            assert connection.recv(65_536) == b""


def test_it_keeps_its_log_over_a_restart_and_ends_at_sigterm(tmp_path: Path) -> None:
    log = tmp_path / "new" / "log.jsonl"
    for count in (1, 2):
        with run_sandbox(log) as sandbox:
            httpx.post(sandbox.url + SEND, json=make_message(), headers=BEARER)
        assert sandbox.process.returncode == 0
        assert len(read_log(sandbox)) == count
    assert log.stat().st_mode & 0o777 == 0o600
    assert len({line["name"] for line in read_log(sandbox)}) == 2


def test_a_taken_port_ends_with_one_line(
    sandbox: SandboxProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from notifications.sandbox.__main__ import main

    port = sandbox.url.rsplit(":", 1)[1]
    assert main(["--port", port, "--log", str(tmp_path / "log")]) == 1
    error = capsys.readouterr().err
    assert error.startswith("sandbox: ")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("environment", "allowed"),
    [
        ({}, True),
        ({"DEBUG": "true"}, True),
        ({"DEBUG": "0"}, False),
        ({"DEBUG": "False", "SANDBOX": "1"}, True),
        ({"SANDBOX": "off"}, False),
    ],
)
def test_it_starts_only_where_the_settings_would_allow_it(
    environment: dict[str, str], allowed: bool
) -> None:
    from notifications.sandbox.__main__ import is_allowed

    assert is_allowed(environment) is allowed


def test_where_it_is_off_it_ends_with_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from notifications.sandbox.__main__ import main

    monkeypatch.setenv("SANDBOX", "0")
    assert main(["--log", str(tmp_path / "log")]) == 1
    assert capsys.readouterr().err == "sandbox: off here; set SANDBOX=1 to allow it\n"
    assert not (tmp_path / "log").exists()
